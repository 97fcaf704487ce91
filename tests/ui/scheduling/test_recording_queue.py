"""One page's queue: rows, states, cancelling, running again, edits; nothing transcribed is ever lost by what comes later."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.audio.containers import probe
from engine.audio.waveform import load_audio
from engine.editing.edits import EditedSegment, Edits
from engine.errors import AudioNotFoundError
from engine.options import TranscribeOptions
from tests.ui.fake_engine import FakeEngine
from ui.scheduling.recording_queue import Entry, EntryState, OldEditError, RecordingQueue, Result
from ui.text.failures import failure_of


@pytest.fixture
def queue(tmp_path: Path) -> RecordingQueue:
    return RecordingQueue("0" * 32, tmp_path / "queue", probe=probe)


def states(queue: RecordingQueue) -> list[str]:
    return [entry.state.value for entry in queue.entries()]


def result_of(path: Path, name: str = "two words.wav") -> Result:
    return Result(transcript=FakeEngine().transcribe(load_audio(path), file=name), peaks=np.zeros(4, np.float32))


def finish(queue: RecordingQueue, path: Path) -> Entry:
    entry = queue.begin()
    assert entry is not None
    queue.finish(entry.id, result_of(path))
    return entry


def test_the_same_file_twice_gives_two_entries_of_their_own(queue: RecordingQueue, two_words: Path) -> None:
    first, second = queue.add(two_words, "two words.wav"), queue.add(two_words, "two words.wav")
    assert first.id != second.id
    assert first.path != second.path
    assert (first.name, first.duration_s, first.state) == ("two words.wav", 3.0, EntryState.READY)
    assert [entry.id for entry in queue.entries()] == [first.id, second.id]


def test_a_file_that_its_owner_deletes_afterwards_is_still_there(queue: RecordingQueue, two_words: Path, tmp_path: Path) -> None:
    upload = tmp_path / "upload.wav"
    upload.write_bytes(two_words.read_bytes())
    entry = queue.add(upload, "upload.wav")
    upload.unlink()
    assert entry.path.read_bytes() == two_words.read_bytes()


def test_entries_run_in_the_order_they_came(queue: RecordingQueue, two_words: Path) -> None:
    ids = [queue.add(two_words, f"{number}.wav").id for number in range(3)]
    assert queue.begin() is None  # nobody pressed the button yet
    assert [entry.id for entry in queue.submit(TranscribeOptions(language="en"))] == ids
    assert [queue.begin().id for _ in range(3)] == ids
    assert queue.begin() is None
    assert {entry.options.language for entry in queue.entries()} == {"en"}


def test_cancelling_leaves_what_is_done(queue: RecordingQueue, two_words: Path) -> None:
    for number in range(4):
        queue.add(two_words, f"{number}.wav")
    queue.submit(TranscribeOptions())
    finish(queue, two_words)
    queue.begin()
    queue.cancel_all()
    assert states(queue) == ["done", "cancelled", "cancelled", "cancelled"]
    assert queue.entries()[0].result is not None
    assert not queue.active


def test_the_result_of_a_cancelled_run_is_not_taken(queue: RecordingQueue, two_words: Path) -> None:
    queue.add(two_words, "a.wav")
    queue.submit(TranscribeOptions())
    entry = queue.begin()
    queue.cancel(entry.id)
    queue.report(entry.id, 0.9, "asr")
    queue.finish(entry.id, result_of(two_words))
    queue.fail(entry.id, failure_of(AudioNotFoundError(path="a.wav")))
    (after,) = queue.entries()
    assert (after.state, after.result, after.failure, after.progress) == (EntryState.CANCELLED, None, None, 0.0)


def test_a_failed_or_cancelled_entry_can_run_again_with_its_options(queue: RecordingQueue, two_words: Path) -> None:
    for name in ("failed.wav", "cancelled.wav", "done.wav"):
        queue.add(two_words, name)
    queue.submit(TranscribeOptions(language="ko"))
    failed, cancelled = queue.begin(), queue.begin()
    queue.fail(failed.id, failure_of(AudioNotFoundError(path="a.wav")))
    queue.cancel(cancelled.id)
    done = finish(queue, two_words)
    again = queue.retry(failed.id)
    assert (again.state, again.failure, again.options.language) == (EntryState.WAITING, None, "ko")
    assert queue.retry(cancelled.id).state is EntryState.WAITING
    assert queue.retry(done.id) is None
    assert queue.retry("nobody") is None


def test_pressing_again_after_all_is_done_adds_a_run_and_keeps_the_first(queue: RecordingQueue, two_words: Path) -> None:
    entry = queue.add(two_words, "a.wav")
    queue.submit(TranscribeOptions())
    finish(queue, two_words)
    edits = said(queue, entry.id, 0, "my words")
    (second,) = queue.submit(TranscribeOptions(language="en"))
    assert states(queue) == ["done", "waiting"]
    assert (second.name, second.options.language) == ("a.wav", "en")
    assert queue.selected.id == second.id
    first = queue.find(entry.id)
    assert first.result.edits == edits
    assert first.options.language == "auto"


def test_nothing_is_submitted_from_an_empty_or_busy_queue(queue: RecordingQueue, two_words: Path) -> None:
    assert queue.submit(TranscribeOptions()) == ()
    queue.add(two_words, "a.wav")
    assert len(queue.submit(TranscribeOptions())) == 1
    assert queue.submit(TranscribeOptions()) == ()


def said(queue: RecordingQueue, entry_id: str, index: int, text: str) -> Edits:
    """Write other words over one segment: -> the edits that are now kept."""
    entry = queue.find(entry_id)
    segments = entry.result.transcript.segments
    changed = segments[index]
    edited = EditedSegment(
        start_ms=changed.start_ms,
        end_ms=changed.end_ms,
        text=text,
        language=changed.language,
        emotion=changed.emotion,
        event=changed.event,
        pieces=((index, 0, len(entry.result.words.of(index))),),
    )
    sent = Edits(segments=tuple(edited if place == index else place for place in range(len(segments))))
    return queue.edit(entry_id, sent, seen=entry.version).result.edits


def test_an_edit_is_what_is_exported_and_can_be_put_back(queue: RecordingQueue, two_words: Path) -> None:
    entry = queue.add(two_words, "a.wav")
    queue.submit(TranscribeOptions())
    finish(queue, two_words)
    recognized = queue.find(entry.id).result.transcript
    said(queue, entry.id, 1, "  one\nline <b> ")
    edited = queue.find(entry.id).result.edited()
    assert [segment.text for segment in edited.segments] == [recognized.segments[0].text, "one line <b>"]
    assert edited.segments[1].tokens == ()
    assert edited.segments[0] == recognized.segments[0]
    now = queue.edit(entry.id, Edits(segments=(0, 1)), seen=queue.find(entry.id).version)
    assert (now.result.edits, now.result.edit_count) == (None, 2)
    assert now.result.edited() == recognized
    assert queue.edit("nobody", Edits(segments=()), seen="0-0") is None
    with pytest.raises(ValueError, match="below 2"):
        queue.edit(entry.id, Edits(segments=(2,)), seen=now.version)


def test_an_edit_made_on_another_version_is_not_taken_whether_it_fits_or_not(queue: RecordingQueue, two_words: Path) -> None:
    entry = queue.add(two_words, "a.wav")
    queue.submit(TranscribeOptions())
    finish(queue, two_words)
    seen = queue.find(entry.id).version
    kept = said(queue, entry.id, 0, "first")
    for late in (Edits(segments=(0,)), Edits(segments=(99,))):
        with pytest.raises(OldEditError):
            queue.edit(entry.id, late, seen=seen)
    assert queue.find(entry.id).result.edits == kept


def test_the_revision_rises_with_states_but_not_with_progress_or_edits(queue: RecordingQueue, two_words: Path) -> None:
    entry = queue.add(two_words, "a.wav")
    queue.submit(TranscribeOptions())
    running = queue.begin()
    queue.report(entry.id, 0.5, "asr")
    assert queue.find(entry.id).revision == running.revision
    queue.finish(entry.id, result_of(two_words))
    done = queue.find(entry.id)
    assert done.revision > running.revision > entry.revision
    said(queue, entry.id, 0, "words")
    assert queue.find(entry.id).revision == done.revision
    assert queue.find(entry.id).version != done.version


def test_segments_of_a_running_recording_are_kept_until_the_result_holds_them(queue: RecordingQueue, two_words: Path) -> None:
    segments = result_of(two_words).transcript.segments
    entry = queue.add(two_words, "a.wav")
    queue.submit(TranscribeOptions())
    queue.add_segment(entry.id, segments[0])  # it does not run yet
    assert queue.find(entry.id).recognized == ()
    running = queue.begin()
    for segment in segments:
        queue.add_segment(entry.id, segment)
    assert queue.find(entry.id).recognized == segments
    assert queue.find(entry.id).revision == running.revision
    queue.cancel(entry.id)
    assert queue.find(entry.id).recognized == segments
    queue.retry(entry.id)
    assert queue.find(entry.id).recognized == ()
    queue.begin()
    queue.add_segment(entry.id, segments[0])
    queue.finish(entry.id, result_of(two_words))
    assert queue.find(entry.id).recognized == ()


def test_the_first_finished_is_shown_where_nothing_better_is(queue: RecordingQueue, two_words: Path) -> None:
    bad, good = queue.add(two_words, "bad.wav"), queue.add(two_words, "good.wav")
    queue.submit(TranscribeOptions())
    assert queue.selected.id == bad.id
    queue.fail(queue.begin().id, failure_of(AudioNotFoundError(path="bad.wav")))
    finish(queue, two_words)
    assert queue.selected.id == good.id
    queue.select(bad.id)
    queue.select("nobody")
    assert queue.selected.id == bad.id


def test_removing_takes_the_files_along_and_shows_another(queue: RecordingQueue, two_words: Path) -> None:
    first, second = queue.add(two_words, "a.wav"), queue.add(two_words, "b.wav")
    queue.remove(first.id)
    queue.remove(first.id)
    assert not first.path.exists()
    assert second.path.exists()
    assert queue.selected.id == second.id
    queue.remove(second.id)
    assert queue.selected is None
