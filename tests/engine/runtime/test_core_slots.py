"""The slots of the processor: so many runs at once, in the order of asking and in turns, and none is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session import Session
from engine.runtime.session_pool import SessionPool, open_session
from tests.engine.runtime.graph_double import GraphDouble
from tests.waiting import WAIT_S, until


class Callers:
    """Threads that take a slot once each, hold it until they may go on, and note in which order that happened."""

    def __init__(self, slots: CoreSlots) -> None:
        self._slots = slots
        self.entered: list[int] = []
        self._leave = [threading.Event() for _ in range(10)]
        self._threads: list[threading.Thread] = []

    def call(self, number: int) -> None:
        waiting = self._slots.waiting()
        holding = len(self.entered)
        thread = threading.Thread(target=self._run, args=(number,), daemon=True)
        self._threads.append(thread)
        thread.start()
        until(lambda: self._slots.waiting() > waiting or len(self.entered) > holding)

    def _run(self, number: int) -> None:
        with self._slots.held():
            self.entered.append(number)
            assert self._leave[number].wait(WAIT_S)

    def let_go(self, number: int) -> None:
        self._leave[number].set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()


def test_slots_are_granted_in_the_order_of_asking() -> None:
    callers = Callers(CoreSlots())
    for number in range(5):
        callers.call(number)
    assert callers.entered == [0]
    for number in range(5):
        until(lambda number=number: len(callers.entered) == number + 1)
        callers.let_go(number)
    callers.join()
    assert callers.entered == [0, 1, 2, 3, 4]


def test_so_many_run_at_once() -> None:
    callers = Callers(CoreSlots(2))
    for number in range(4):
        callers.call(number)
    assert callers.entered == [0, 1]
    callers.let_go(1)
    until(lambda: callers.entered == [0, 1, 2])
    for number in (0, 2, 3):
        callers.let_go(number)
    callers.join()


def test_a_slot_is_left_after_an_error() -> None:
    slots = CoreSlots()
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), slots.held():
            raise ValueError("broken")
    with slots.held() as number:
        assert number == 0
    assert slots.running() == 0


def test_a_thread_that_holds_a_slot_keeps_it_for_what_runs_within() -> None:
    slots = CoreSlots()
    with slots.held() as outer, slots.held() as inner:
        assert (outer, inner, slots.running()) == (0, 0, 1)
    assert slots.running() == 0


def test_the_free_slot_of_the_lowest_number_is_granted_first() -> None:
    slots, numbers = CoreSlots(3), []
    for _ in range(3):
        slots.ask(object(), numbers.append)
    slots.leave(1)
    slots.ask(object(), numbers.append)
    slots.leave(0)
    slots.ask(object(), numbers.append)
    assert numbers == [0, 1, 2, 1, 0]


def test_who_asks_for_many_gets_the_second_after_every_other_caller_had_a_first() -> None:
    slots, order = CoreSlots(), list[str]()
    slots.ask("begins", lambda _: order.append("begins"))
    for name in ("long", "long", "long", "short", "long", "other"):
        slots.ask(name, lambda _, name=name: order.append(name))
    for _ in range(7):
        slots.leave(0)
    assert order == ["begins", "long", "short", "other", "long", "long", "long"]


@pytest.mark.parametrize("callers", [64, 1000])
def test_many_callers_with_many_runs_each_take_turns(callers: int) -> None:
    slots, order, held = CoreSlots(2), list[int](), list[int]()
    for _ in range(2):
        slots.ask("before them", held.append)

    def note(number: int, slot: int) -> None:
        order.append(number)
        held.append(slot)

    for number in range(callers):
        for _ in range(3):
            slots.ask(number, partial(note, number))
    while held:
        slots.leave(held.pop())
    assert order == 3 * list(range(callers))
    assert slots.running() == slots.waiting() == 0


def test_thousands_that_give_their_slot_back_at_once_are_granted_one_after_another() -> None:
    slots, order = CoreSlots(), list[int]()

    def give_back(number: int, slot: int) -> None:
        order.append(number)
        slots.leave(slot)

    slots.ask("first", order.append)
    for number in range(5_000):
        slots.ask(number % 7, partial(give_back, number))
    slots.leave(0)
    assert sorted(order[1:]) == list(range(5_000))
    assert slots.running() == slots.waiting() == 0


def test_what_is_withdrawn_is_not_granted() -> None:
    slots, order = CoreSlots(), list[str]()
    slots.ask("first", lambda _: order.append("first"))
    asks = [slots.ask(name, lambda _, name=name: order.append(name)) for name in ("a", "b", "b", "c")]
    assert slots.withdraw(asks[0])
    assert not slots.withdraw(asks[0])
    slots.withdraw_all("b")
    slots.withdraw_all("nobody")
    assert slots.waiting() == 1
    slots.leave(0)
    assert not slots.withdraw(asks[3])
    assert order == ["first", "c"]


def test_more_slots_are_granted_at_once_and_fewer_as_they_are_left() -> None:
    slots, numbers = CoreSlots(1), list[int]()
    for _ in range(6):
        slots.ask(object(), numbers.append)
    assert numbers == [0]
    slots.resize(3)
    assert numbers == [0, 1, 2]
    slots.resize(1)
    slots.leave(0)
    slots.leave(2)
    assert len(numbers) == 3
    slots.leave(1)
    assert numbers == [0, 1, 2, 0]
    slots.leave(0)
    assert numbers == [0, 1, 2, 0, 0]


@pytest.mark.parametrize("granted_meanwhile", [False, True])
def test_an_interrupted_waiter_leaves_the_slot_to_the_next(monkeypatch: pytest.MonkeyPatch, granted_meanwhile: bool) -> None:
    slots = CoreSlots()
    callers = Callers(slots)
    callers.call(0)

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        if granted_meanwhile:
            callers.let_go(0)
            until(event.is_set)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        event = type("Event", (threading.Event,), {})
        patched.setattr("engine.runtime.core_slots.threading.Event", event)
        patched.setattr(event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt), slots.held():
            pytest.fail("the slot was granted")
    callers.let_go(0)
    callers.join()
    callers.call(1)
    assert callers.entered == [0, 1]
    callers.let_go(1)
    callers.join()


class CountingGraph(GraphDouble):
    """Stands in for ONNX Runtime's session: no run ends before each of the callers runs or waits; notes how many runs overlap."""

    def __init__(self, *, callers: int, waiting: Callable[[], int]) -> None:
        self._callers, self._waiting = callers, waiting
        self._lock = threading.Lock()
        self._inside = self.most = 0

    def run(self, names: object, feeds: object) -> list[Any]:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        until(lambda: self._inside + self._waiting() == self._callers)
        with self._lock:
            self._inside -= 1
            self._callers -= 1
        return [np.zeros(1)]


