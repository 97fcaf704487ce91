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
    """Median RTF of the latest runs, how many runs that is, and between which RTFs the middle half of them lies."""

    rtf: float
    runs: int
    low: float
    high: float

    def times_as_fast(self, other: Speed) -> tuple[float, float, float]:
        """How many times as fast as the other this one is, and between which values: this one's slow half against the other's fast one."""
        return other.rtf / self.rtf, other.low / self.high, other.high / self.low

    def overlaps(self, other: Speed) -> bool:
        """Whether the middle halves meet, so that neither can be called the faster one."""
        return self.low < other.high and other.low < self.high


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
            return {precision: _speed(rtfs) for precision, rtfs in own.items()}


def _speed(rtfs: deque[float]) -> Speed:
    low, median, high = statistics.quantiles(rtfs, n=4, method="inclusive") if len(rtfs) > 1 else [rtfs[0]] * 3
    return Speed(rtf=median, runs=len(rtfs), low=low, high=high)
