"""The open bundle, and how another one replaces it while requests run.

A request uses the bundle that is open when it begins until its end: precision, vocabulary and sessions. A replaced bundle is closed
session by session as its last requests end.
"""

from __future__ import annotations

import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from engine.bundle import Bundle
from engine.runtime.session import Session, rss_mb
from engine.runtime.session_pool import OpenSession, Precision, SessionPool, ToggleReport, carried_over, open_session
from engine.speech.parts import Parts

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class OpenBundle:
    """A bundle that requests can run on."""

    parts: Parts
    pool: SessionPool


@dataclass(frozen=True, kw_only=True)
class SwitchReport:
    """What switching did: the bundle and the precision now in force, RSS before and after it, how long it took."""

    bundle: str
    precision: str
    rss_before_mb: float
    rss_mb: float
    seconds: float

    def to_dict(self) -> dict[str, Any]:
        """As the page and the API show it."""
        numbers = {name: round(getattr(self, name), 1) for name in ("rss_before_mb", "rss_mb", "seconds")}
        return {"bundle": self.bundle, "precision": self.precision, **numbers}


class BundleSlot:
    """Holds one open bundle; safe to use from many threads."""

    def __init__(
        self, bundle: Bundle, *, precision: str, device: str = "cpu", threads: int | None = None, opener: OpenSession = open_session
    ) -> None:
        self._device, self._threads, self._opener = device, threads, opener
        # The choice is kept: a bundle that lacks it must not lose it for the next one.
        self._asked = Precision.FP32.value if precision == Precision.INT8 else precision
        self._asked_lightweight = precision == Precision.INT8
        self._switching = threading.Lock()
        self._lock = threading.Lock()
        #: Every pool that a request may still be running on.
        self._pools: weakref.WeakSet[SessionPool] = weakref.WeakSet()
        self._current = self._opened(bundle, precision)

    @property
    def current(self) -> OpenBundle:
        """What a request that comes now runs on; ask once for each request."""
        return self._current

    def sessions(self) -> tuple[Session, ...]:
        """The sessions that are open now, those that requests of an earlier bundle still use among them."""
        with self._lock:
            pools = [self._current.pool, *(pool for pool in self._pools if pool is not self._current.pool)]
        return tuple(session for pool in pools for session in pool.sessions())

    def set_lightweight(self, on: bool) -> ToggleReport:
        """Switch lightweight mode; it stays with the server, whichever bundle is open."""
        with self._lock:
            report = self._current.pool.set_lightweight(on)
            self._asked_lightweight = on
            if not on and report.precision != Precision.INT8:
                self._asked = report.precision
        return report

    def switch(self, bundle: Bundle, *, warm_up: Callable[[OpenBundle], None]) -> SwitchReport:
        """Open another bundle, or the same one anew, try it with ``warm_up``, and replace the one before.

        Whatever is raised on the way, by ``warm_up`` or by the bundle's files, leaves the one before open. Running requests end
        on the bundle that they began with, and its sessions are closed as they end.
        """
        with self._switching:
            started, before_mb = time.perf_counter(), rss_mb()
            earlier = self._current
            # Room for the new one, where two full-size bundles would not fit; a request that comes meanwhile opens them again.
            earlier.pool.close_idle()
            later = self._opened(bundle, carried_over(self._asked, bundle.variants))
            try:
                self._follow_mode(later.pool)
                warm_up(later)
            except BaseException:
                later.pool.retire()
                raise
            with self._lock:
                self._follow_mode(later.pool)  # the mode may have been switched while it was opened
                self._current = later
            earlier.pool.retire()
            log.info("switched from bundle %s to %s", earlier.parts.bundle.name, bundle.name)
            seconds = time.perf_counter() - started
            precision = later.pool.current
        return SwitchReport(bundle=bundle.name, precision=precision, rss_before_mb=before_mb, rss_mb=rss_mb(), seconds=seconds)

    @contextmanager
    def beside(self, bundle: Bundle | None) -> Iterator[OpenBundle]:
        """The open bundle for None or for itself; another one is opened for the block, and its sessions close with the block."""
        current = self._current
        if bundle is None or bundle == current.parts.bundle:
            yield current
            return
        opened = self._opened(bundle, next(iter(bundle.variants)))
        try:
            yield opened
        finally:
            opened.pool.retire()

    def close(self) -> None:
        """Close every idle session and free its memory."""
        with self._lock:
            pools = list(self._pools)
        for pool in pools:
            pool.close()

    def _opened(self, bundle: Bundle, precision: str) -> OpenBundle:
        pool = SessionPool(bundle, precision=precision, device=self._device, threads=self._threads, opener=self._opener)
        opened = OpenBundle(Parts.load(bundle), pool)
        with self._lock:
            self._pools.add(pool)
        return opened

    def _follow_mode(self, pool: SessionPool) -> None:
        if pool.lightweight == self._asked_lightweight:
            return
        if self._asked_lightweight:
            if Precision.INT8 in pool.bundle.variants:
                pool.set_lightweight(True)
        elif carried_over(self._asked, pool.bundle.variants) != Precision.INT8:
            pool.set_lightweight(False)
