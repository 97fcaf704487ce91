"""How fast each variant ran on this machine since the process started: RTF from real runs only."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from dataclasses import dataclass

#: Runs remembered for each variant: enough that one slow moment of the machine does not decide the median.
RUNS_KEPT = 20


@dataclass(frozen=True)
class Speed:
    """Median RTF of the latest runs, and how many runs that is."""

    rtf: float
    runs: int


class SpeedLog:
    """Remembers the latest runs; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rtfs: dict[tuple[str, str], deque[float]] = {}

    def add(self, bundle: str, precision: str, *, compute_s: float, duration_s: float) -> None:
        """Note one run: seconds of computing, without opening sessions, and seconds of audio."""
        with self._lock:
            self._rtfs.setdefault((bundle, precision), deque(maxlen=RUNS_KEPT)).append(compute_s / duration_s)

    def read(self, bundle: str) -> dict[str, Speed]:
        """Speed by precision of one bundle; a precision that has not run is not in it."""
        with self._lock:
            own = {precision: rtfs for (name, precision), rtfs in self._rtfs.items() if name == bundle}
            return {precision: Speed(rtf=statistics.median(rtfs), runs=len(rtfs)) for precision, rtfs in own.items()}
