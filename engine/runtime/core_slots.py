"""Slots of the processor: so many graph runs side by side, granted to the callers in turn.

A graph run of one thread spends a third less processor time than one of two, for its threads need not wait for each other; so does
every core work on a run of its own where so many wait. A slot is held for one graph run: a short clip does not wait for a long file,
and a caller with many segments gets its second slot after every other caller had a first.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True, eq=False)
class Ask:
    """A slot that was asked for; ``granted`` gets its number, in the thread that asks or in one that leaves a slot."""

    caller: Hashable
    granted: Callable[[int], None]


class CoreSlots:
    """Grants ``count`` slots, the free one of the lowest number first; thread-safe.

    Slot 0 is that of a run which is alone, or the first of several: it computes on every thread of its session that is idle.
    """

    def __init__(self, count: int = 1) -> None:
        self._count = count
        self._lock = threading.Lock()
        self._held: set[int] = set()
        #: Callers that wait, the next one first, each with what it asked for, the oldest first.
        self._queue: OrderedDict[Hashable, deque[Ask]] = OrderedDict()
        self._granting = False
        self._mine = threading.local()

    @property
    def count(self) -> int:
        """How many runs there may be side by side."""
        return self._count

    def waiting(self) -> int:
        """How many slots are asked for and not granted."""
        with self._lock:
            return sum(len(asks) for asks in self._queue.values())

    def running(self) -> int:
        """How many slots are held."""
        with self._lock:
            return len(self._held)

    def resize(self, count: int) -> None:
        """Grant another number from now on; slots that are held stay so to their end."""
        self._count = count
        self._grant()

    def ask(self, caller: Hashable, granted: Callable[[int], None]) -> Ask:
        """Ask for a slot; whoever is granted one must :meth:`leave` it."""
        ask = Ask(caller, granted)
        with self._lock:
            self._queue.setdefault(caller, deque()).append(ask)
        self._grant()
        return ask

    def withdraw(self, ask: Ask) -> bool:
        """Stop waiting; False where the slot has been granted."""
        with self._lock:
            asks = self._queue.get(ask.caller, deque())
            if ask not in asks:
                return False
            asks.remove(ask)
            if not asks:
                del self._queue[ask.caller]
            return True

    def withdraw_all(self, caller: Hashable) -> None:
        """Stop waiting for everything that a caller has asked for and was not granted."""
        with self._lock:
            self._queue.pop(caller, None)

    def leave(self, number: int) -> None:
        """Give a slot back."""
        with self._lock:
            self._held.remove(number)
        self._grant()

    @contextmanager
    def held(self) -> Iterator[int]:
        """Wait for a slot, and hold it for a block: its number. A thread that holds one already keeps it for the block."""
        mine: int | None = getattr(self._mine, "number", None)
        if mine is not None:
            yield mine
            return
        number = self._waited()
        try:
            with self.taken(number):
                yield number
        finally:
            self.leave(number)

    @contextmanager
    def taken(self, number: int) -> Iterator[None]:
        """The slot is this thread's for a block, which ends before it is left."""
        self._mine.number = number
        try:
            yield
        finally:
            self._mine.number = None

    def _waited(self) -> int:
        waiter = _Waiter(self.leave)
        ask = self.ask(waiter, waiter.take)
        try:
            waiter.granted.wait()
        except BaseException:  # interrupted while waiting: the slot must not be lost with the thread
            if not self.withdraw(ask):
                waiter.abandon()
            raise
        return waiter.numbers[0]

    def _grant(self) -> None:
        """Grant what can be. Who grants already goes on until nothing is left: a slot that is given back begins no grant within a grant."""
        with self._lock:
            if self._granting:
                return
            self._granting = True
        try:
            while (granted := self._next()) is not None:
                ask, number = granted
                ask.granted(number)  # outside the lock: what is granted may run at once
        except BaseException:
            with self._lock:
                self._granting = False
            raise

    def _next(self) -> tuple[Ask, int] | None:
        """The next ask with its slot, which is held from now on; None ends the granting."""
        with self._lock:
            if not self._queue or len(self._held) >= self._count:
                self._granting = False
                return None
            caller, asks = self._queue.popitem(last=False)
            ask = asks.popleft()
            if asks:
                self._queue[caller] = asks  # at the end: every other caller first
            number = next(one for one in range(len(self._held) + 1) if one not in self._held)
            self._held.add(number)
            return ask, number


class _Waiter:
    """A thread that waits for its slot; a slot that comes after it has gone is left at once."""

    def __init__(self, leave: Callable[[int], None]) -> None:
        self.granted = threading.Event()
        self.numbers: list[int] = []
        self._leave, self._lock, self._gone = leave, threading.Lock(), False

    def take(self, number: int) -> None:
        with self._lock:
            gone = self._gone
            self.numbers.append(number)
        if gone:
            self._leave(number)
        self.granted.set()

    def abandon(self) -> None:
        with self._lock:
            self._gone = True
            came = list(self.numbers)
        for number in came:
            self._leave(number)
