"""Work that runs in threads of its own, each piece in a slot of the processor; one group of it is one caller among the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from engine.runtime.core_slots import CoreSlots

Value = TypeVar("Value")
#: More than any machine has slots: a thread is made only where every other one is busy.
_MOST_THREADS = 1024


class SlotWorkers:
    """The threads that work in an engine's slots: no more of them than slots were ever held at the same time."""

    def __init__(self, slots: CoreSlots) -> None:
        self.slots = slots
        self._threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="lightvoice-run")

    def tasks(self) -> SlotTasks:
        """A new caller's tasks."""
        return SlotTasks(self.slots, self._threads)


class SlotTasks:
    """One caller's tasks, begun in the order in which they came; for one thread, which starts and cancels them."""

    def __init__(self, slots: CoreSlots, threads: ThreadPoolExecutor) -> None:
        self._slots, self._threads = slots, threads
        self._open: list[Future[Any]] = []
        #: How many of its slots are held, by tasks that run and by those that are about to.
        self._holding = 0
        self._left = threading.Condition()

    @property
    def side_by_side(self) -> int:
        """How many tasks run at the same time, at most."""
        return self._slots.count

    def start(self, work: Callable[[], Value]) -> Future[Value]:
        """Have ``work`` done as soon as the caller's turn comes; what it returns or raises is the future's."""
        future: Future[Value] = Future()
        self._open = [one for one in self._open if not one.done()] + [future]
        self._slots.ask(self, partial(self._begin, future, work))
        return future

    def cancel(self) -> None:
        """Begin nothing more, and wait for what has begun: afterwards none of the tasks runs."""
        self._slots.withdraw_all(self)
        for future in self._open:
            future.cancel()
        with self._left:
            self._left.wait_for(lambda: not self._holding)

    def _begin(self, future: Future[Value], work: Callable[[], Value], number: int) -> None:
        """A slot is granted: hand it to a thread. Where the system has none the task has failed, and the slot is free for others."""
        once = threading.Lock()
        with self._left:
            self._holding += 1
        try:
            self._threads.submit(self._run, once, future, work, number)
        except RuntimeError as error:
            # The task stays in the threads' queue, where one of them may come upon it later.
            if once.acquire(blocking=False):
                self._leave(number)
                if future.set_running_or_notify_cancel():
                    future.set_exception(error)

    def _run(self, once: threading.Lock, future: Future[Value], work: Callable[[], Value], number: int) -> None:
        if not once.acquire(blocking=False):
            return
        if not future.set_running_or_notify_cancel():
            self._leave(number)
            return
        try:
            with self._slots.taken(number):
                value = work()
        except BaseException as error:  # noqa: BLE001 - whatever it is, whoever waits for the future gets it
            self._leave(number)
            future.set_exception(error)
        else:
            self._leave(number)
            future.set_result(value)

    def _leave(self, number: int) -> None:
        self._slots.leave(number)
        with self._left:
            self._holding -= 1
            self._left.notify_all()
