"""One request's stop: ends its graph runs at their next operator, wherever they run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class RunStoppedError(Exception):
    """The run's request was stopped; nobody waits for the answer."""


class StopSignal:
    """Given once; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = False
        self._ends: list[Callable[[], None]] = []

    @property
    def stopped(self) -> bool:
        """Whether it was given."""
        return self._stopped

    def stop(self) -> None:
        """End what runs, and whatever is begun from now on."""
        with self._lock:
            self._stopped = True
            ends = list(self._ends)
        for end in ends:
            end()

    @contextmanager
    def ending(self, end: Callable[[], None]) -> Iterator[None]:
        """``end`` is called where the signal is given while the block runs; RunStoppedError where it was given before."""
        with self._lock:
            if self._stopped:
                raise RunStoppedError
            self._ends.append(end)
        try:
            yield
        finally:
            with self._lock:
                self._ends.remove(end)
