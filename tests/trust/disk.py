"""Item 5: full disks under output, bundle and uploads, and what a server leaves behind when it stops or is killed."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from engine.bundle import Bundle
from tests.starter_facts import DIGITS, STARTER

ROOT = Path(__file__).resolve().parent.parent.parent


#: ONNX Runtime notes a random number here when it is imported.


class NoMountError(RuntimeError):
    """This process may not make a small disk."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=5, help="servers that are started, used and killed (default: %(default)s)")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        figures: dict[str, Any] = {"left_after_shutdown": servers_leave_nothing(place / "servers", rounds=arguments.rounds)}
        for name, check in (("output", full_output), ("bundle", full_bundle), ("uploads", full_uploads)):
            try:
                with small_disk(place / name, megabytes=SIZES_MB[name]) as disk:
                    figures[name] = check(disk)
            except NoMountError as error:
                figures[name] = f"not run: {error}"
    return figures


#: The starter and a little: no other variant of it has room beside it.
_BUNDLE_MB = sum(path.stat().st_size for path in STARTER.iterdir()) // (1 << 20) + 10
SIZES_MB = {"output": 1, "bundle": _BUNDLE_MB, "uploads": 2}


@contextmanager
def small_disk(place: Path, *, megabytes: int) -> Iterator[Path]:
    """A disk in memory; NoMountError where this process may not mount one."""
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", str(place)]
    if sys.platform != "linux" or os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        raise NoMountError("a tmpfs cannot be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> Path:
    """Take all room that is left."""
    path = disk / "filler"
    try:
        with path.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
    except OSError:
        return path


def full_output(disk: Path) -> str:
    """A batch into a full folder: one line, no half result; with room again the same command comes to its end."""
    command = [sys.executable, str(ROOT / "app.py"), "transcribe", str(DIGITS), "--output-dir", str(disk / "out")]
    (disk / "out").mkdir()
    filler = fill(disk)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert "No space left on device" in done.stderr and list((disk / "out").iterdir()) == []
    filler.unlink()
    assert subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert [path.name for path in (disk / "out").iterdir()] == ["digits-en.json"]
    return done.stderr.strip().splitlines()[-1].replace(str(disk), "…")


def full_bundle(disk: Path) -> str:
    """Quantizing where there is no room: one line, and the bundle is as it was."""
    bundle = disk / "bundle"
    shutil.copytree(STARTER, bundle)
    before = sorted(path.name for path in bundle.iterdir())
    command = [sys.executable, "-m", "models", "quantize", str(bundle), "--recipe", "dynamic"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    said = done.stderr.strip().splitlines()[-1]
    assert done.returncode == 1 and "Traceback" not in done.stderr and "free some" in said, done.stderr
    assert sorted(path.name for path in Bundle.load(bundle).folder.iterdir()) == before
    return said.replace(str(disk), "…")


def full_uploads(disk: Path) -> str:
    """A server whose temporary folder is full: 507 in words, the server goes on, nothing is left."""
    with server(disk) as (process, address):
        answer = httpx.post(f"{address}/v1/audio/transcriptions", files={"file": ("talk.flac", DIGITS.read_bytes())}, timeout=120)
        assert answer.status_code == 507, answer.text
        assert httpx.get(f"{address}/healthz").status_code == 200
        stop(process)
    assert left_in(disk) == []
    return str(answer.json()["error"]["message"])


def servers_leave_nothing(folder: Path, *, rounds: int) -> dict[str, int]:
    """Start, use and kill a server so many times, then once more and stop it: files left in its temporary folder after each."""
    folder.mkdir(parents=True)
    after_kill = 0
    for number in range(rounds + 1):
        with server(folder) as (process, address):
            upload(address)
            if number < rounds:
                process.kill()
                process.wait()
                after_kill = max(after_kill, len(left_in(folder)))
            else:
                stop(process)
    assert after_kill <= 1, "a server that was killed did not clear up after the one before"
    left = left_in(folder)
    assert left == [], left
    return {"kills": rounds, "folders_after_a_kill": after_kill, "files_after_a_stop": len(left)}


def left_in(folder: Path) -> list[str]:
    """What lies in a server's temporary folder; not what the libraries put there when they are imported, which is no one's recording."""
    return sorted(path.name for path in folder.iterdir() if path.is_file() or any_file_in(path))


def any_file_in(folder: Path) -> bool:
    return any(path.is_file() for path in folder.rglob("*"))


def upload(address: str) -> None:
    """A recording through the page's door, another one through the API's."""
    uploaded = httpx.post(f"{address}/gradio_api/upload", files={"files": ("talk.flac", DIGITS.read_bytes())}, timeout=120)
    assert uploaded.status_code == 200, uploaded.text
    answer = httpx.post(f"{address}/v1/audio/transcriptions", files={"file": ("talk.flac", DIGITS.read_bytes())}, timeout=120)
    assert answer.status_code == 200, answer.text


@contextmanager
def server(temporary: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A real server with its temporary files in a folder: the process and its address."""
    environment = {**os.environ, "TMPDIR": str(temporary)}
    environment.pop("GRADIO_TEMP_DIR", None)
    command = [sys.executable, str(ROOT / "app.py"), "--port", "0", "--precision", "int8"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert process.stderr is not None
        said = ""
        for line in process.stderr:
            said += line
            if found := re.search(r"LightVoice: (http://\S+)", line):
                yield process, found.group(1)
                return
        raise AssertionError(f"the server did not start: {said}")
    finally:
        process.kill()
        process.communicate()


def stop(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(60)
