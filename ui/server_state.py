"""What every open page shows alike: the state of lightweight mode and the resources, read from the engine cheaply."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.pipeline import Engine

#: Pages that ask within this time share one reading: ten open pages cost what one costs, and CPU % has a span to be measured over.
SHARED_FOR_S = 1.0


@dataclass(frozen=True, kw_only=True)
class LightweightState:
    """Lightweight mode as every page shows it; ``freed_mb`` is None until somebody toggled."""

    on: bool
    precision: str
    rss_mb: float
    freed_mb: float | None


class ServerState:
    """The engine's state for the pages; thread-safe."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._freed_mb: float | None = None
        self._resources: dict[str, Any] | None = None
        self._read_at_s = 0.0

    def set_lightweight(self, on: bool) -> dict[str, Any]:
        """Turn lightweight mode on or off for the whole server: ``{"precision", "freed_mb", "rss_mb"}``."""
        report = self._engine.set_lightweight(on)
        with self._lock:
            self._freed_mb = report.freed_mb
            self._resources = None
        return dict(report.to_dict())

    def lightweight(self) -> LightweightState:
        """The state that a page should show now."""
        rss_mb = float(self.resources()["rss_mb"])
        with self._lock:
            freed_mb = self._freed_mb
        return LightweightState(on=self._engine.lightweight, precision=self._engine.precision, rss_mb=rss_mb, freed_mb=freed_mb)

    def resources(self) -> dict[str, Any]:
        """The engine's resources, at most a second old."""
        with self._lock:
            now_s = time.monotonic()
            if self._resources is None or now_s - self._read_at_s >= SHARED_FOR_S:
                self._resources = self._engine.resources()
                self._read_at_s = now_s
            return self._resources
