"""What runs bring is written behind their back; nothing that goes wrong with the history touches a transcript at hand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from engine.editing.edits import EditedSegment, Edits
from engine.transcript import Alternative, Transcript
from tests.transcripts import segment, spoken, transcript
from tests.ui.history.kept import ANN, BEN, IDS, held, result
from tests.waiting import until
from ui.history import history as history_module
from ui.history.errors import HistoryContentError, HistoryError, HistoryFullError, HistoryGoneError, HistoryLockedError
from ui.history.history import DAY_S, History
from ui.history.kept_result import kept_content, read_content
from ui.history.kept_transcript import Keep
from ui.history.options import HistoryOptions
from ui.history.sounds import ABANDONED_S
from ui.scheduling.recording_queue import Result
from ui.text.texts import Texts


def with_words(one: Result, texts: dict[int, str]) -> Result:
    """A result with other words in some of its segments."""
    recognized = one.transcript.segments
    segments = [
        EditedSegment(
            start_ms=own.start_ms,
            end_ms=own.end_ms,
            text=texts[index],
            language=own.language,
            emotion=own.emotion,
            event=own.event,
            pieces=((index, 0, len(one.words.of(index))),),
        )
        if index in texts
        else index
        for index, own in enumerate(recognized)
    ]
    return replace(one, edits=Edits(segments=tuple(segments)))


@pytest.fixture
def clock() -> SimpleNamespace:
    return SimpleNamespace(now_s=100 * DAY_S)


@pytest.fixture
def make(tmp_path: Path, clock: SimpleNamespace) -> Iterator[Callable[..., History]]:
    made: list[History] = []

    def history(**options: int) -> History:
        made.append(History(HistoryOptions(folder=tmp_path / "history", **options), clock_s=lambda: clock.now_s))
        made[-1].store._busy_s = 0.0
        return made[-1]

    yield history
    for one in made:
        one.close()


@pytest.fixture
def history(make: Callable[..., History]) -> History:
    return make()


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    path = tmp_path / "playback.flac"
    path.write_bytes(b"sound")
    return path


def edited(what: Result, index: int, text: str) -> Result:
    """The result with a person's words for a segment."""
    return replace(what, edits={**what.edits, index: text})


def keep(history: History, transcript_id: str, what: Result, *, owner: str = ANN, is_new: bool = True, **more: bool) -> str | None:
    """Keep a result and wait until it is written, or was refused: -> why."""
    history.keep(owner, transcript_id, kind="file", name="talk.wav", result=what, is_new=is_new, **more)
    failure = history.settle([transcript_id], within_s=60)
    return None if failure is None else failure.line


def test_a_result_is_the_same_when_it_is_opened_again(history: History) -> None:
    whole = replace(
        transcript(
            spoken(["three", "one"]),
            replace(segment(2000, 2900, "four", speaker="Speaker 2"), channel=2, alternatives=(Alternative("four", 0.6),)),
        ),
        speech_track=np.array([0.0, 0.5, 1.0], np.float32),
    )
    assert keep(history, IDS[0], with_words(Result(transcript=whole, peaks=result().peaks), {1: "fore"})) is None
    kept, opened, sound = history.open(ANN, IDS[0])
    assert (kept.name, kept.text, sound) == ("talk.wav", "three one fore", None)
    assert opened.transcript.to_dict() == whole.to_dict()
    assert opened.transcript.speech_track.tolist() == [0.0, 0.5, 1.0]
    assert opened.edits is not None and opened.edited().segments[1].text == "fore"
    assert opened.peaks.tolist() == result().peaks.tolist()


def test_a_content_of_another_version_is_said(history: History) -> None:
    for content in (b"", b"no zlib", kept_content(result())[:-9]):
        with pytest.raises(HistoryContentError, match=r"talk\.wav"):
            read_content(content, name="talk.wav")


def test_a_recording_is_kept_only_for_who_chose_it(history: History, sound: Path) -> None:
    assert keep(history, IDS[0], result(playback=sound)) is None
    history.store.choose(ANN, Keep.SOUND)
    assert keep(history, IDS[1], result(playback=sound)) is None
    assert keep(history, IDS[2], result(playback=sound), owner=BEN) is None
    kept_at = history.open(ANN, IDS[1])[2]
    assert kept_at is not None
    assert kept_at.read_bytes() == b"sound"
    assert kept_at.stat().st_mode & 0o777 == 0o600
    assert (history.open(ANN, IDS[0])[2], history.open(BEN, IDS[2])[2]) == (None, None)
    sound.unlink()  # the page is gone
    assert kept_at.read_bytes() == b"sound"


def test_nothing_is_kept_for_who_chose_that(history: History) -> None:
    history.store.choose(ANN, Keep.NOTHING)
    assert keep(history, IDS[0], result()) is None
    assert history.store.count(ANN) == 0


def test_a_recording_without_room_costs_the_recording_alone(make: Callable[..., History], sound: Path) -> None:
    history = make(sound_mb=0)
    history.store.choose(ANN, Keep.SOUND)
    assert keep(history, IDS[0], result(playback=sound)) is None
    assert history.open(ANN, IDS[0])[2] is None


def test_an_edit_is_kept_and_does_not_bring_back_what_was_deleted(history: History) -> None:
    keep(history, IDS[0], result("one"))
    keep(history, IDS[0], with_words(result("one"), {0: "uno"}), is_new=False)
    assert history.open(ANN, IDS[0])[0].text == "uno"
    assert history.delete(ANN, IDS[0]) == 1
    keep(history, IDS[0], with_words(result("one"), {0: "eins"}), is_new=False)
    with pytest.raises(HistoryGoneError):
        history.open(ANN, IDS[0])


