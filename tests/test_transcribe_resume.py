"""A batch that is stopped, killed or out of room goes on where it was, through a real process."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.starter_facts import DIGITS
from tests.waiting import until

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture
def batch(tmp_path: Path) -> list[str]:
    recordings = [tmp_path / f"{number}.flac" for number in range(4)]
    for path in recordings:
        shutil.copy(DIGITS, path)
    return [sys.executable, str(ROOT / "app.py"), "transcribe", *map(str, recordings), "--output-dir", str(tmp_path / "out")]


def finished(tmp_path: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in sorted((tmp_path / "out").iterdir())}


def test_a_second_run_redoes_nothing_and_another_option_redoes_all(batch: list[str], tmp_path: Path) -> None:
    assert subprocess.run(batch, capture_output=True, check=False, timeout=300).returncode == 0
    first = finished(tmp_path)
    assert list(first) == ["0.json", "1.json", "2.json", "3.json"]
    (tmp_path / "out" / "2.json").unlink()
    second = subprocess.run(batch, capture_output=True, text=True, check=False, timeout=300)
    assert (second.returncode, second.stdout) == (0, "")
    assert second.stderr.count("finished before") == 3
    kept = finished(tmp_path)
    assert {name for name in kept if kept[name] == first[name]} == {"0.json", "1.json", "3.json"}
    third = subprocess.run([*batch, "--precision", "int8"], capture_output=True, text=True, check=False, timeout=300)
    assert "finished before" not in third.stderr
    assert {json.loads((tmp_path / "out" / name).read_text(encoding="utf-8"))["precision"] for name in kept} == {"int8"}
    again = subprocess.run([*batch, "--precision", "int8", "--redo"], capture_output=True, text=True, check=False, timeout=300)
    assert again.returncode == 0 and "finished before" not in again.stderr


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_a_killed_batch_goes_on_with_the_rest(batch: list[str], tmp_path: Path) -> None:
    process = subprocess.Popen(batch, stderr=subprocess.DEVNULL)
    until((tmp_path / "out" / "0.json").exists)
    process.kill()
    process.wait()
    before = finished(tmp_path)
    done = {name for name in before if not name.startswith(".")}
    assert subprocess.run(batch, capture_output=True, check=False, timeout=300).returncode == 0
    after = finished(tmp_path)
    assert list(after) == ["0.json", "1.json", "2.json", "3.json"]
    assert {name: after[name] for name in done} == {name: before[name] for name in done}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("output_format", ["json", "txt"])
def test_a_full_disk_behind_stdout_is_said_in_one_line(output_format: str) -> None:
    with Path("/dev/full").open("wb") as full:
        command = [sys.executable, str(ROOT / "app.py"), "transcribe", str(DIGITS), "--format", output_format]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, timeout=300)
    assert done.returncode == 1
    assert done.stderr == (
        "cannot write to standard output (No space left on device); free some space or choose another place, "
        "then run it again: what is finished is kept\n"
    )
