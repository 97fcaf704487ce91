"""How far a download of several files is, told a few times a second."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.files.sizes import BYTES_PER_MB

#: (share of all bytes, or None; what is being done; seconds left, or None), as :func:`models.jobs.progress.report` takes it.
Report = Callable[[float | None, str, float | None], None]

#: The rate is that of the last seconds, not of the whole download: a stalled line shows at once.
RATE_WINDOW_S = 5.0
REPORTS_PER_S = 5


class Progress:
    """Bytes over all files of a fetch, told a few times a second."""

    def __init__(self, total_bytes: int, report: Report | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.total_bytes, self.done_bytes = total_bytes, 0
        self._report, self._clock = report, clock
        self._seen = [(clock(), 0)]
        self._told = float("-inf")
        self._name = ""

    def begin(self, name: str) -> None:
        """The next file."""
        self._name = name

    def add(self, count: int) -> None:
        """So many bytes came."""
        self.done_bytes = min(self.total_bytes, self.done_bytes + max(0, count))
        now = self._clock()
        self._seen = [(when, done) for when, done in self._seen if now - when <= RATE_WINDOW_S] or self._seen[-1:]
        self._seen.append((now, self.done_bytes))
        if now - self._told >= 1 / REPORTS_PER_S or self.done_bytes == self.total_bytes:
            self._told = now
            self.tell()

    def jump(self, done_bytes: int) -> None:
        """A file is whole: whatever was counted on the way, so much is done."""
        self.done_bytes = done_bytes

    @property
    def bytes_per_s(self) -> float:
        """Rate over the last seconds; 0 before anything came."""
        (first, before), (last, after) = self._seen[0], self._seen[-1]
        return (after - before) / (last - first) if last > first else 0.0

    def tell(self) -> None:
        """Report where it stands."""
        if self._report is None:
            return
        rate = self.bytes_per_s
        left_s = (self.total_bytes - self.done_bytes) / rate if rate else None
        share = self.done_bytes / self.total_bytes if self.total_bytes else 1.0
        done, total = self.done_bytes / BYTES_PER_MB, self.total_bytes / BYTES_PER_MB
        self._report(share, f"{self._name}  {done:.0f} / {total:.0f} MB  {rate / BYTES_PER_MB:.1f} MB/s", left_s)
