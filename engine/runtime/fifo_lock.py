"""A lock on the processor: graph runs of several callers follow each other in the order in which they asked.

A session has as many threads as there are cores. Eight callers at once would have eight times as many, which the system moves between
cores, so that their caches lose the weights. The lock is held for one graph run: a short clip does not wait for a long file.
"""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType


class FifoLock:
    """A lock that ``at_once`` threads may hold, given in the order in which it was asked for."""

    def __init__(self, at_once: int = 1) -> None:
        self._free = at_once
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    def __enter__(self) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                return
            granted = threading.Event()
            self._waiting.append(granted)
        try:
            granted.wait()
        except BaseException:  # interrupted while waiting: the lock must not be lost with the thread
            self._withdraw(granted)
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self._pass_on()

    def _withdraw(self, granted: threading.Event) -> None:
        with self._lock:
            if not granted.is_set():
                self._waiting.remove(granted)
                return
        self._pass_on()

    def _pass_on(self) -> None:
        with self._lock:
            if self._waiting:
                self._waiting.popleft().set()
            else:
                self._free += 1