def test_deleting_removes_recordings_and_reaches_nobody_else(history: History, sound: Path) -> None:
    for owner in (ANN, BEN):
        history.store.choose(owner, Keep.SOUND)
    for number, owner in enumerate((ANN, ANN, ANN, BEN)):
        keep(history, IDS[number], result(playback=sound), owner=owner)
    assert history.delete(BEN, IDS[0]) == 0
    assert history.delete(ANN, IDS[0]) == 1
    assert [history.sounds.path(one).exists() for one in IDS[:4]] == [False, True, True, True]
    assert history.delete(ANN) == 2
    assert [history.sounds.path(one).exists() for one in IDS[:4]] == [False, False, False, True]
    assert (history.store.count(ANN), history.store.count(BEN)) == (0, 1)


def test_what_is_too_old_is_forgotten_with_its_recording(make: Callable[..., History], clock: SimpleNamespace, sound: Path) -> None:
    history = make(days=7)
    history.store.choose(ANN, Keep.SOUND)
    keep(history, IDS[0], result("old", sound))
    clock.now_s += 3 * DAY_S
    keep(history, IDS[1], result("newer", sound))
    clock.now_s += 4.5 * DAY_S
    history.forget()
    assert [row.text for row in history.store.page(ANN)] == ["newer"]
    assert [history.sounds.path(one).exists() for one in IDS[:2]] == [False, True]


def test_recordings_without_a_transcript_are_deleted_after_a_while(history: History, clock: SimpleNamespace) -> None:
    growing = history.sounds.growing(IDS[5])
    growing.write_bytes(b"half a word")
    clock.now_s = growing.stat().st_mtime + ABANDONED_S - 1
    history.forget()
    assert growing.exists()
    clock.now_s += 2
    history.forget()
    assert not growing.exists()


def test_a_held_database_is_said_in_both_languages_and_tried_again(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "RETRY_S", 0.0)
    other = held(history)
    assert keep(history, IDS[0], result()) == str(HistoryLockedError())
    failure = history.failure(IDS)
    assert failure is not None
    assert "另一个程序" in failure.words(Texts("zh"))[1]
    other.execute("ROLLBACK")
    other.close()
    until(lambda: history.failure(IDS) is None and not history.is_waiting(IDS))
    assert history.open(ANN, IDS[0])[0].text == "three one four"


def test_an_edit_while_the_first_attempt_waits_is_what_is_kept(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "RETRY_S", 0.0)
    other = held(history)
    keep(history, IDS[0], result("one"))
    history.keep(ANN, IDS[0], kind="file", name="talk.wav", result=with_words(result("one"), {0: "uno"}), is_new=False)
    other.execute("ROLLBACK")
    other.close()
    until(lambda: history.failure(IDS) is None and not history.is_waiting(IDS))
    assert history.open(ANN, IDS[0])[0].text == "uno"


def test_a_full_database_is_said_and_the_transcript_waits(make: Callable[..., History], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "RETRY_S", 0.0)
    history = make(text_mb=1)
    noise = np.random.default_rng(7).random(400_000, np.float32)  # nothing that could be compressed
    large = replace(result(), transcript=replace(result().transcript, speech_track=noise))
    assert keep(history, IDS[0], result()) is None
    assert keep(history, IDS[1], large) == str(HistoryFullError())
    assert [row.id for row in history.store.page(ANN)] == [IDS[0]]
    assert history.delete(ANN, IDS[1]) == 0  # it is not there, and no longer waits
    assert history.failure(IDS) is None


def test_a_damaged_database_is_set_aside_without_a_loss_of_what_comes(history: History) -> None:
    keep(history, IDS[0], result("before"))
    history.store.close()
    history.store.file.write_bytes(b"no database at all " * 500)
    assert keep(history, IDS[1], result("after")) is None
    assert [row.text for row in history.store.page(ANN)] == ["after"]
    assert len(history.store.set_aside()) == 1


def test_forgetting_a_broken_history_says_so_and_goes_on(history: History, caplog: pytest.LogCaptureFixture) -> None:
    other = held(history)
    history.forget()
    assert "could not be forgotten now" in caplog.text
    other.close()
    assert not history.wants_sound(ANN)


def test_what_waits_is_written_when_the_server_stops(make: Callable[..., History]) -> None:
    history = make()
    for one in IDS:
        history.keep(ANN, one, kind="file", name="talk.wav", result=result(), is_new=True)
    history.close()
    assert make().store.count(ANN) == len(IDS)


def test_a_name_that_is_no_text_is_kept_as_it_can_be_shown(history: History) -> None:
    history.keep(ANN, IDS[0], kind="file", name="caf\udce9.wav", result=result("half \ud800 of it"), is_new=True)
    assert history.settle(IDS, within_s=60) is None
    assert history.store.page(ANN)[0].name == "caf\ufffd.wav"


def test_an_id_that_is_none_names_no_file(history: History) -> None:
    for name in ("../history.sqlite", "", "a" * 31, "/etc/passwd"):
        with pytest.raises(ValueError, match="hexadecimal"):
            history.sounds.path(name)
        with pytest.raises(HistoryError):
            history.open(ANN, name)


def test_the_transcript_that_is_kept_is_a_transcript(history: History) -> None:
    assert isinstance(read_content(kept_content(result()), name="a").transcript, Transcript)
