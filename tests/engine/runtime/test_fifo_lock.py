"""The FIFO lock: so many threads at once, in the order of asking, and none is forgotten."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.runtime.fifo_lock import FifoLock
from engine.runtime.session import Session
from engine.runtime.session_pool import SessionPool, open_session
from tests.waiting import WAIT_S, until


class Callers:
    """Threads that take the lock once each, hold it until they may go on, and note in which order that happened."""

    def __init__(self, lock: FifoLock) -> None:
        self._fifo = lock
        self.entered: list[int] = []
        self._leave = [threading.Event() for _ in range(10)]
        self._threads: list[threading.Thread] = []

    def call(self, number: int) -> None:
        waiting = len(self._fifo._waiting)
        holding = len(self.entered)
        thread = threading.Thread(target=self._run, args=(number,), daemon=True)
        self._threads.append(thread)
        thread.start()
        until(lambda: len(self._fifo._waiting) > waiting or len(self.entered) > holding)

    def _run(self, number: int) -> None:
        with self._fifo:
            self.entered.append(number)
            assert self._leave[number].wait(WAIT_S)

    def let_go(self, number: int) -> None:
        self._leave[number].set()

    def join(self) -> None:
        for thread in self._threads:
            thread.join(WAIT_S)
            assert not thread.is_alive()


def test_the_lock_is_granted_in_the_order_of_asking() -> None:
    callers = Callers(FifoLock())
    for number in range(5):
        callers.call(number)
    assert callers.entered == [0]
    for number in range(5):
        until(lambda number=number: len(callers.entered) == number + 1)
        callers.let_go(number)
    callers.join()
    assert callers.entered == [0, 1, 2, 3, 4]


def test_so_many_run_at_once() -> None:
    callers = Callers(FifoLock(2))
    for number in range(4):
        callers.call(number)
    assert callers.entered == [0, 1]
    callers.let_go(1)
    until(lambda: callers.entered == [0, 1, 2])
    for number in (0, 2, 3):
        callers.let_go(number)
    callers.join()


def test_the_lock_is_released_after_an_error() -> None:
    lock = FifoLock()
    for _ in range(3):
        with pytest.raises(ValueError, match="broken"), lock:
            raise ValueError("broken")
    with lock:
        pass


@pytest.mark.parametrize("granted_meanwhile", [False, True])
def test_an_interrupted_waiter_leaves_the_lock_to_the_next(monkeypatch: pytest.MonkeyPatch, granted_meanwhile: bool) -> None:
    lock = FifoLock()
    callers = Callers(lock)
    callers.call(0)

    def interrupted(event: threading.Event, timeout: float | None = None) -> bool:
        if granted_meanwhile:
            callers.let_go(0)
            until(event.is_set)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        event = type("Event", (threading.Event,), {})
        patched.setattr("engine.runtime.fifo_lock.threading.Event", event)
        patched.setattr(event, "wait", interrupted)
        with pytest.raises(KeyboardInterrupt), lock:
            pytest.fail("the lock was granted")
    callers.let_go(0)
    callers.join()
    callers.call(1)
    assert callers.entered == [0, 1]
    callers.let_go(1)
    callers.join()


class CountingGraph:
    """Stands in for ONNX Runtime's session: no run ends before each of the callers runs or waits; notes how many runs overlap."""

    def __init__(self, *, callers: int, waiting: Callable[[], int]) -> None:
        self._callers, self._waiting = callers, waiting
        self._lock = threading.Lock()
        self._inside = self.most = 0

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def get_inputs(self) -> list[Any]:
        return []

    get_outputs = get_inputs

    def get_modelmeta(self) -> Any:
        return type("Meta", (), {"custom_metadata_map": {}})()

    def run(self, names: object, feeds: object) -> list[Any]:
        with self._lock:
            self._inside += 1
            self.most = max(self.most, self._inside)
        until(lambda: self._inside + self._waiting() == self._callers)
        with self._lock:
            self._inside -= 1
            self._callers -= 1
        return [np.zeros(1)]


@pytest.mark.parametrize(("lock", "most"), [(FifoLock(), 1), (None, 4)])
def test_sessions_that_share_a_fifo_lock_never_run_at_once(lock: FifoLock | None, most: int) -> None:
    graph = CountingGraph(callers=4, waiting=lambda: len(lock._waiting) if lock else 0)
    sessions = [Session(graph, path=Path("asr.onnx"), model="asr", precision="fp32", mb=1, lock=lock) for _ in range(2)]
    threads = [threading.Thread(target=sessions[number % 2].run, args=(None, {})) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(WAIT_S)
    assert graph.most == most


def test_all_sessions_of_an_engine_share_one_fifo_lock(tiny_bundle: Path) -> None:
    engine = Engine(Bundle.load(tiny_bundle))
    engine.warm_up()
    with engine._slot.current.pool.lease("int8") as int8, engine._slot.current.pool.lease("fp32") as fp32:
        lock = {id(session._lock) for sessions in (int8, fp32) for session in (sessions.asr, sessions.vad)}
        assert len(lock) == 1
        assert isinstance(int8.asr._lock, FifoLock)
    engine.close()


def test_a_pool_of_its_own_has_no_fifo_lock(tiny_bundle: Path) -> None:
    pool = SessionPool(Bundle.load(tiny_bundle), opener=open_session)
    with pool.lease() as sessions:
        assert not isinstance(sessions.asr._lock, FifoLock)
    pool.close()
