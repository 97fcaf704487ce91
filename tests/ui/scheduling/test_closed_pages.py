"""Runs of pages that are gone: they go on where a history takes their transcripts, behind everybody who is there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.options import TranscribeOptions
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.ui.history.kept import ANN, BEN
from tests.ui.scheduling.queues import ONE, THREE, TWO, Clock, idle, states
from tests.waiting import until
from ui.history.history import History
from ui.history.kept_transcript import Keep
from ui.history.options import HistoryOptions
from ui.limits import Limits
from ui.scheduling.queue_runner import KEPT_UNSEEN_S, LEFT_S, STOPPED_UNSEEN_S, QueueRunner
from ui.scheduling.recording_queue import RecordingQueue
from ui.scheduling.run_slots import RunSlots

Submit = Callable[..., RecordingQueue]


@pytest.fixture
def engine() -> FakeEngine:
    engine = FakeEngine()
    engine.hold.clear()
    return engine


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(HistoryOptions(folder=tmp_path / "history"))
    yield history
    history.close()


@pytest.fixture
def slots() -> RunSlots:
    return RunSlots(1, most_waiting=3)


@pytest.fixture
def runner(engine: FakeEngine, clock: Clock, history: History, slots: RunSlots, tmp_path: Path) -> Iterator[QueueRunner]:
    runner = QueueRunner(
        engine, InProcessDecoder(), slots=slots, folder=tmp_path / "queues", limits=Limits(), history=history, clock_s=clock
    )
    yield runner
    engine.hold.set()
    for queue_id in (ONE, TWO, THREE):
        runner.open(queue_id).cancel_all()
    until(lambda: idle(runner))


@pytest.fixture
def submit(runner: QueueRunner, two_words: Path) -> Submit:
    """Put recordings into a page's queue and start them."""

    def submitted(queue_id: str, *names: str, owner: str = ANN, language: str = "auto") -> RecordingQueue:
        queue = runner.open(queue_id)
        runner.belongs_to(queue_id, owner)
        for name in names:
            queue.add(two_words, name)
        runner.submit(queue, TranscribeOptions.parse({"language": language}))
        return queue

    return submitted


def gone(runner: QueueRunner, clock: Clock, queue_id: str) -> None:
    """The page is closed, and does not come back."""
    runner.leave(queue_id)
    clock.now_s += LEFT_S + 1
    runner.stop_unseen()


def kept(history: History, owner: str = ANN) -> list[str]:
    return sorted(one.name for one in history.store.page(owner))


def test_what_was_taken_is_transcribed_and_comes_into_the_history(
    runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock, history: History
) -> None:
    queue = submit(ONE, "a.wav", "b.wav")
    until(lambda: len(engine.calls) == 1)
    gone(runner, clock, ONE)
    assert [entry.name for entry in runner.going_on(ANN)] == ["a.wav", "b.wav"]
    assert runner.going_on(BEN) == ()
    engine.hold.set()
    until(lambda: not queue.active)
    until(lambda: kept(history) == ["a.wav", "b.wav"])
    assert kept(history, BEN) == []
    assert runner.going_on(ANN) == ()


@pytest.mark.parametrize("why", ["nothing is kept", "nobody is known"])
def test_what_would_come_into_no_history_is_cancelled(
    runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock, history: History, two_words: Path, why: str
) -> None:
    history.store.choose(ANN, Keep.NOTHING)
    queue = submit(ONE, "a.wav")
    if why == "nobody is known":
        queue = runner.open(TWO)
        queue.add(two_words, "a.wav")
        runner.submit(queue, TranscribeOptions())
    gone(runner, clock, queue.id)
    until(lambda: not queue.active)
    assert states(queue) == ["cancelled"]


def test_what_a_person_cancels_or_removes_does_not_go_on(
    runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock, history: History
) -> None:
    queue = submit(ONE, "a.wav", "b.wav", "c.wav")
    until(lambda: len(engine.calls) == 1)
    first, second, _ = queue.entries()
    queue.cancel(first.id)
    queue.remove(second.id)
    gone(runner, clock, ONE)
    other = submit(TWO, "d.wav")
    gone(runner, clock, TWO)
    runner.cancel_going_on(BEN)  # nothing of hers
    engine.hold.set()
    until(lambda: kept(history) == ["c.wav", "d.wav"])
    assert states(other) == ["done"]


def test_all_that_goes_on_can_be_cancelled_by_its_owner(
    runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock, history: History
) -> None:
    queue = submit(ONE, "a.wav", "b.wav")
    gone(runner, clock, ONE)
    runner.cancel_going_on(ANN)
    until(lambda: idle(runner))
    assert states(queue) == ["cancelled", "cancelled"]
    assert kept(history) == []


def test_pages_that_are_gone_are_one_caller_and_who_is_back_is_one_of_the_others(
    runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock, slots: RunSlots
) -> None:
    holder = slots.ask("holder")
    for number, queue_id in enumerate((ONE, TWO)):
        submit(queue_id, f"{number}.wav", language=("en", "ko")[number])
    gone(runner, clock, ONE)
    gone(runner, clock, TWO)
    clock.now_s += 1
    submit(THREE, "there.wav", language="ja")
    assert sorted(len(tickets) for tickets in slots._queue.values()) == [1, 2]
    engine.hold.set()
    slots.leave(holder)
    until(lambda: len(engine.calls) == 3)
    assert [call.language for call in engine.calls] == ["en", "ja", "ko"]  # not the second one that is gone before who is there
    until(lambda: idle(runner))
    back = submit(ONE, "again.wav")
    until(lambda: states(back) == ["done", "done"])


def test_gone_pages_make_room_in_a_full_line_and_wait_again(
    runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock, slots: RunSlots, history: History
) -> None:
    holder = slots.ask("holder")
    for number, queue_id in enumerate((ONE, TWO, THREE)):
        submit(queue_id, f"{number}.wav")
        gone(runner, clock, queue_id)
    assert slots.waiting() == 3
    late = slots.ask("late")  # the line is full, and the greediest caller gives a place up
    assert not late.done()
    engine.hold.set()
    for ticket in (holder, late):
        slots.leave(ticket)
    until(lambda: kept(history) == ["0.wav", "1.wav", "2.wav"])


def test_it_does_not_go_on_for_ever(runner: QueueRunner, submit: Submit, engine: FakeEngine, clock: Clock) -> None:
    queue = submit(ONE, "a.wav")
    until(lambda: len(engine.calls) == 1)
    clock.now_s += STOPPED_UNSEEN_S + 1
    runner.stop_unseen()
    assert states(queue) == ["running"]
    clock.now_s += KEPT_UNSEEN_S
    until(lambda: not queue.active)
    assert states(queue) == ["cancelled"]
