"""What every open page shows alike: the state of lightweight mode and the resources, read from the engine cheaply."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from engine.runtime.advisor import Advice, advise
from engine.runtime.session_pool import Closing, Precision
from engine.runtime.speed import Speed

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

#: Pages that ask within this time share one reading: ten open pages cost what one costs, and CPU % has a span to be measured over.
SHARED_FOR_S = 1.0
#: Readings are kept this long, for the sparklines. They are taken while a page is open; nobody looking costs nothing.
HISTORY_S = 120.0
#: A reading after a longer pause is the mean CPU share of the pause, not of the moment.
_PAUSE_S = 10.0


@dataclass(frozen=True, kw_only=True)
class LightweightState:
    """Lightweight mode as every page shows it.

    ``freed_mb`` is None until somebody switched; ``closings`` and ``waiting`` are the last switch's effects; ``speeds`` what
    this process measured, by precision; ``available`` whether the bundle has an INT8 variant to switch to.
    """

    on: bool
    precision: str
    rss_mb: float
    freed_mb: float | None = None
    closings: tuple[Closing, ...] = ()
    waiting: tuple[str, ...] = ()
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    available: bool = True


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Resources at one moment; ``cpu_percent`` is None after a pause in which no page was open."""

    age_s: float
    cpu_percent: float | None
    rss_mb: float


class ServerState:
    """The engine's state for the pages; thread-safe."""

    def __init__(self, engine: SpeechEngine, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._engine, self._clock_s = engine, clock_s
        self._lock = threading.Lock()
        self._switching = threading.Lock()
        self._resources: dict[str, Any] | None = None
        self._read_at_s: float | None = None
        self._history: deque[tuple[float, float | None, float]] = deque()
        self._queues: list[Callable[[], int]] = []
        self._advice: Advice | None = None

    def set_lightweight(self, on: bool) -> dict[str, Any]:
        """Turn lightweight mode on or off for the whole server: ``{"precision", "freed_mb", "rss_mb"}``."""
        with self._switching:  # one after the other: the report belongs to the state that results
            report = self._engine.set_lightweight(on)
            with self._lock:
                self._resources = None
        return dict(report.to_dict())

    def lightweight(self) -> LightweightState:
        """The state that a page should show now."""
        rss_mb = float(self.resources()["rss_mb"])
        engine, effects = self._engine, self._engine.toggle_effects
        closings = effects.closings if effects else ()
        return LightweightState(
            on=engine.lightweight,
            precision=engine.precision,
            rss_mb=rss_mb,
            freed_mb=sum(closing.freed_mb for closing in closings) if effects else None,
            closings=closings,
            waiting=effects.waiting if effects else (),
            speeds=engine.speeds(),
            available=Precision.INT8 in engine.precisions,
        )

    def advice(self) -> Advice:
        """Which precision suits this machine; found out once."""
        with self._lock:
            if self._advice is None:
                self._advice = advise()
            return self._advice

    def resources(self) -> dict[str, Any]:
        """The engine's resources, at most a second old."""
        with self._lock:
            now_s = self._clock_s()
            if self._resources is None or self._read_at_s is None or now_s - self._read_at_s >= SHARED_FOR_S:
                self._resources = self._engine.resources()
                self._remember(self._resources, now_s)
            return self._resources

    def _remember(self, resources: Mapping[str, Any], now_s: float) -> None:
        paused = self._read_at_s is None or now_s - self._read_at_s > _PAUSE_S
        self._read_at_s = now_s
        self._history.append((now_s, None if paused else float(resources["cpu_percent"]), float(resources["rss_mb"])))
        while now_s - self._history[0][0] > HISTORY_S:
            self._history.popleft()

    def history(self) -> tuple[Reading, ...]:
        """The readings of the last two minutes, oldest first."""
        with self._lock:
            now_s = self._clock_s()
            return tuple(Reading(age_s=now_s - at_s, cpu_percent=cpu, rss_mb=rss_mb) for at_s, cpu, rss_mb in self._history)

    def add_queue(self, length: Callable[[], int]) -> None:
        """Name something that knows how many recordings wait or run in it."""
        self._queues.append(length)

    def queue_length(self) -> int:
        """Recordings that wait or run, over the whole server."""
        return sum(length() for length in self._queues)
