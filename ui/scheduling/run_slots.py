"""Queue slots: so many runs on the engine at a time; the others wait in a queue that is bounded and fair.

Fair: slots are granted to callers round robin. Who asks for twenty at once gets the second one after every other caller had a
first. Bounded: when the queue is full, a caller gets an error with the expected wait; a caller that waits for many slots makes
room for one that waits for few.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager

from engine.errors import LightVoiceError

#: A slot that was asked for; done when it is granted. Threads wait with ``result()``, coroutines with ``asyncio.wrap_future``.
#: A slot that will not be granted raises LineFullError or StoppingError there.
Ticket = Future[None]
#: What a run is taken to last before any has ended.
FIRST_GUESS_S = 2.0
#: The share of the latest run in the mean.
_LATEST = 0.2


class LineFullError(LightVoiceError):
    """As many wait as are let wait; ``wait_s`` is the time after which it is worth asking again."""

    def __init__(self, *, waiting: int, wait_s: int) -> None:
        super().__init__(f"the server is busy: {waiting} wait for their turn already; try again in about {wait_s} s")
        self.wait_s = wait_s


class StoppingError(LightVoiceError):
    """The server is being stopped: what runs is finished, nothing new is begun."""

    def __init__(self) -> None:
        super().__init__("the server is being stopped; try again when it is back")


class RunSlots:
    """Grants ``count`` slots, and lets ``most_waiting`` wait for one (None: any number); thread-safe."""

    def __init__(self, count: int, *, most_waiting: int | None = None, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._count, self._free, self._most_waiting, self._clock_s = count, count, most_waiting, clock_s
        self._lock = threading.Lock()
        #: Callers that wait, the next one first, with the slots that each asked for, oldest first.
        self._queue: OrderedDict[str, deque[Ticket]] = OrderedDict()
        #: The slots that are taken, and since when.
        self._held: dict[Ticket, float] = {}
        self._mean_s = FIRST_GUESS_S
        self._closed = False

    def ask(self, caller: str = "", *, bounded: bool = True) -> Ticket:
        """Ask for a slot; whoever asks must :meth:`leave`, granted or not.

        ``bounded`` False is for a caller that was admitted before and asks for the next of its runs. A full queue fails the ticket.
        """
        ticket: Ticket = Future()
        ticket.set_running_or_notify_cancel()  # from here on only leave() withdraws it
        with self._lock:
            closed = self._closed
            turned_away = None if closed or not bounded else self._turn_away(caller, ticket)
            if not closed and turned_away is not ticket:
                self._queue.setdefault(caller, deque()).append(ticket)
        if closed:
            ticket.set_exception(StoppingError())
        elif turned_away is not None:
            turned_away.set_exception(self.full())
        self._grant()
        return ticket

    def admit(self, caller: str) -> None:
        """LineFullError or StoppingError where :meth:`ask` would refuse this caller now."""
        with self._lock:
            closed, refused = self._closed, self._is_full() and self._greediest(caller) is None
        if closed:
            raise StoppingError
        if refused:
            raise self.full()

    def leave(self, ticket: Ticket) -> None:
        """Give a slot back, or stop waiting for one; once is enough, twice does no harm."""
        with self._lock:
            since_s = self._held.pop(ticket, None)
            if since_s is not None:
                self._free += 1
                self._mean_s += _LATEST * (self._clock_s() - since_s - self._mean_s)
            else:
                self._withdraw(ticket)
        self._grant()

    @contextmanager
    def held(self, caller: str = "") -> Iterator[None]:
        """Wait for a slot and keep it for a block; for threads."""
        ticket = self.ask(caller)
        try:
            ticket.result()
            yield
        finally:
            self.leave(ticket)

    def waiting(self) -> int:
        """How many wait."""
        with self._lock:
            return self._waiting()

    def running(self) -> int:
        """How many slots are taken."""
        with self._lock:
            return len(self._held)

    def expected_wait_s(self) -> int:
        """Whole seconds, at least 1, until a new caller would begin, by the last runs' mean."""
        with self._lock:
            return max(1, math.ceil((self._waiting() + 1) / self._count * self._mean_s))

    def full(self) -> LineFullError:
        """The error for a caller that finds the queue full."""
        return LineFullError(waiting=self.waiting(), wait_s=self.expected_wait_s())

    def close(self) -> None:
        """Begin nothing more: waiting and new callers get StoppingError; what runs keeps its slot to its end."""
        with self._lock:
            self._closed = True
            refused = [ticket for tickets in self._queue.values() for ticket in tickets]
            self._queue.clear()
        for ticket in refused:
            ticket.set_exception(StoppingError())

    @property
    def closed(self) -> bool:
        """Whether the server is being stopped."""
        with self._lock:
            return self._closed

    def _waiting(self) -> int:
        return sum(len(tickets) for tickets in self._queue.values())

    def _is_full(self) -> bool:
        return self._most_waiting is not None and not self._free and self._waiting() >= self._most_waiting

    def _greediest(self, caller: str) -> str | None:
        """The caller that waits for so many slots that one goes to ``caller``, which then still has fewer; None for nobody."""
        most = max(self._queue, key=lambda one: len(self._queue[one]), default=None)
        return most if most is not None and len(self._queue[most]) > len(self._queue.get(caller, ())) + 1 else None

    def _turn_away(self, caller: str, ticket: Ticket) -> Ticket | None:
        """The ticket that finds no room: None, the caller's own, or the newest of who has the most."""
        if not self._is_full():
            return None
        greediest = self._greediest(caller)
        return ticket if greediest is None else self._queue[greediest].pop()

    def _withdraw(self, ticket: Ticket) -> None:
        for caller, tickets in self._queue.items():
            if ticket in tickets:
                tickets.remove(ticket)
                if not tickets:
                    del self._queue[caller]
                return

    def _grant(self) -> None:
        granted = []
        with self._lock:
            while self._free and self._queue:
                caller, tickets = self._queue.popitem(last=False)
                ticket = tickets.popleft()
                if tickets:
                    self._queue[caller] = tickets  # at the end: every other caller first
                self._held[ticket] = self._clock_s()
                self._free -= 1
                granted.append(ticket)
        for ticket in granted:  # outside the lock: whoever waits may run code of its own at once
            ticket.set_result(None)
