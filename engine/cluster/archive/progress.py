"""How far a job is: recordings, hours, speed and the time that is left, from bytes, for lengths are known only once they are read."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class JobProgress:
    """One moment of a job; ``eta_s`` is None before anything has been done."""

    files: int
    of_files: int
    audio_s: float
    elapsed_s: float
    eta_s: float | None

    @property
    def speed(self) -> float:
        """Seconds of audio in a second."""
        return self.audio_s / self.elapsed_s if self.elapsed_s else 0.0

    def __str__(self) -> str:
        left = "" if self.eta_s is None else f", {_clock(self.eta_s)} left"
        return f"{self.files}/{self.of_files} recordings, {self.audio_s / 3600:.2f} h of audio, {self.speed:.1f}x real time{left}"


class ProgressMeter:
    """Counts what is done of a job."""

    def __init__(self, sizes: Sequence[int | None], *, clock_s: Callable[[], float] = time.monotonic) -> None:
        known = [size for size in sizes if size is not None]
        usual = max(1, sum(known) // len(known)) if known else 1
        self._sizes = [usual if size is None else max(1, size) for size in sizes]
        self._clock_s, self._began_s = clock_s, clock_s()
        self._done: set[int] = set()
        #: Work of this run: what an earlier one left says nothing about the speed.
        self._worked_bytes = 0
        self._audio_s = 0.0

    def done(self, position: int, *, audio_s: float, worked: bool) -> None:
        """A recording is over; ``worked`` unless it was known before or failed at once."""
        self._done.add(position)
        self._audio_s += audio_s
        if worked:
            self._worked_bytes += self._sizes[position]

    def reading(self) -> JobProgress:
        """Where the job stands."""
        elapsed_s = self._clock_s() - self._began_s
        left = sum(size for position, size in enumerate(self._sizes) if position not in self._done)
        eta_s = elapsed_s * left / self._worked_bytes if self._worked_bytes else None
        return JobProgress(files=len(self._done), of_files=len(self._sizes), audio_s=self._audio_s, elapsed_s=elapsed_s, eta_s=eta_s)


def _clock(seconds: float) -> str:
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
