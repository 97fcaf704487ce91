"""The Dockerfile's steps without an engine: what an image would hold, and that it runs, read-only and with nothing of ours around it.

    python -m tests.trust container [--install] [--list]

The steps are read from the Dockerfile itself. COPY is carried out with its sources alone, into a folder that stands for the image's
root; the product's RUN steps run in it; then it is started with the image's own command and asked by the image's own health check.
``--install`` also carries out the stage of the packages, in a virtual environment of its own (it needs the package index, and
minutes); without it the packages are those of the Python that runs this.
"""

from __future__ import annotations

import argparse
import ast
import json
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.free_port import free_port
from tests.servers import ROOT
from tests.starter_facts import DIGITS
from tests.waiting import until

BYTES_PER_MB = 1_000_000
START_S, STOP_S = 120.0, 60.0
PORT = "7860"
#: What must not be in an image: what is secret, what is only for development, what is remade.
UNWANTED = re.compile(r"(^|/)(\.git|\.env|tests|benchmarks|docs|\.venv|.*\.pem|.*\.key|.*\.pt|.*\.ckpt|id_rsa.*)(/|$)")


@dataclass(frozen=True)
class Step:
    """One instruction of the Dockerfile, with the stage that it belongs to."""

    stage: str
    name: str
    rest: str


def dockerfile_steps() -> list[Step]:
    """Every instruction in order, continuation lines joined."""
    text = re.sub(r"\\\n\s*", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    stage, steps = "", []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, rest = line.strip().split(maxsplit=1)
        if name == "FROM":
            stage = rest.split(" AS ")[1]
        steps.append(Step(stage, name, rest))
    return steps


def copy_product(root: Path) -> None:
    """Carry out the COPY steps of the product's stage in ``root``, which stands for ``/``; what .dockerignore names stays out."""
    place = root / _last("product", "WORKDIR").lstrip("/")
    for step in dockerfile_steps():
        if step.stage != "product" or step.name != "COPY":
            continue
        *sources, target = step.rest.split()
        for source in sources:
            folder = place / target
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, folder, ignore=shutil.ignore_patterns("__pycache__", "*.py[cod]", ".*"), dirs_exist_ok=True)
            else:
                folder.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / source, folder)


def contents(root: Path) -> list[Path]:
    """Every file, relative to ``root``."""
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())


def _last(stage: str, name: str) -> str:
    return [step.rest for step in dockerfile_steps() if step.stage == stage and step.name == name][-1]


def _run_product_steps(root: Path, python: Path) -> None:
    """The RUN steps of the product's stage, with ``python`` for theirs."""
    for step in dockerfile_steps():
        if step.stage == "product" and step.name == "RUN":
            words = step.rest.split()
            if words[0] != "python":
                raise AssertionError(f"this check knows no step {step.rest!r}; teach it, or run the Dockerfile with an engine")
            command = [str(python), *words[1:]]
            subprocess.run(command, cwd=root / _last("product", "WORKDIR").lstrip("/"), check=True)


def _install(folder: Path) -> Path:
    """The stage of the packages, in a virtual environment; its python."""
    environment = folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", environment], check=True)
    python = environment / "bin" / "python"
    for step in dockerfile_steps():
        if step.stage == "packages" and step.name == "RUN" and " -m pip " in step.rest:
            words = step.rest.split()
            subprocess.run([str(python), *words[1:]], cwd=ROOT, check=True)
    return python


def _snapshot(root: Path) -> dict[Path, tuple[int, int]]:
    return {path: ((status := (root / path).stat()).st_size, status.st_mtime_ns) for path in contents(root)}


