"""FP32 and INT8 session sets: opened when first needed, shared by requests, closed so that memory falls.

Lightweight mode is one state of the server. It decides the precision of requests that name none, and the memory
policy: while it is on, every set but INT8 is closed as soon as no request uses it. A running request keeps its lease.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from engine.bundle import Bundle
from engine.errors import UnknownPrecisionError
from engine.options import CURRENT, VAD_AS_REQUEST, VAD_OFF
from engine.runtime.core_plan import CorePlan
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session import Session, release_memory, rss_mb

log = logging.getLogger(__name__)


class Precision(StrEnum):
    """The two variants every bundle has; ``bundle.json`` may name more."""

    FP32 = "fp32"
    INT8 = "int8"


class OpenSession(Protocol):
    """How the pool opens a graph; tests pass their own."""

    def __call__(self, bundle: Bundle, *, model: str, precision: str, device: str, threads: int) -> Session:  # noqa: D102 - as open_session
        ...


@dataclass(frozen=True)
class SessionSet:
    """The two open models of one precision."""

    precision: str
    asr: Session
    vad: Session


@dataclass(frozen=True)
class ClosedSession:
    """One session that was closed, with the memory that opening it had taken."""

    model: str
    precision: str
    mb: float


@dataclass(frozen=True)
class Closing:
    """Sessions that were closed together, and the process's RSS in MB right before and right after."""

    sessions: tuple[ClosedSession, ...]
    before_mb: float
    after_mb: float

    @property
    def freed_mb(self) -> float:
        """Memory that came back, in MB."""
        return max(0.0, self.before_mb - self.after_mb)


@dataclass(frozen=True)
class ToggleEffects:
    """What the last switch of lightweight mode led to until now.

    ``waiting`` names the precisions that a running request still uses; their closing follows when it ends.
    """

    on: bool
    closings: tuple[Closing, ...] = ()
    waiting: tuple[str, ...] = ()


@dataclass(frozen=True)
class ToggleReport:
    """What switching did: the precision now in force, MB given back (0 when nothing was closed), RSS after it."""

    precision: str
    freed_mb: float
    rss_mb: float

    def to_dict(self) -> dict[str, str | float]:
        """As the page and the API show it."""
        return {"precision": self.precision, "freed_mb": round(self.freed_mb, 1), "rss_mb": round(self.rss_mb, 1)}


class _Entry:
    """One precision's place in the pool: its sessions once open, who uses them, and the lock that opens them once."""

    def __init__(self) -> None:
        self.opening = threading.Lock()
        self.sessions: SessionSet | None = None
        self.leases = 0


def open_session(bundle: Bundle, *, model: str, precision: str, device: str, threads: int, slots: CoreSlots | None = None) -> Session:
    """Open one graph of a bundle, verified as it is opened; INT8 variants must really multiply in integers.

    ``slots`` as in :meth:`Session.open`.
    """
    files = bundle.variant(precision)
    name = files.asr if model == "asr" else files.vad
    bundle.verify_graph(name)
    full = bundle.variants.get(Precision.FP32)
    # A recipe may leave one of the two models as it is and name the FP32 file.
    shared = precision != Precision.INT8 and full is not None and name in (full.asr, full.vad)
    integer = precision.startswith(Precision.INT8) and not shared
    return Session.open(
        bundle.path(name), model=model, precision=precision, device=device, threads=threads, require_integer=integer, slots=slots
    )


def carried_over(precision: str, known: Iterable[str]) -> str:
    """The variant among ``known`` (at least one) that takes the place of a precision: itself, else INT8 for an INT8 recipe, else FP32."""
    variants = list(known)
    like = Precision.INT8 if precision.startswith(Precision.INT8) else Precision.FP32
    return next(name for name in (precision, like.value, Precision.FP32.value, *variants) if name in variants)


