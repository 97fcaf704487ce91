"""Audio that is still being spoken → the text so far of the running segment, and each segment as soon as VAD has ended it.

The segments are those that :meth:`engine.pipeline.Engine.transcribe` finds in the same samples. Recognizing the running segment
again and again is the one thing that is left out where the machine cannot keep up: it may take half of the time, and nothing
while the stream is late.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from engine.audio.live_audio import LiveAudio
from engine.audio.reading.reading_warnings import ReadingWarning
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.runtime.bundle_slot import OpenBundle
from engine.speech.decoding.decoder import BeamDecoder
from engine.speech.detector import SpeechDetector
from engine.speech.frame_stream import NewFrames
from engine.speech.parts import Parts
from engine.speech.span_recognizer import SpanRecognizer
from engine.speech.speech_stream import SpanFrames, SpeechStream
from engine.transcript import Segment, Timing

PARTIAL_EVERY_MS = 600
PARTIAL_SHARE = 0.5  # of the time, at most
LATE_S = 1.0  # behind by more than this, the running segment is not recognized before it ends
#: Sound cards and clocks drift apart by far less than this share, connections that got slower stay late for minutes.
DRIFT = 0.001


@dataclass(frozen=True, kw_only=True)
class Partial:
    """The running segment so far; ``delay_s`` from its newest sound to its text."""

    start_ms: int
    end_ms: int
    text: str
    precision: str
    delay_s: float


@dataclass(frozen=True, kw_only=True)
class Final:
    """A segment that is over; ``latency_s`` from the end of its speech to its text."""

    segment: Segment
    bundle: str
    precision: str
    latency_s: float


class StreamClock:
    """How long ago a moment of the stream was spoken, judged by the blocks that came with the least delay."""

    def __init__(self, clock_s: Callable[[], float]) -> None:
        self._clock_s = clock_s
        self._began_s: float | None = None
        self._seen_s = 0.0

    def came(self, stream_s: float) -> None:
        """The stream has come up to this moment now."""
        now_s = self._clock_s()
        began_s = now_s - stream_s
        if self._began_s is not None:
            began_s = min(began_s, self._began_s + DRIFT * (now_s - self._seen_s))
        self._began_s, self._seen_s = began_s, now_s

    def since_s(self, stream_s: float) -> float:
        """Seconds from a moment of the stream to now; 0 before anything came."""
        return 0.0 if self._began_s is None else max(0.0, self._clock_s() - self._began_s - stream_s)


class _Leased:
    """The sessions that one segment runs on, and what works with them."""

    def __init__(self, opened: OpenBundle, options: TranscribeOptions, decoder: BeamDecoder | None) -> None:
        """``decoder`` is that of the segment before, where it ran on the same bundle."""
        self.parts, self._stack = opened.parts, ExitStack()
        sessions = self._stack.enter_context(opened.pool.lease())
        try:
            self.bundle, self.precision = opened.parts.bundle.name, sessions.precision
            self.detector: SpeechDetector = opened.parts.detector(sessions)
            self.recognizer = SpanRecognizer(opened.parts, sessions, options, decoder=decoder)
        except BaseException:
            self._stack.close()
            raise

    def release(self) -> None:
        self._stack.close()


class LiveStream:
    """One stream. Not for several threads at once; :meth:`finish` or :meth:`close` it, for a running segment keeps its sessions open."""

    def __init__(
        self,
        current: Callable[[], OpenBundle],
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._current, self._options, self._clock_s = current, options, clock_s
        self._audio, self._speech, self._clock = LiveAudio(), SpeechStream(options.vad), StreamClock(clock_s)
        self._leased: _Leased | None = None
        #: Of the last segment, for the next one on the same bundle; not its recognizer, which would keep a session.
        self._searched: tuple[Parts | None, BeamDecoder | None] = (None, None)
        self._tried_at_ms = self._ended = 0
        self._rtf = 0.0  # of the last recognition
        self._features_s = self._vad_s = self._asr_s = 0.0
        #: The running segment's text so far; None in silence and until the first words of a segment.
        self.partial: Partial | None = None
        #: What of the options has no effect on the bundle that the stream runs on.
        self.warnings: tuple[ReadingWarning, ...] = ()

    @property
    def duration_s(self) -> float:
        """How much audio came."""
        return self._audio.duration_ms / 1000

    @property
    def speaking(self) -> bool:
        """Whether a segment is running."""
        return self._speech.running is not None

    @property
    def kept_frames(self) -> int:
        """Frames in memory, 320 bytes each; all that a stream keeps but a few hundred samples."""
        return self._speech.kept_frames

    def add(self, block: NDArray[Any], sample_rate_hz: int) -> list[Final]:
        """Take the next samples, (n,) or (n, channels) at any rate: the segments that ended with them.

        Raises NonFiniteAudioError and SampleRateError, and BundleError or SessionError where the models cannot be run; the
        stream then goes on with the next block.
        """
        started_s = self._clock_s()
        new = self._audio.add(block, sample_rate_hz)
        self._features_s += self._clock_s() - started_s
        self._clock.came(self.duration_s)
        with self._sessions() as leased:
            finals = self._recognized(self._spoken(new, leased), leased)
            running = self._speech.running
            if running is not None and self._is_partial_due(running):
                self._try(running, leased)
        return finals

    def finish(self) -> list[Final]:
        """The stream is over: the segments that were still open."""
        new = self._audio.flush()
        with self._sessions() as leased:
            spoken = self._spoken(new, leased)
            spoken += self._speech.finish(leased.detector, duration_ms=self._audio.duration_ms)
            return self._recognized(spoken, leased)

    def timing(self) -> Timing:
        """What the stream has cost so far, the recognitions of running segments among it."""
        total_s = self._features_s + self._vad_s + self._asr_s
        rtf = total_s / self.duration_s if self.duration_s else 0.0
        return Timing(decode_s=0.0, features_s=self._features_s, vad_s=self._vad_s, asr_s=self._asr_s, total_s=total_s, rtf=rtf)

    def close(self) -> None:
        """Let the sessions go, whatever is still unsaid."""
        if self._leased is not None:
            self._leased.release()
            self._leased = None

    @contextmanager
    def _sessions(self) -> Iterator[_Leased]:
        """Sessions for one block: those that the running segment began with; in silence, those in force now."""
        if self._leased is None:
            opened = self._current()
            parts, decoder = self._searched
            self._leased = _Leased(opened, self._options, decoder if parts is opened.parts else None)
            self._searched, self.warnings = (opened.parts, self._leased.recognizer.decoder), self._leased.recognizer.warnings
        ended = self._ended
        try:
            yield self._leased
        except BaseException:
            self.close()
            raise
        if not self.speaking or self._ended > ended:
            self.close()

    def _spoken(self, new: NewFrames, leased: _Leased) -> list[SpanFrames]:
        started_s = self._clock_s()
        spoken = self._speech.add(new, leased.detector)
        self._vad_s += self._clock_s() - started_s
        return spoken

    def _recognized(self, ended: list[SpanFrames], leased: _Leased) -> list[Final]:
        finals = []
        for spoken in ended:
            segment = self._timed(spoken, leased)
            if segment is not None:
                latency_s = self._clock.since_s(segment.end_ms / 1000)
                finals.append(Final(segment=segment, bundle=leased.bundle, precision=leased.precision, latency_s=latency_s))
            self.partial, self._tried_at_ms = None, spoken.span.end_ms
            self._ended += 1
        return finals

    def _is_partial_due(self, running: SpanFrames) -> bool:
        length_ms = running.span.end_ms - running.span.start_ms
        waited_ms = running.span.end_ms - max(self._tried_at_ms, running.span.start_ms)
        cost_ms = self._rtf * length_ms
        late = self._clock.since_s(running.span.end_ms / 1000) > LATE_S
        return waited_ms >= max(PARTIAL_EVERY_MS, cost_ms / PARTIAL_SHARE) and not late

    def _try(self, running: SpanFrames, leased: _Leased) -> None:
        self._tried_at_ms = running.span.end_ms
        segment = self._timed(running, leased)
        if segment is not None and segment.text:
            span = running.span
            self.partial = Partial(
                start_ms=span.start_ms,
                end_ms=span.end_ms,
                text=segment.text,
                precision=leased.precision,
                delay_s=self._clock.since_s(span.end_ms / 1000),
            )

    def _timed(self, spoken: SpanFrames, leased: _Leased) -> Segment | None:
        started_s = self._clock_s()
        segment = leased.recognizer.segment(spoken.span, spoken.frames)
        length_s = (spoken.span.end_ms - spoken.span.start_ms) / 1000
        took_s = self._clock_s() - started_s
        self._rtf = took_s / length_s
        self._asr_s += took_s
        return segment
