"""``watch`` as a person starts it, through a real process."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.starter_facts import DIGITS
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent


def command(folder: Path, *options: str) -> list[str]:
    return [
        sys.executable,
        str(ROOT / "app.py"),
        "watch",
        str(folder / "in"),
        "--output",
        str(folder / "out"),
        "--settle-s",
        "0.2",
        *options,
    ]


def test_what_arrives_is_transcribed_until_a_signal_ends_it_and_a_restart_does_the_rest_alone(tmp_path: Path) -> None:
    inbox = tmp_path / "in"
    (inbox / "monday").mkdir(parents=True)
    shutil.copy(DIGITS, inbox / "first.flac")
    with subprocess.Popen(command(tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        until((tmp_path / "out" / "first.json").exists)
        shutil.copy(DIGITS, inbox / "monday" / "second.flac")
        (inbox / "broken.wav").write_text("no audio " * 100)
        until((tmp_path / "out" / "monday" / "second.json").exists)
        until((tmp_path / "out" / "broken.wav.error.json").exists)
        process.send_signal(signal.SIGTERM)
        said, complaints = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, "")
    assert "Traceback" not in complaints
    assert json.loads((tmp_path / "out" / "first.json").read_text(encoding="utf-8"))["segments"]
    before = (tmp_path / "out" / "first.json").stat().st_mtime_ns
    shutil.copy(DIGITS, inbox / "third.flac")
    again = subprocess.run(command(tmp_path, "--once"), capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0
    assert "third.flac ->" in again.stderr
    assert "first.flac" not in again.stderr and "broken.wav" not in again.stderr
    assert (tmp_path / "out" / "first.json").stat().st_mtime_ns == before


def test_a_folder_that_is_not_there_and_an_unknown_format_end_at_once(tmp_path: Path) -> None:
    for options, said in (((), "no folder"), (("--format", "doc"), "unknown format 'doc'")):
        done = subprocess.run(command(tmp_path, *options), capture_output=True, text=True, check=False, timeout=300)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
