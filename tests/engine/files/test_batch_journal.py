"""What counts as finished: a whole result of this very recording, these weights and these options, and nothing else."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from engine.errors import OptionError, OutputError
from engine.files.batch_journal import BatchJournal, result_paths
from engine.files.cache_folder import cache_folder

SETTINGS = {"language": "auto", "precision": "fp32"}


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "talk.wav"
    path.write_bytes(b"sound")
    return path


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out" / "talk.txt"


def journal(target: Path, **changed: str) -> BatchJournal:
    return BatchJournal(target.parent, settings={**SETTINGS, **changed})


def test_a_result_is_finished_for_the_next_run_too(recording: Path, target: Path) -> None:
    assert not journal(target).is_finished(recording, target)
    journal(target).write(recording, target, "hello\n")
    assert target.read_text(encoding="utf-8") == "hello\n"
    assert journal(target).is_finished(recording, target)
    assert [path.name for path in target.parent.iterdir()] == ["talk.txt"]


def test_what_has_changed_is_done_again(recording: Path, target: Path) -> None:
    journal(target).write(recording, target, "hello\n")
    assert not journal(target, language="en").is_finished(recording, target)
    target.write_text("my own words", encoding="utf-8")
    assert not journal(target).is_finished(recording, target)
    journal(target).write(recording, target, "hello\n")
    recording.write_bytes(b"other")
    assert not journal(target).is_finished(recording, target)
    journal(target).write(recording, target, "hello\n")
    target.unlink()
    assert not journal(target).is_finished(recording, target)
    recording.unlink()
    assert not journal(target).is_finished(recording, target)


def test_a_line_that_was_torn_off_costs_its_own_result_alone(tmp_path: Path, recording: Path, target: Path) -> None:
    second = target.with_name("second.txt")
    journal(target).write(recording, target, "hello\n")
    journal(target).write(recording, second, "hello\n")
    [file] = (cache_folder() / "batches").iterdir()
    file.write_bytes(file.read_bytes()[:-20])
    assert journal(target).is_finished(recording, target)
    assert not journal(target).is_finished(recording, second)
    journal(target).write(recording, second, "hello\n")
    assert journal(target).is_finished(recording, target) and journal(target).is_finished(recording, second)


def test_a_death_between_journal_and_result_leaves_the_old_result_unfinished(recording: Path, target: Path, monkeypatch) -> None:
    journal(target).write(recording, target, "old\n")

    def die(self: Path, other: Path) -> Path:
        raise SystemExit

    monkeypatch.setattr(Path, "replace", die)
    with pytest.raises(SystemExit):
        journal(target, language="en").write(recording, target, "new\n")
    assert target.read_text(encoding="utf-8") == "old\n"
    assert not journal(target, language="en").is_finished(recording, target)


def test_a_full_disk_leaves_no_half_result_and_says_what_helps(recording: Path, target: Path, monkeypatch) -> None:
    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match=r"cannot write .*talk\.txt \(No space left on device\); free some space"):
        journal(target).write(recording, target, "hello\n")
    assert list(target.parent.iterdir()) == []


def test_without_a_cache_results_are_written_all_the_same(recording: Path, target: Path, monkeypatch, caplog) -> None:
    (target.parent.parent / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(target.parent.parent / "file"))
    journal(target).write(recording, target, "hello\n")
    assert target.read_text(encoding="utf-8") == "hello\n"
    assert "talk.txt is finished" in caplog.text
    assert not journal(target).is_finished(recording, target)


def test_recordings_of_one_name_get_results_of_their_own(tmp_path: Path) -> None:
    paths = result_paths(tmp_path / "new" / "out", ["a/x.wav", "b/x.mp3", "y.wav"], "srt")
    assert [path.name for path in paths] == ["x.srt", "x-2.srt", "y.srt"]
    # One name on the disks of macOS and Windows.
    assert [path.name for path in result_paths(tmp_path / "out", ["A.wav", "sub/a.wav"], "txt")] == ["A.txt", "a-2.txt"]
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="choose another --output-dir"):
        result_paths(tmp_path / "file" / "out", ["x.wav"], "srt")
