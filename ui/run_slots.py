"""Places on the engine: so many runs at a time, whoever asks, first come first served; the others wait for a place."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

#: A place that was asked for; done when it is granted. Threads wait with ``result()``, coroutines with ``asyncio.wrap_future``.
Ticket = Future[None]


class RunSlots:
    """Grants ``count`` places; thread-safe."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._lock = threading.Lock()
        self._waiting: deque[Ticket] = deque()
        self._held: set[Ticket] = set()

    def ask(self) -> Ticket:
        """Ask for a place; whoever asks must :meth:`leave`, granted or not."""
        ticket: Ticket = Future()
        ticket.set_running_or_notify_cancel()  # from here on only leave() withdraws it
        with self._lock:
            self._waiting.append(ticket)
        self._grant()
        return ticket

    def leave(self, ticket: Ticket) -> None:
        """Give a place back, or stop waiting for one; once is enough, twice does no harm."""
        with self._lock:
            if ticket in self._held:
                self._held.remove(ticket)
                self._free += 1
            elif ticket in self._waiting:
                self._waiting.remove(ticket)
        self._grant()

    @contextmanager
    def held(self) -> Iterator[None]:
        """Wait for a place and keep it for a block; for threads."""
        ticket = self.ask()
        try:
            ticket.result()
            yield
        finally:
            self.leave(ticket)

    def waiting(self) -> int:
        """How many wait."""
        with self._lock:
            return len(self._waiting)

    def _grant(self) -> None:
        granted = []
        with self._lock:
            while self._free and self._waiting:
                ticket = self._waiting.popleft()
                self._held.add(ticket)
                self._free -= 1
                granted.append(ticket)
        for ticket in granted:  # outside the lock: whoever waits may run code of its own at once
            ticket.set_result(None)
