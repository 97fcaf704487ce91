"""The live streams of all open pages: one each, found by an id that only its page knows, and closed when the page is gone.

Streams have queue slots of their own, beside those of the runs: a long recording does not hold up a live stream, and eight streams
do not hold up everybody else. A block of sound carries its number, so that one which was sent twice because the answer was lost
counts once.
"""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.errors import TooManyStreamsError
from engine.live import Final, Partial
from engine.options import TranscribeOptions
from engine.transcript import Transcript
from ui.history.history import History
from ui.live.kept_stream import KeptStream
from ui.scheduling.run_slots import RunSlots
from ui.status.run_log import RunLog
from ui.text.failures import Failure, failure_of

if TYPE_CHECKING:
    from engine.live import LiveStream
    from engine.speech_engine import SpeechEngine

_log = logging.getLogger(__name__)

STREAM_ID = re.compile(r"[0-9a-f]{32}")
#: Streams that run at the same time; more only make all of them late.
MOST_RUNNING = 8
#: A page that speaks sends four times a second; one that is silent for so long is gone, or its machine sleeps.
GONE_AFTER_S = 60.0
#: Transcripts wait this long for a download.
KEPT_S = 3600.0
SWEEP_S = 10.0


class LostBlockError(ValueError):
    """A block that is neither the next one nor the last one again."""

    def __init__(self, *, expected: int, got: int) -> None:
        super().__init__(f"block {got} came where block {expected} was expected")


@dataclass(frozen=True, kw_only=True)
class LiveUpdate:
    """What one block brought: segments that ended, the running one, and why the stream is over if it is."""

    first_index: int = 0
    finals: tuple[Final, ...] = ()
    partial: Partial | None = None
    #: What of the options has no effect.
    warnings: tuple[ReadingWarning, ...] = ()
    precision: str
    over: bool = False
    #: The stream was as long as it may be.
    full: bool = False
    failure: Failure | None = None


@dataclass
class LiveSession:
    """One page's stream and what it has said; one thread at a time, in the order of the blocks."""

    stream: LiveStream
    precision: Callable[[], str]
    max_duration_s: float | None
    began_at: datetime
    #: Places that the streams share, this one's own name among them.
    slots: RunSlots = field(default_factory=lambda: RunSlots(1))
    name: str = ""
    #: Told once, when the stream is over and something was said in it.
    runs: RunLog | None = None
    #: Where the transcript is kept when the stream is over; None for nowhere.
    kept: KeptStream | None = None
    finals: list[Final] = field(default_factory=list)
    seen_at_s: float = 0.0
    over: bool = False
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _next: int = 0
    _is_released: bool = False
    _update: LiveUpdate | None = None

    def add(self, number: int, samples: np.ndarray, sample_rate_hz: int) -> LiveUpdate:
        """Take block ``number``: samples (n,) int16. LostBlockError for one that is not the next."""
        with self._lock:
            if self._update is not None and (number == self._next - 1 or self.over):
                return self._update
            if number != self._next:
                raise LostBlockError(expected=self._next, got=number)
            self._next += 1
            full = self.max_duration_s is not None and self.stream.duration_s >= self.max_duration_s
            if self.kept is not None and not (full or self.over):
                self.kept.add(samples, sample_rate_hz)
            self._update = self._end(full=full) if full else self._step(lambda: self.stream.add(samples, sample_rate_hz))
            return self._update

    def finish(self) -> LiveUpdate:
        """The person has stopped: the last segments."""
        with self._lock:
            if self._update is None or not self.over:
                self._update = self._end()
            return self._update

    def _end(self, *, full: bool = False) -> LiveUpdate:
        self.over = True
        return self._step(self.stream.finish, full=full)

    def _step(self, step: Callable[[], list[Final]], *, full: bool = False) -> LiveUpdate:
        first = len(self.finals)
        failure = None
        try:
            with self.slots.held(self.name):
                self.finals += step()
        except Exception as error:  # noqa: BLE001 - whatever it is, the page shows it, and what was said before is kept
            failure, self.over = failure_of(error), True
        if self.over:
            self._release()
        return LiveUpdate(
            first_index=first,
            finals=tuple(self.finals[first:]),
            partial=None if self.over else self.stream.partial,
            warnings=self.stream.warnings,
            precision=self.precision(),
            over=self.over,
            full=full,
            failure=failure,
        )

    def close(self) -> None:
        """Let the models go, whatever is still unsaid; what was said stays."""
        with self._lock:
            self.over = True
            self._release()

    def _release(self) -> None:
        self.stream.close()
        if self._is_released:
            return
        self._is_released = True
        if self.finals and self.runs is not None:
            self.runs.record(self._transcript(), source="live")
        if self.kept is not None and self.finals:
            self.kept.keep(self._transcript())
        elif self.kept is not None:
            self.kept.discard()

    def transcript(self) -> Transcript:
        """What has been said so far."""
        with self._lock:
            return self._transcript()

    def _transcript(self) -> Transcript:
        finals, timing = list(self.finals), self.stream.timing()
        return Transcript(
            file=f"live {self.began_at:%Y-%m-%d %H.%M.%S}.wav",
            duration_s=self.stream.duration_s,
            bundle="+".join(dict.fromkeys(final.bundle for final in finals)),
            precision="+".join(dict.fromkeys(final.precision for final in finals)) or self.precision(),
            segments=tuple(final.segment for final in finals),
            timing=timing,
            warnings=self.stream.warnings,
        )


