"""A watched folder: what is complete is done once, whatever is copied, touched, renamed, taken away, damaged, or stopped in between."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.errors import AudioDecodeError, DecoderCrashedError, OptionError, OutputError, SessionError
from engine.formats import render
from engine.options import TranscribeOptions
from engine.transcript import Transcript
from engine.watch.arrivals import Arrivals, is_recording
from engine.watch.journal import FILE, WatchJournal
from engine.watch.watcher import TRIES, Watcher, WatchOptions
from tests.transcripts import segment, transcript


class FakeEngine:
    """Recognizes what it is told to, and counts."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.errors: list[Exception] = []
        self.during: Callable[[], None] = lambda: None

    def transcribe(self, recording: Path, options: TranscribeOptions, *, file: str, progress: Callable[[float, str], None]) -> Transcript:
        progress(0.1, "decode")
        self.files.append(file)
        if self.errors:
            raise self.errors.pop(0)
        self.during()
        progress(0.9, "asr")
        return replace(transcript(segment(0, 900, "three one")), file=file)


class Place:
    """A watched folder whose time passes as the test says."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.output = folder / "in", folder / "out"
        self.folder.mkdir()
        self.engine = FakeEngine()
        self.now_s = 0.0
        self.said: list[str] = []
        self.stopping = False

    def sleep(self, seconds: float) -> None:
        self.now_s += seconds

    def add(self, name: str, content: str = "sound") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    def watch(self, *, output: Path | None = None, **options: Any) -> Watcher:
        """Do what is there, as ``--once`` does: -> the watcher."""
        chosen: dict[str, Any] = {"output_format": "txt", "once": True, "settle_s": 3.0, **options}
        chosen.setdefault("write", partial(render, output_format=chosen["output_format"]))
        watcher = Watcher(
            self.engine,  # type: ignore[arg-type]
            SimpleNamespace(open=lambda path, read: path),  # type: ignore[arg-type]
            WatchOptions(folder=self.folder, output=output or self.output, transcribe=TranscribeOptions(), **chosen),
            say=self.said.append,
            is_stopping=lambda: self.stopping,
            clock_s=lambda: self.now_s,
            sleep=self.sleep,
        )
        watcher.run()
        return watcher

    def results(self) -> list[str]:
        return sorted(path.relative_to(self.output).as_posix() for path in self.output.rglob("*") if path.is_file() and path.name != FILE)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_results_lie_in_the_same_subfolders(place: Place) -> None:
    for name in ("talk.wav", "a/b/call.mp3", "中文/采访.m4a", "no ending"):
        place.add(name)
    place.watch()
    assert place.results() == ["a/b/call.txt", "no ending.txt", "talk.txt", "中文/采访.txt"]
    assert (place.output / "talk.txt").read_text() == "three one\n"
    assert place.watch(output_format="json").failed == 0
    assert json.loads((place.output / "a/b/call.json").read_text())["file"] == "a/b/call.mp3"


def test_a_result_may_be_bytes(place: Place) -> None:
    place.add("talk.wav")
    place.watch(output_format="docx", write=lambda transcript: b"PK\x00\xff")
    assert (place.output / "talk.docx").read_bytes() == b"PK\x00\xff"


def test_what_is_done_is_not_done_again_after_a_restart_or_when_its_result_was_taken_away(place: Place) -> None:
    place.add("talk.wav")
    place.watch()
    (place.output / "talk.txt").unlink()
    place.watch()
    assert place.engine.files == ["talk.wav"]
    assert place.results() == []
    place.watch(redo=True)
    assert place.results() == ["talk.txt"]


def test_another_time_with_the_same_content_is_the_same_recording_and_another_content_is_not(place: Place) -> None:
    path = place.add("talk.wav", "one")
    place.watch()
    os.utime(path, (1, 1))
    place.watch()
    assert place.engine.files == ["talk.wav"]
    path.write_text("two")
    place.watch()
    assert place.engine.files == ["talk.wav", "talk.wav"]


def test_two_recordings_of_one_stem_keep_their_results_apart_also_after_a_restart(place: Place) -> None:
    place.add("talk.wav", "one")
    place.watch()
    place.add("talk.mp3", "two")
    place.add("TALK.flac", "three")
    place.watch()
    assert len(place.results()) == 3
    assert place.results()[-1] == "talk.txt"
    place.watch(redo=True)
    assert len(place.results()) == 3


def test_a_file_that_grows_waits_until_it_is_complete(tmp_path: Path) -> None:
    clock = SimpleNamespace(now_s=0.0)
    arrivals = Arrivals(tmp_path, settle_s=3.0, clock_s=lambda: clock.now_s)
    path = tmp_path / "talk.wav"
    for size in (10, 20, 30):
        path.write_bytes(b"x" * size)
        assert arrivals.look() == ([], 1)
        clock.now_s += 2.9
    assert arrivals.look() == ([], 1)
    clock.now_s += 0.2
    complete, growing = arrivals.look()
    assert ([one.size_bytes for one in complete], growing) == ([30], 0)


def test_a_recording_that_changes_while_it_is_transcribed_is_done_when_it_is_complete(place: Place) -> None:
    path = place.add("talk.wav", "half")

    def grow() -> None:
        path.write_text("whole of it")
        place.engine.during = lambda: None

    place.engine.during = grow
    place.watch()
    assert place.engine.files == ["talk.wav", "talk.wav"]
    (entry,) = [json.loads(line) for line in (place.output / FILE).read_text().splitlines() if line]
    assert entry["bytes"] == len("whole of it")


def test_a_failure_is_written_beside_and_not_tried_again_until_the_file_changes(place: Place) -> None:
    path = place.add("a/broken.wav")
    place.engine.errors = [AudioDecodeError(path="broken.wav", reason="no header")]
    place.add("good.wav")
    os.utime(path, (1, 1))  # the first one
    assert place.watch().failed == 1
    assert place.results() == ["a/broken.wav.error.json", "good.txt"]
    said = json.loads((place.output / "a/broken.wav.error.json").read_text())
    assert (said["file"], said["error"]["type"]) == ("a/broken.wav", "AudioDecodeError")
    place.watch()
    assert len(place.engine.files) == 2
    path.write_text("mended")
    place.watch()
    assert place.results() == ["a/broken.txt", "good.txt"]


@pytest.mark.parametrize(
    "error", [SessionError("no memory"), DecoderCrashedError(path="a", how="signal 9"), OSError("gone"), RuntimeError("?")]
)
def test_what_fails_in_passing_is_tried_again_and_given_up_in_the_end(place: Place, error: Exception) -> None:
    place.add("talk.wav")
    place.engine.errors = [error]
    assert place.watch().failed == 0
    assert place.results() == ["talk.txt"]
    place.add("other.wav")
    place.engine.errors = [error] * (TRIES + 5)
    assert place.watch().failed == 1
    assert place.engine.files.count("other.wav") == TRIES
    assert place.results() == ["other.wav.error.json", "talk.txt"]


def test_a_full_disk_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.add("talk.wav")
    write, full = WatchJournal.write, [OutputError(path="talk.txt", reason="No space left on device")] * 5

    def refuse(self: WatchJournal, *arguments: Any, **options: Any) -> None:
        if full:
            raise full.pop()
        write(self, *arguments, **options)

    monkeypatch.setattr(WatchJournal, "write", refuse)
    assert place.watch().failed == 0
    assert place.results() == ["talk.txt"]
    assert sum("No space left" in line for line in place.said) == 1


def test_a_stop_in_the_middle_leaves_nothing_half_written_and_the_next_watch_does_it(place: Place) -> None:
    place.add("talk.wav")

    def stop() -> None:
        place.stopping = True

    place.engine.during = stop
    place.watch(once=False)
    assert place.results() == []
    place.stopping, place.engine.during = False, lambda: None
    place.watch()
    assert place.results() == ["talk.txt"]


def test_an_error_that_the_stop_itself_makes_is_no_fault_of_the_recording(place: Place) -> None:
    place.add("talk.wav")

    def crash() -> None:
        place.stopping = True
        raise DecoderCrashedError(path="talk.wav", how="signal 2")

    place.engine.during = crash
    place.watch(once=False)
    assert place.results() == []


def test_a_process_that_was_killed_between_the_journal_and_the_result_does_it_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.add("talk.wav")

    def killed(self: Path, target: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        with pytest.raises(KeyboardInterrupt):
            place.watch()
    assert [name for name in place.results() if not name.endswith(".partial")] == []
    place.watch()
    assert place.results() == ["talk.txt"]


def test_a_torn_line_of_the_journal_spoils_itself_alone(place: Place) -> None:
    for name in ("a.wav", "b.wav"):
        place.add(name)
        place.watch()
    journal = place.output / FILE
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join([*lines[:-1], lines[-1][:40]]))
    place.watch()
    assert place.engine.files == ["a.wav", "b.wav", "b.wav"]


def test_results_may_lie_beside_the_recordings_and_are_none_themselves(place: Place) -> None:
    place.add("talk.wav")
    for output_format in ("txt", "srt", "vtt", "json"):
        place.watch(output=place.folder, output_format=output_format)
    place.watch(output=place.folder, output_format="json")
    assert place.engine.files == ["talk.wav"] * 4


def test_a_folder_for_results_within_the_watched_one_is_not_looked_into(place: Place) -> None:
    place.add("talk.wav")
    inside = place.folder / "results"
    place.watch(output=inside)
    shutil.copy(place.folder / "talk.wav", inside / "copied.wav")
    place.watch(output=inside)
    assert place.engine.files == ["talk.wav"]


def test_a_second_watch_into_the_same_folder_is_refused(place: Place) -> None:
    place.add("talk.wav")
    with WatchJournal(place.output, output_format="txt").claimed(), pytest.raises(OptionError, match="another watch"):
        place.watch()


def test_a_folder_that_is_not_there_is_refused_and_one_that_goes_away_is_waited_for(place: Place) -> None:
    place.folder.rmdir()
    with pytest.raises(OptionError, match="no folder"):
        place.watch()
    place.folder.mkdir()
    place.add("a.wav")
    away = place.folder.with_name("away")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        place.now_s += seconds
        waits.append(seconds)
        if len(waits) == 1:
            place.folder.rename(away)
        if len(waits) == 60:
            away.rename(place.folder)

    place.sleep = sleep  # type: ignore[method-assign]
    place.watch()
    assert place.results() == ["a.txt"]
    assert sum("cannot be read now" in line for line in place.said) == 1


@pytest.mark.parametrize(
    ("name", "taken"),
    [
        ("talk.wav", True),
        ("TALK.WAV", True),
        ("film.mkv", True),
        ("phone.amr", True),
        ("voice.ogg", True),
        ("call.opus", True),
        ("0001", True),
        ("raw.xyz", True),
        (".hidden.wav", False),
        ("talk.wav.part", False),
        ("talk.mp4.crdownload", False),
        ("talk.srt", False),
        ("talk.wav.error.json", False),
        ("notes.txt", False),
        ("cover.jpg", False),
        ("paper.pdf", False),
        ("all.zip", False),
        ("all.tar.gz", False),
        ("Thumbs.db", False),
        ("desktop.ini", False),
    ],
)
def test_what_is_taken_for_a_recording(name: str, taken: bool) -> None:
    assert is_recording(name) is taken


def test_links_to_nowhere_pipes_and_empty_files_are_passed_over(place: Place) -> None:
    (place.folder / "link.wav").symlink_to(place.folder / "gone.wav")
    os.mkfifo(place.folder / "pipe.wav")
    (place.folder / "empty.wav").touch()
    soundfile.write(place.folder / "real.wav", np.zeros(160, np.float32), 16_000)
    place.watch()
    assert place.engine.files == ["real.wav"]


def test_a_name_as_long_as_names_may_be_has_a_result_and_an_error(place: Place) -> None:
    name = "n" * 251 + ".wav"
    place.add(name)
    place.engine.errors = [AudioDecodeError(path=name, reason="no header")]
    place.watch()
    place.watch(redo=True)
    assert [len(one.encode()) <= 255 for one in place.results()] == [True]