@pytest.mark.parametrize(("slots", "most"), [(CoreSlots(), 1), (CoreSlots(2), 2), (None, 4)])
def test_sessions_that_share_slots_run_no_more_at_once(slots: CoreSlots | None, most: int) -> None:
    graph = CountingGraph(callers=4, waiting=lambda: slots.waiting() if slots else 0)
    sessions = [Session(graph, path=Path("asr.onnx"), model="asr", precision="fp32", mb=1, slots=slots) for _ in range(2)]
    threads = [threading.Thread(target=sessions[number % 2].run, args=(None, {})) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert graph.most == most


def test_all_sessions_of_an_engine_share_its_slots(tiny_bundle: Path) -> None:
    engine = Engine(Bundle.load(tiny_bundle))
    engine.warm_up()
    with engine._slot.current.pool.lease("int8") as int8, engine._slot.current.pool.lease("fp32") as fp32:
        slots = {id(session._slots) for sessions in (int8, fp32) for session in (sessions.asr, sessions.vad)}
        assert slots == {id(engine._cores.slots)}
    engine.close()


def test_a_pool_of_its_own_has_no_slots(tiny_bundle: Path) -> None:
    pool = SessionPool(Bundle.load(tiny_bundle), opener=open_session)
    with pool.lease() as sessions:
        assert sessions.asr._slots is None
    pool.close()