class SessionPool:
    """The sessions of one bundle, by precision."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = Precision.FP32,
        device: str = "cpu",
        threads: int | None = None,
        opener: OpenSession = open_session,
    ) -> None:
        if precision not in bundle.variants:
            raise UnknownPrecisionError.of(precision, bundle.variants)
        self._plan = CorePlan.of(threads=threads)
        self.bundle, self.device, self.threads = bundle, device, self._plan.threads
        self._open = opener
        self._lightweight = precision == Precision.INT8
        starts_full = precision if precision != Precision.INT8 else Precision.FP32
        self._full = starts_full if starts_full in bundle.variants else precision
        self._retired = False
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {name: _Entry() for name in bundle.variants}
        self._effects: ToggleEffects | None = None

    @property
    def lightweight(self) -> bool:
        """Whether lightweight mode is on."""
        return self._lightweight

    @property
    def effects(self) -> ToggleEffects | None:
        """What the last switch led to; None before the first one."""
        with self._lock:
            effects = self._effects
            return effects and replace(effects, waiting=tuple(name for name in effects.waiting if self._entries[name].leases))

    @property
    def current(self) -> str:
        """The precision of a request that names none."""
        return Precision.INT8.value if self._lightweight else str(self._full)

    def is_open(self, precision: str) -> bool:
        """Whether a variant's sessions are open, so that a request need not wait for them."""
        with self._lock:
            return self._entries[precision].sessions is not None

    def resolve(self, precision: str) -> str:
        """``"current"`` or a variant's name -> the variant's name; UnknownPrecisionError otherwise."""
        if precision == CURRENT:
            return self.current
        if precision not in self._entries:
            raise UnknownPrecisionError.of(precision, (CURRENT, *self._entries))
        return precision

    @contextmanager
    def lease(self, precision: str = CURRENT) -> Iterator[SessionSet]:
        """Use a precision's sessions; they stay open for as long as the block runs, whatever is toggled meanwhile."""
        with self._lock:
            name = self.resolve(precision)
            entry = self._entries[name]
            entry.leases += 1
        try:
            with entry.opening:
                if entry.sessions is None:
                    entry.sessions = self._open_set(name)
                sessions = entry.sessions
            yield sessions
        finally:
            self._release(entry)

    @contextmanager
    def with_vad(self, sessions: SessionSet, vad_precision: str) -> Iterator[SessionSet]:
        """The leased sessions with the VAD of another precision: one that is open, else one opened for this block alone.

        Never a whole set: VAD is a few megabytes, and the recognizer that comes with it may be a gigabyte.
        """
        if vad_precision in (VAD_AS_REQUEST, VAD_OFF, sessions.precision):
            yield sessions
            return
        with self._lock:
            entry = self._entries[vad_precision]
            shared = entry.sessions
            entry.leases += shared is not None
        vad = shared.vad if shared else self._open_model("vad", vad_precision)
        try:
            yield replace(sessions, vad=vad)
        finally:
            if shared:
                self._release(entry)
            else:
                vad.close()

    def _release(self, entry: _Entry) -> None:
        with self._lock:
            entry.leases -= 1
        self._close_idle()

    def _open_model(self, model: str, precision: str) -> Session:
        return self._open(self.bundle, model=model, precision=precision, device=self.device, threads=self._plan.model_threads(model))

    def _open_set(self, precision: str) -> SessionSet:
        opened: list[Session] = []
        try:
            for model in ("asr", "vad"):
                opened.append(self._open_model(model, precision))  # noqa: PERF401 - a second one that fails must not leave the first open
        except BaseException:
            for session in opened:
                session.close()
            release_memory()
            raise
        return SessionSet(precision, *opened)

    def _close_idle(self) -> Closing | None:
        """Close the idle sets that the mode does not keep, and record it where the last switch was waiting for it."""
        if self._retired:
            return self.close_idle()
        closing = self._close_where(lambda name: name != Precision.INT8) if self._lightweight else None
        if closing is not None:
            with self._lock:
                effects, closed = self._effects, {session.precision for session in closing.sessions}
                # What a comparison opened after the switch is closed after it too, but that is no effect of the switch.
                if effects is not None and closed & set(effects.waiting):
                    waiting = tuple(name for name in effects.waiting if name not in closed)
                    self._effects = ToggleEffects(effects.on, (*effects.closings, closing), waiting)
        return closing

    def close_idle(self) -> Closing | None:
        """Close every idle set; the next request opens its own again. Returns what was closed, None for nothing."""
        return self._close_where(lambda _: True)

    def retire(self) -> None:
        """Close every set as soon as it is idle, from now on: another pool has replaced this one."""
        self._retired = True
        self.close_idle()

    def _close_where(self, chosen: Callable[[str], bool]) -> Closing | None:
        before = rss_mb()
        idle: list[SessionSet] = []
        with self._lock:
            for name, entry in self._entries.items():
                if entry.sessions is not None and entry.leases == 0 and chosen(name):
                    idle.append(entry.sessions)
                    entry.sessions = None
        for sessions in idle:
            sessions.asr.close()
            sessions.vad.close()
            log.info("closed the %s sessions", sessions.precision)
        closed = tuple(ClosedSession(one.model, one.precision, one.mb) for sessions in idle for one in (sessions.asr, sessions.vad))
        if not closed:
            return None
        del idle, sessions
        release_memory()
        return Closing(closed, before, rss_mb())

    def set_lightweight(self, on: bool) -> ToggleReport:
        """Switch lightweight mode; idle FP32 sessions are closed at once, busy ones when their request ends."""
        if on and Precision.INT8 not in self._entries:
            raise UnknownPrecisionError(precision=Precision.INT8.value, known=self._entries)
        with self._lock:
            if self._effects is None or on != self._lightweight:
                used = (name for name, entry in self._entries.items() if entry.leases or entry.sessions is not None)
                self._effects = ToggleEffects(on, waiting=tuple(name for name in used if on and name != Precision.INT8))
            self._lightweight = on
        closing = self._close_idle()
        return ToggleReport(precision=self.current, freed_mb=closing.freed_mb if closing else 0.0, rss_mb=rss_mb())

    def sessions(self) -> tuple[Session, ...]:
        """The sessions that are open now."""
        with self._lock:
            sets = [entry.sessions for entry in self._entries.values() if entry.sessions is not None]
        return tuple(session for opened in sets for session in (opened.asr, opened.vad))

    def close(self) -> None:
        """Close every idle set and free its memory; sets in use stay open and are logged."""
        self.close_idle()
        with self._lock:
            busy = [name for name, entry in self._entries.items() if entry.leases]
        if busy:
            log.warning("left open because requests still run: %s", ", ".join(busy))