class LiveSessions:
    """All streams of the server; thread-safe."""

    def __init__(
        self,
        engine: SpeechEngine,
        *,
        max_duration_s: float | None,
        slots: RunSlots | None = None,
        runs: RunLog | None = None,
        history: History | None = None,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._max_duration_s, self._runs, self._clock_s = engine, max_duration_s, runs, clock_s
        self._history = history
        self._slots = slots or RunSlots(1)
        self._lock = threading.Lock()
        self._sessions: dict[str, LiveSession] = {}
        self._sweeper: threading.Timer | None = None

    def open(self, stream_id: str, options: TranscribeOptions, *, owner: str | None = None) -> LiveSession:
        """The stream with this id, begun if need be, kept for ``owner``; ValueError for an id that no page of ours makes.

        Raises TooManyStreamsError.
        """
        if not STREAM_ID.fullmatch(stream_id):
            raise ValueError(f"{stream_id!r} is not 32 hexadecimal digits")
        with self._lock:
            session = self._sessions.get(stream_id)
            if session is None:
                running = self._running()
                if running >= MOST_RUNNING:
                    raise TooManyStreamsError(running=running)
                stream = self._engine.live(options)
                session = LiveSession(
                    stream,
                    lambda: self._engine.precision,
                    self._max_duration_s,
                    datetime.now().astimezone(),
                    slots=self._slots,
                    name=stream_id,
                    runs=self._runs,
                    kept=None if self._history is None or owner is None else KeptStream(self._history, owner),
                )
                self._sessions[stream_id] = session
                self._sweep_later()
            session.seen_at_s = self._clock_s()
            return session

    def find(self, stream_id: str) -> LiveSession | None:
        """The stream with this id; None if there is none (any more)."""
        with self._lock:
            session = self._sessions.get(stream_id)
            if session is not None:
                session.seen_at_s = self._clock_s()
            return session

    def leave(self, stream_id: str) -> None:
        """The page is gone: forget the stream and what it said."""
        with self._lock:
            session = self._sessions.pop(stream_id, None)
        if session is not None:
            session.close()

    def running(self) -> int:
        """How many people speak now."""
        with self._lock:
            return self._running()

    def sweep(self) -> None:
        """Stop the streams whose pages have gone, and forget what nobody came for."""
        now_s = self._clock_s()
        with self._lock:
            gone = [one for one in self._sessions.values() if not one.over and now_s - one.seen_at_s > GONE_AFTER_S]
            self._sessions = {name: one for name, one in self._sessions.items() if now_s - one.seen_at_s <= KEPT_S}
        for session in gone:
            session.close()
            _log.info("closed a live stream whose page has gone")

    def close(self) -> None:
        """Let everything go; the server ends."""
        with self._lock:
            sessions, self._sessions = list(self._sessions.values()), {}
            sweeper, self._sweeper = self._sweeper, None
        if sweeper is not None:
            sweeper.cancel()
        for session in sessions:
            session.close()

    def _running(self) -> int:
        return sum(not session.over for session in self._sessions.values())

    def _sweep_later(self) -> None:
        """Sweep from a timer for as long as there are streams."""
        if self._sweeper is None:
            self._sweeper = threading.Timer(SWEEP_S, self._sweep_on)
            self._sweeper.daemon = True
            self._sweeper.start()

    def _sweep_on(self) -> None:
        self.sweep()
        with self._lock:
            if self._sweeper is not None:
                self._sweeper = None
                if self._sessions:
                    self._sweep_later()
