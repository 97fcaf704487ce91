"""The threads behind the queues: in turn, one at a time a page, stopped for pages that are gone, never stopped by one bad file."""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import soundfile

from engine.errors import UnknownPrecisionError
from engine.options import VAD_OFF, TranscribeOptions
from engine.speech.endpointing import VadOptions
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.ui.scheduling.queues import ONE, THREE, TWO, Clock, idle, states
from tests.waiting import until
from ui.limits import Limits
from ui.scheduling.queue_runner import KEPT_UNSEEN_S, LEFT_S, STOPPED_UNSEEN_S, QueueRunner
from ui.scheduling.recording_queue import EntryState, RecordingQueue
from ui.scheduling.run_slots import LineFullError, RunSlots, StoppingError, Ticket
from ui.text.texts import Texts


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runner(engine: FakeEngine, clock: Clock, tmp_path: Path) -> Iterator[QueueRunner]:
    runner = QueueRunner(
        engine, InProcessDecoder(), slots=RunSlots(2), folder=tmp_path / "queues", limits=Limits(duration_s=60.0), clock_s=clock
    )
    yield runner
    engine.hold.set()
    for queue_id in (ONE, TWO, THREE):
        runner.open(queue_id).cancel_all()
    until(lambda: idle(runner))


def test_a_hundred_recordings_are_all_transcribed(runner: QueueRunner, two_words: Path) -> None:
    queue = runner.open(ONE)
    for number in range(100):
        queue.add(two_words, f"{number}.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: not queue.active)
    assert states(queue) == ["done"] * 100
    assert [entry.result.transcript.file for entry in queue.entries()] == [f"{number}.wav" for number in range(100)]
    until(lambda: idle(runner))  # no thread stays behind


def test_a_page_has_as_many_runs_as_the_limits_say_and_leaves_the_rest_to_others(
    engine: FakeEngine, two_words: Path, tmp_path: Path
) -> None:
    slots = RunSlots(3)
    runner = QueueRunner(engine, InProcessDecoder(), slots=slots, folder=tmp_path / "queues", limits=Limits(runs_a_page=2))
    engine.hold.clear()
    queue, other = runner.open(ONE), runner.open(TWO)
    for number in range(5):
        queue.add(two_words, f"{number}.wav")
    other.add(two_words, "other.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: states(queue) == ["running"] * 2 + ["waiting"] * 3)
    runner.wake()
    assert (slots.running(), slots.waiting()) == (2, 0)
    runner.submit(other, TranscribeOptions())
    until(lambda: states(other) == ["running"])
    for entry in queue.entries()[3:]:
        queue.cancel(entry.id)
    runner.wake()
    engine.hold.set()
    until(lambda: not queue.active and not other.active and idle(runner))
    assert states(queue) == ["done"] * 3 + ["cancelled"] * 2
    assert (slots.running(), slots.waiting()) == (0, 0)


def test_a_machine_without_a_thread_to_spare_fails_what_waits_and_keeps_no_place(
    runner: QueueRunner, two_words: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    queue = runner.open(ONE)
    for number in range(3):
        queue.add(two_words, f"{number}.wav")
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        runner.submit(queue, TranscribeOptions())
    assert states(queue) == ["failed"] * 3
    assert runner._slots.running() == 0
    for entry in queue.entries():
        queue.retry(entry.id)
    runner.wake()
    until(lambda: states(queue) == ["done"] * 3)


def test_the_options_reach_the_engine(runner: QueueRunner, engine: FakeEngine, two_words: Path) -> None:
    queue = runner.open(ONE)
    queue.add(two_words, "a.wav")
    options = TranscribeOptions(
        language="ja", itn=False, ban_emo_unknown=True, vad_precision=VAD_OFF, vad=VadOptions(max_end_silence_ms=500, max_segment_ms=10_000)
    )
    runner.submit(queue, options)
    until(lambda: not queue.active)
    assert engine.calls == [options]


def test_a_bad_file_says_why_and_the_next_one_runs(runner: QueueRunner, two_words: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.wav"
    bad.write_bytes(b"no audio")
    queue = runner.open(ONE)
    queue.add(bad, "bad.wav")
    queue.add(two_words, "good.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: not queue.active)
    assert states(queue) == ["failed", "done"]
    title, message = queue.entries()[0].failure.words(Texts("en"))
    assert title == "This file cannot be read as audio"
    assert "cannot read bad.wav" in message
    assert "convert it" in message


def test_a_file_deleted_while_it_waits_says_so_without_a_path(runner: QueueRunner, two_words: Path) -> None:
    queue = runner.open(ONE)
    entry = queue.add(two_words, "a.wav")
    shutil.rmtree(entry.path.parent.parent)
    runner.submit(queue, TranscribeOptions())
    until(lambda: not queue.active)
    title, message = queue.entries()[0].failure.words(Texts("en"))
    assert title == "The recording is gone"
    assert "deleted" in message
    assert "Add it again" in message
    assert str(entry.path.parent) not in message


def test_a_folder_deleted_while_it_runs_costs_the_sound_but_not_the_words(runner: QueueRunner, engine: FakeEngine, two_words: Path) -> None:
    engine.hold.clear()
    queue = runner.open(ONE)
    entry = queue.add(two_words, "a.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: bool(engine.calls))
    shutil.rmtree(entry.path.parent.parent)
    engine.hold.set()
    until(lambda: not queue.active)
    (after,) = queue.entries()
    assert after.state is EntryState.DONE
    assert after.result.playback is None
    assert after.result.transcript.segments


def test_the_unexpected_gets_a_number_that_the_log_knows(
    runner: QueueRunner, engine: FakeEngine, two_words: Path, caplog: pytest.LogCaptureFixture
) -> None:
    engine.error = ZeroDivisionError("secret detail")
    queue = runner.open(ONE)
    queue.add(two_words, "a.wav")
    with caplog.at_level(logging.ERROR):
        runner.submit(queue, TranscribeOptions())
        until(lambda: not queue.active)
    _, message = queue.entries()[0].failure.words(Texts("en"))
    assert queue.entries()[0].failure.message in message
    assert "secret" not in message
    assert queue.entries()[0].failure.message in caplog.text
    assert "ZeroDivisionError" in caplog.text


def test_a_cancelled_run_frees_the_engine_for_the_next(runner: QueueRunner, engine: FakeEngine, two_words: Path) -> None:
    engine.hold.clear()
    queue = runner.open(ONE)
    first = queue.add(two_words, "a.wav")
    queue.add(two_words, "b.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: len(engine.calls) == 1)
    queue.cancel(first.id)
    until(lambda: len(engine.calls) == 2)  # the engine was still held: the first run left it by itself
    engine.hold.set()
    until(lambda: not queue.active)
    assert states(queue) == ["cancelled", "done"]


def test_pages_run_one_after_the_other_and_each_has_one_run_at_a_time(runner: QueueRunner, engine: FakeEngine, two_words: Path) -> None:
    engine.hold.clear()
    many, late = runner.open(ONE), runner.open(TWO)
    for number in range(10):
        many.add(two_words, f"{number}.wav")
    runner.submit(many, TranscribeOptions(language="en"))
    until(lambda: len(engine.calls) == 1)
    late.add(two_words, "late.wav")
    runner.submit(late, TranscribeOptions(language="ko"))
    until(lambda: len(engine.calls) == 2)
    assert [call.language for call in engine.calls] == ["en", "ko"]
    assert runner.length() == 11
    engine.hold.set()
    until(lambda: not many.active and not late.active)


def test_runs_of_a_page_that_is_gone_are_cancelled(runner: QueueRunner, engine: FakeEngine, clock: Clock, two_words: Path) -> None:
    engine.hold.clear()
    queue = runner.open(ONE)
    for name in ("a.wav", "b.wav"):
        queue.add(two_words, name)
    runner.submit(queue, TranscribeOptions())
    until(lambda: len(engine.calls) == 1)
    clock.now_s += STOPPED_UNSEEN_S + 1
    until(lambda: not queue.active)  # nobody asks anything, and the engine is held: the run itself notices
    assert states(queue) == ["cancelled", "cancelled"]
    until(lambda: idle(runner))


def test_a_page_that_reloads_finds_its_queue_and_its_run(runner: QueueRunner, engine: FakeEngine, clock: Clock, two_words: Path) -> None:
    engine.hold.clear()
    queue = runner.open(ONE)
    queue.add(two_words, "a.wav")
    runner.submit(queue, TranscribeOptions())
    for _ in range(5):
        clock.now_s += STOPPED_UNSEEN_S - 1
        assert runner.find(ONE) is queue
    engine.hold.set()
    until(lambda: not queue.active)
    assert states(queue) == ["done"]


def test_results_are_kept_for_hours_and_then_their_files_go(runner: QueueRunner, clock: Clock, two_words: Path, tmp_path: Path) -> None:
    queue = runner.open(ONE)
    entry = queue.add(two_words, "a.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: idle(runner))
    clock.now_s += KEPT_UNSEEN_S - 1
    assert runner.find(TWO) is None
    assert entry.path.exists()
    assert runner.find(ONE) is queue
    clock.now_s += KEPT_UNSEEN_S + 1
    assert runner.find(TWO) is None
    assert runner.find(ONE) is None
    assert not (tmp_path / "queues" / ONE).exists()


@pytest.mark.parametrize("name", ["precision", "vad_precision"])
def test_a_precision_that_is_not_on_offer_is_refused_at_once(runner: QueueRunner, two_words: Path, name: str) -> None:
    queue = runner.open(ONE)
    queue.add(two_words, "a.wav")
    with pytest.raises(UnknownPrecisionError, match="'int3'"):
        runner.submit(queue, TranscribeOptions(**{name: "int3"}))
    assert states(queue) == ["ready"]


def test_a_page_refused_by_a_full_queue_gets_the_reason_and_keeps_its_recordings(
    engine: FakeEngine, two_words: Path, tmp_path: Path
) -> None:
    slots = RunSlots(1, most_waiting=1)
    runner = QueueRunner(engine, InProcessDecoder(), slots=slots, folder=tmp_path, limits=Limits())
    holder, waiting = slots.ask("holder"), slots.ask("waiting")
    queue = runner.open(ONE)
    queue.add(two_words, "a.wav")
    with pytest.raises(LineFullError, match=r"1 wait .*try again in about \d+ s"):
        runner.submit(queue, TranscribeOptions())
    assert states(queue) == ["ready"]
    slots.leave(waiting)
    runner.submit(queue, TranscribeOptions())
    slots.leave(holder)
    until(lambda: states(queue) == ["done"])


def test_more_recordings_than_may_wait_are_refused_together(engine: FakeEngine, two_words: Path, tmp_path: Path) -> None:
    runner = QueueRunner(engine, InProcessDecoder(), slots=RunSlots(1), folder=tmp_path, limits=Limits(waiting_recordings=2))
    queue = runner.open(ONE)
    for number in range(3):
        queue.add(two_words, f"{number}.wav")
    with pytest.raises(LineFullError):
        runner.submit(queue, TranscribeOptions())
    assert states(queue) == ["ready"] * 3


def waiting_behind_another(engine: FakeEngine, recording: Path, folder: Path) -> tuple[RunSlots, Ticket, QueueRunner, RecordingQueue]:
    """A queue whose recording waits for the one slot, and the ticket of whoever holds it."""
    slots = RunSlots(1)
    runner = QueueRunner(engine, InProcessDecoder(), slots=slots, folder=folder, limits=Limits())
    holder = slots.ask("holder")
    queue = runner.open(ONE)
    queue.add(recording, "a.wav")
    runner.submit(queue, TranscribeOptions())
    return slots, holder, runner, queue


def test_who_cancels_while_waiting_is_out_of_the_line_at_once(engine: FakeEngine, two_words: Path, tmp_path: Path) -> None:
    slots, holder, runner, queue = waiting_behind_another(engine, two_words, tmp_path)
    assert slots.waiting() == 1
    queue.cancel_all()
    runner.wake()
    assert slots.waiting() == 0
    slots.leave(holder)


def test_a_page_that_leaves_is_no_longer_worked_for_unless_it_comes_back(
    runner: QueueRunner, engine: FakeEngine, clock: Clock, two_words: Path
) -> None:
    engine.hold.clear()
    gone, reloaded = runner.open(ONE), runner.open(TWO)
    for queue in (gone, reloaded):
        queue.add(two_words, "a.wav")
        runner.submit(queue, TranscribeOptions())
    until(lambda: len(engine.calls) == 2)
    for queue_id in (ONE, TWO):
        runner.leave(queue_id)
    assert runner.find(TWO) is reloaded
    clock.now_s += LEFT_S + 1
    until(lambda: not gone.active)  # the run itself notices, long before the page would count as unseen
    assert states(gone) == ["cancelled"]
    assert states(reloaded) == ["running"]
    engine.hold.set()
    until(lambda: states(reloaded) == ["done"])


def test_a_server_that_stops_ends_what_waits(engine: FakeEngine, two_words: Path, tmp_path: Path) -> None:
    slots, holder, runner, queue = waiting_behind_another(engine, two_words, tmp_path)
    slots.close()
    until(lambda: not queue.active)
    assert states(queue) == ["cancelled"]
    with pytest.raises(StoppingError):
        runner.submit(queue, TranscribeOptions())
    slots.leave(holder)


@pytest.mark.parametrize("queue_id", ["", "1" * 31, "../" + "1" * 29, "g" * 32, "1" * 33, "1" * 32 + "\n"])
def test_an_id_that_no_page_makes_opens_nothing(runner: QueueRunner, queue_id: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="32 hexadecimal digits"):
        runner.open(queue_id)
    assert runner.find(queue_id) is None


def test_the_playback_has_the_recordings_own_times(runner: QueueRunner, two_words: Path) -> None:
    queue = runner.open(ONE)
    queue.add(two_words, "a.wav")
    runner.submit(queue, TranscribeOptions())
    until(lambda: not queue.active)
    result = queue.entries()[0].result
    sound = soundfile.info(result.playback)
    assert (sound.format, sound.samplerate, sound.channels) == ("FLAC", 16_000, 1)
    assert sound.duration == pytest.approx(result.transcript.duration_s)