def _read_only(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def _writable(root: Path) -> None:
    for path in [root, *root.rglob("*")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)


def _words(instruction: str, *, stage: str) -> list[str]:
    words = ast.literal_eval(_last(stage, instruction))
    return [str(word) for word in words]


def _environment(home: Path) -> dict[str, str]:
    """The image's own variables, and nothing of this machine's."""
    pairs = dict(re.findall(r"(\w+)=(\S+)", _last("base", "ENV")))
    return {**pairs, "PATH": "/usr/bin:/bin", "HOME": str(home), "TMPDIR": str(home)}


def _serve(root: Path, python: Path, home: Path) -> dict[str, float]:
    """Start the image's command, wait for the image's health check, transcribe over the API, stop: seconds."""
    port = str(free_port())
    to_here = {"/app/": f"{root}/app/", PORT: port, "0.0.0.0": "127.0.0.1", "python": str(python)}
    entry = [_replaced(word, to_here) for word in _words("ENTRYPOINT", stage="base")]
    command = [_replaced(word, to_here) for word in _words("CMD", stage="cpu")]
    check = _last("base", "HEALTHCHECK")
    health = [_replaced(word, to_here) for word in json.loads(check[check.index("CMD") + 3 :])]
    began = time.monotonic()
    with subprocess.Popen([*entry, *command], cwd=home, env=_environment(home), stderr=subprocess.PIPE, text=True) as server:
        try:
            until(lambda: server.poll() is not None or _is_healthy(health, home), within_s=START_S)
            assert server.poll() is None, f"it ended with {server.returncode}: {server.communicate()[1][-1000:]}"
            healthy_s = time.monotonic() - began
            heard = _transcribed(f"http://127.0.0.1:{port}")
            assert heard.strip(), "it answered with no text"
            server.send_signal(signal.SIGTERM)
            stopping = time.monotonic()
            _, said = server.communicate(timeout=STOP_S)
        except (AssertionError, subprocess.TimeoutExpired):
            server.kill()
            raise
        if server.returncode:
            raise AssertionError(f"it ended with {server.returncode}: {said[-1000:]}")
    return {"healthy_after_s": round(healthy_s, 1), "stopped_after_s": round(time.monotonic() - stopping, 1)}


def _is_healthy(check: list[str], home: Path) -> bool:
    return subprocess.run(check, env=_environment(home), capture_output=True, check=False).returncode == 0


def _transcribed(address: str) -> str:
    answer = httpx.post(
        f"{address}/v1/audio/transcriptions", files={"file": DIGITS.read_bytes()}, data={"response_format": "text"}, timeout=START_S
    )
    return answer.raise_for_status().text


def _replaced(word: str, changes: dict[str, str]) -> str:
    if word in changes:
        return changes[word]
    for old, new in changes.items():
        if old not in ("python", "0.0.0.0"):
            word = word.replace(old, new)
    return word


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How far to go."""
    parser.add_argument("--install", action="store_true", help="install the packages as the image does; needs the package index")
    parser.add_argument("--list", action="store_true", help="name every file of the product in the report")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """What the image holds and how it started; AssertionError where it should not be shipped."""
    with tempfile.TemporaryDirectory(prefix="lightvoice-image-") as place:
        folder = Path(place)
        root, home = folder / "root", folder / "home"
        home.mkdir()
        copy_product(root)
        python = _install(folder) if arguments.install else Path(sys.executable)
        held = contents(root)
        unwanted = [str(path) for path in held if UNWANTED.search(str(path))]
        if unwanted:
            raise AssertionError(f"these do not belong into an image: {', '.join(unwanted[:10])}")
        report: dict[str, Any] = {
            "files": len(held),
            "product_mb": round(sum((root / path).stat().st_size for path in held) / BYTES_PER_MB, 1),
            "packages": "installed as the image does" if arguments.install else "of this Python",
            "by_folder": dict(_by_folder(held)),
        }
        if arguments.list:
            report["contents"] = [str(path) for path in held]
        _run_product_steps(root, python)
        before = _snapshot(root)
        _read_only(root)
        try:
            report |= _serve(root, python, home)
        finally:
            _writable(root)
        if _snapshot(root) != before:
            raise AssertionError("something was written into the image's root")
        report["left_in_home"] = sorted({path.parts[0] for path in contents(home)})
        return report


def _by_folder(held: list[Path]) -> Iterator[tuple[str, int]]:
    folders = [str(path.parent) for path in held]
    for name in dict.fromkeys(folders):
        yield name, folders.count(name)
