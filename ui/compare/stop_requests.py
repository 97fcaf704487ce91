"""Comparisons that a page asked to cancel, by Gradio's session hash."""

from __future__ import annotations

import threading


class StopRequests:
    """Notes of pages that pressed Cancel; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[str, bool] = {}

    def begin(self, page: str) -> None:
        """A page starts a run; what it cancelled before is past."""
        with self._lock:
            self._running[page] = False

    def stop(self, page: str) -> None:
        """A page wants its run stopped; nothing happens where none runs."""
        with self._lock:
            if page in self._running:
                self._running[page] = True

    def requested(self, page: str) -> bool:
        """Whether a page's run should stop."""
        with self._lock:
            return self._running.get(page, False)

    def end(self, page: str) -> None:
        """A page's run is over."""
        with self._lock:
            self._running.pop(page, None)
