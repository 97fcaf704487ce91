"""Folders of running processes: gone with them, and cleared up after those that were killed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.files.claimed_folder import claimed_folder, remove_abandoned

ROOT = Path(__file__).resolve().parents[3]
HOLD = """
import sys
from pathlib import Path
from engine.files.claimed_folder import claimed_folder
with claimed_folder(Path(sys.argv[1]), "work-") as folder:
    (folder / "half.bin").write_bytes(b"x")
    print(folder, flush=True)
    sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(os.name != "posix", reason="this system has no locks on folders")


def holder(parent: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, parent], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, Path(process.stdout.readline().strip())


def test_a_folder_goes_with_its_block(tmp_path: Path) -> None:
    def fail() -> None:
        with claimed_folder(tmp_path, "work-") as folder:
            assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
            (folder / "file").touch()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    killed, left = holder(tmp_path)
    alive, kept = holder(tmp_path)
    for name in ("other-1", "work-file"):
        (tmp_path / name).touch() if name == "work-file" else (tmp_path / name).mkdir()
    outside = tmp_path.parent / "outside"
    outside.mkdir()
    (tmp_path / "work-link").symlink_to(outside)
    killed.kill()
    killed.communicate()
    assert left.exists() and kept.exists()
    assert remove_abandoned(tmp_path, "work-") == (left,)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["other-1", "work-file", "work-link", kept.name])
    alive.communicate()
    assert alive.returncode == 0 and not kept.exists() and outside.exists()


def test_the_next_claim_clears_up(tmp_path: Path) -> None:
    killed, left = holder(tmp_path)
    killed.kill()
    killed.communicate()
    with claimed_folder(tmp_path, "work-") as folder:
        assert list(tmp_path.iterdir()) == [folder] != [left]


def test_a_parent_that_is_not_there_holds_nothing_abandoned(tmp_path: Path) -> None:
    assert remove_abandoned(tmp_path / "lost", "work-") == ()
