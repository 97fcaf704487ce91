"""Tasks in slots: as many side by side as there are slots, in order, to their end or not at all."""

from __future__ import annotations

import threading
from concurrent.futures import CancelledError

import pytest

from engine.runtime.core_slots import CoreSlots
from engine.runtime.slot_tasks import SlotWorkers
from tests.waiting import WAIT_S, until


@pytest.mark.parametrize("count", [1, 2, 5])
def test_as_many_run_side_by_side_as_there_are_slots(count: int) -> None:
    workers = SlotWorkers(CoreSlots(count))
    tasks, together = workers.tasks(), threading.Barrier(count)
    inside, most, lock = 0, 0, threading.Lock()

    def work(number: int) -> int:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        together.wait(WAIT_S)  # passed only where so many are here at the same time
        with lock:
            inside -= 1
        return number

    futures = [tasks.start(lambda number=number: work(number)) for number in range(3 * count)]
    assert [future.result(WAIT_S) for future in futures] == list(range(3 * count))
    assert most == count
    assert tasks.side_by_side == count
    until(lambda: workers.slots.running() == 0)


def test_tasks_of_one_caller_begin_in_their_order() -> None:
    tasks, order = SlotWorkers(CoreSlots()).tasks(), list[int]()
    futures = [tasks.start(lambda number=number: order.append(number)) for number in range(20)]
    for future in futures:
        future.result(WAIT_S)
    assert order == list(range(20))


def test_a_task_that_fails_leaves_its_slot_and_the_others_alone() -> None:
    tasks = SlotWorkers(CoreSlots()).tasks()

    def fail() -> None:
        raise ValueError("broken")

    before, broken, after = tasks.start(lambda: 1), tasks.start(fail), tasks.start(lambda: 2)
    assert (before.result(WAIT_S), after.result(WAIT_S)) == (1, 2)
    with pytest.raises(ValueError, match="broken"):
        broken.result(WAIT_S)


def test_cancelling_begins_nothing_more_and_waits_for_what_has_begun() -> None:
    workers = SlotWorkers(CoreSlots(2))
    tasks, others = workers.tasks(), workers.tasks()
    begun, go_on, ran = threading.Barrier(3), threading.Event(), list[int]()

    def work(number: int) -> int:
        ran.append(number)
        begun.wait(WAIT_S)
        assert go_on.wait(WAIT_S)
        return number

    futures = [tasks.start(lambda number=number: work(number)) for number in range(6)]
    other = others.start(lambda: "other")
    begun.wait(WAIT_S)
    cancelling = threading.Thread(target=tasks.cancel, daemon=True)
    cancelling.start()
    until(futures[5].cancelled)
    assert cancelling.is_alive()
    go_on.set()
    cancelling.join(WAIT_S)
    assert not cancelling.is_alive()
    assert sorted(ran) == [0, 1]
    assert [futures[number].result(WAIT_S) for number in (0, 1)] == [0, 1]
    with pytest.raises(CancelledError):
        futures[2].result(WAIT_S)
    assert other.result(WAIT_S) == "other"
    until(lambda: workers.slots.running() == 0)


def test_without_a_thread_to_give_a_task_fails_and_the_slot_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = SlotWorkers(CoreSlots())
    with monkeypatch.context() as patched:

        def refuse(_: threading.Thread) -> None:
            raise RuntimeError("can't start new thread")

        patched.setattr(threading.Thread, "start", refuse)
        failed = workers.tasks().start(lambda: 1)
        with pytest.raises(RuntimeError, match="new thread"):
            failed.result(WAIT_S)
    assert workers.slots.running() == 0
    assert workers.tasks().start(lambda: 2).result(WAIT_S) == 2
    with pytest.raises(RuntimeError, match="new thread"):
        failed.result(WAIT_S)  # the thread that came upon it later has left it alone
    until(lambda: workers.slots.running() == 0)


def test_a_task_that_asks_for_a_slot_within_its_own_gets_its_own() -> None:
    slots = CoreSlots()

    def work() -> int:
        with slots.held() as number:
            return number

    assert SlotWorkers(slots).tasks().start(work).result(WAIT_S) == 0


def test_two_callers_take_turns() -> None:
    workers, order = SlotWorkers(CoreSlots()), list[str]()
    first, go_on = workers.tasks(), threading.Event()
    held = first.start(lambda: go_on.wait(WAIT_S))
    long, short = workers.tasks(), workers.tasks()
    futures = [long.start(lambda: order.append("long")) for _ in range(4)] + [short.start(lambda: order.append("short")) for _ in range(2)]
    go_on.set()
    for future in (held, *futures):
        future.result(WAIT_S)
    assert order == ["long", "short", "long", "short", "long", "long"]
