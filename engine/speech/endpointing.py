"""Speech probabilities → speech spans: FSMN-VAD's end-point state machine, without a loop over frames.

The rules are those of FunASR's ``FsmnVADStreaming`` in its offline, fixed-threshold form: a frame is speech when its speech
probability beats its silence probability by a threshold; a sliding window over such frames turns the machine on and
off; a span begins some frames before the window turned on and ends some frames into the silence that closed it, or
when it has become too long. After each span the window starts empty.

Where the reference walks frame by frame, this file jumps from one switch of the window to the next.
Not here: the reference's noise-level gate, which no default configuration switches on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.errors import OptionRangeError
from engine.option_fields import check_ranges

Floats = NDArray[np.float32]

FRAME_MS = 10

#: Smallest and largest value of each option; the names are those of :class:`VadOptions`.
RANGES: dict[str, tuple[float, float]] = {
    "speech_noise_threshold": (-1.0, 1.0),
    "speech_to_noise_ratio": (0.1, 10.0),
    "window_ms": (10, 1000),
    "silence_to_speech_ms": (10, 1000),
    "speech_to_silence_ms": (0, 1000),
    "max_end_silence_ms": (10, 60_000),
    "lookback_ms": (0, 2000),
    "lookahead_ms": (0, 2000),
    "max_segment_ms": (500, 60_000),
    "min_decibel": (-200.0, 100.0),
}


@dataclass(frozen=True, kw_only=True)
class VadOptions:
    """Thresholds of the state machine; OptionRangeError when one lies outside :data:`RANGES`.

    ``max_segment_ms`` is 30 s, as SenseVoice needs it (upstream's own default of 60 s is what people trip over).
    """

    speech_noise_threshold: float = 0.6
    speech_to_noise_ratio: float = 1.0
    window_ms: int = 200
    silence_to_speech_ms: int = 150
    speech_to_silence_ms: int = 150
    max_end_silence_ms: int = 800
    lookback_ms: int = 200
    lookahead_ms: int = 100
    max_segment_ms: int = 30_000
    min_decibel: float = -100.0

    def __post_init__(self) -> None:
        check_ranges(self, RANGES)
        if self.silence_to_speech_ms > self.window_ms:
            raise OptionRangeError(name="silence_to_speech_ms", value=self.silence_to_speech_ms, lowest=10, highest=self.window_ms)
        if self.max_end_silence_ms <= self.speech_to_silence_ms:
            lowest = self.speech_to_silence_ms + 1
            raise OptionRangeError(name="max_end_silence_ms", value=self.max_end_silence_ms, lowest=lowest, highest=60_000)


@dataclass(frozen=True)
class SpeechSpan:
    """A stretch of speech in milliseconds from the start of the recording."""

    start_ms: int
    end_ms: int

    @property
    def duration_ms(self) -> int:
        """Its length."""
        return self.end_ms - self.start_ms


def frame_decibels(samples: Floats, *, frames: int) -> Floats:
    """Energy of each 25 ms frame, ``10 log10(sum of squares)``: samples (N,) -> (frames,) float32."""
    # From cumulative sums in float64: a view of all overlapping frames would cost 2.5 times the recording.
    squares = np.concatenate([[0.0], np.cumsum(np.square(samples, dtype=np.float64))])
    starts = np.minimum(np.arange(frames) * 160, len(samples))
    ends = np.minimum(starts + 400, len(samples))
    energy = np.maximum(squares[ends] - squares[starts], 0.0)
    return np.asarray(10 * np.log10(energy + 1e-6), np.float32)


def speech_frames(silence: Floats, decibels: Floats | None, options: VadOptions) -> NDArray[np.bool_]:
    """Which frames are speech: silence probabilities (T,) and energies (T,) -> (T,) bool."""
    silence = np.asarray(silence, np.float64)
    speech = (1.0 - silence) >= silence**options.speech_to_noise_ratio + options.speech_noise_threshold
    if decibels is not None:
        speech &= decibels >= options.min_decibel
    return np.asarray(speech, np.bool_)


class _Window:
    """Sums of speech frames over the last ``width`` frames, counted from the frame after the last reset."""

    def __init__(self, speech: NDArray[np.bool_], options: VadOptions) -> None:
        self.frames = len(speech)
        self.width = options.window_ms // FRAME_MS
        self.on = options.silence_to_speech_ms // FRAME_MS
        self.off = options.speech_to_silence_ms // FRAME_MS
        self._sums = np.concatenate([[0], np.cumsum(speech, dtype=np.int64)])
        ends = np.arange(1, self.frames + 1)
        full = self._sums[ends] - self._sums[np.maximum(ends - self.width, 0)]
        self._high = np.flatnonzero(full >= self.on)
        self._low = np.flatnonzero(full <= self.off)
        self.reset_at = 0

    def _next(self, frame: int, *, high: bool) -> int:
        """The first frame from ``frame`` on whose sum is high (or low); the number of frames if there is none."""
        settled = min(self.reset_at + self.width, self.frames)
        while frame < settled:  # the window is still filling up after a reset: at most ``width`` steps
            value = int(self._sums[frame + 1] - self._sums[max(frame + 1 - self.width, self.reset_at)])
            if (value >= self.on) if high else (value <= self.off):
                return frame
            frame += 1
        places = self._high if high else self._low
        index = int(np.searchsorted(places, frame))
        return int(places[index]) if index < len(places) else self.frames

    def turns_on(self, frame: int) -> int:
        """The first frame from ``frame`` on at which silence becomes speech."""
        return self._next(frame, high=True)

    def turns_off(self, frame: int) -> int:
        """The first frame from ``frame`` on at which speech becomes silence."""
        return self._next(frame, high=False)


@dataclass(frozen=True)
class FrameSpan:
    """A stretch of speech from its first to its last frame, and the frame at which its end was decided."""

    first: int
    last: int
    decided_at: int


def latency_frames(options: VadOptions) -> int:
    """How far before the frame that turns the window on a span may begin."""
    return options.window_ms // FRAME_MS + options.lookback_ms // FRAME_MS


class Endpointer:
    """Speech probabilities as they come → spans as soon as they are decided, the same wherever the parts end.

    Frame numbers count from the start of the stream. Kept are the frames that the window and an open span may still need.
    """

    def __init__(self, options: VadOptions) -> None:
        self._options = options
        self._speech = np.zeros(0, np.bool_)
        self._base = 0  # the number of the first frame in it
        self._empty_at = 0  # where the window starts empty
        self._free_from = 0  # the frame after the last span: no span may begin before it
        #: The first frame of a span whose end is not decided yet; None in silence.
        self.open_from: int | None = None

    @property
    def needed_from(self) -> int:
        """No span that is still to come begins before this frame."""
        begins = max(self._free_from, self._empty_at - latency_frames(self._options)) if self.open_from is None else self.open_from
        return max(0, min(begins, self._empty_at))

    def add(self, silence: Floats, decibels: Floats | None, *, last: bool = False) -> list[FrameSpan]:
        """Take frames, (T,) [and their energies (T,) in dB]: the spans that are decided with them; all of them at the ``last``."""
        self._speech = np.concatenate([self._speech[self._empty_at - self._base :], speech_frames(silence, decibels, self._options)])
        base = self._base = self._empty_at
        window = _Window(self._speech, self._options)
        spans: list[FrameSpan] = []
        self.open_from = None
        while (found := _next_span(window, self._options, free_from=self._free_from - base)) is not None:
            span = FrameSpan(found.first + base, found.last + base, found.decided_at + base)
            if found.decided_at >= window.frames - 1 and not last:  # what comes next may move its end
                self.open_from = span.first
                break
            spans.append(span)
            self._free_from, window.reset_at = span.last + 1, found.decided_at + 1
        self._empty_at = base + window.reset_at
        if self.open_from is None:
            # Nothing so far turned the window on, so that only what it will see next counts.
            self._empty_at = max(self._empty_at, base + window.frames - window.width)
        return spans


def find_speech(silence: Floats, decibels: Floats | None, options: VadOptions) -> tuple[SpeechSpan, ...]:
    """Speech spans in a whole track: (T,) [and energies (T,) in dB] -> spans in time order."""
    spans = Endpointer(options).add(silence, decibels, last=True)
    return tuple(SpeechSpan(span.first * FRAME_MS, (span.last + 1) * FRAME_MS) for span in spans)


def _next_span(window: _Window, options: VadOptions, *, free_from: int) -> FrameSpan | None:
    """The next span after the window was last emptied, if any."""
    on = window.turns_on(window.reset_at)
    if on >= window.frames:
        return None
    first = max(free_from, on - latency_frames(options))
    last, decided_at = _end_of_span(window, start=first, on=on, options=options)
    return FrameSpan(first, last, decided_at)


def _end_of_span(window: _Window, *, start: int, on: int, options: VadOptions) -> tuple[int, int]:
    """Follow a span that turned on at frame ``on``: -> (its last frame, the frame at which that was decided)."""
    last = window.frames - 1
    too_long = max(start + options.max_segment_ms // FRAME_MS, on + 1)
    patience_ms = options.max_end_silence_ms - options.speech_to_silence_ms
    patience = -(-patience_ms // FRAME_MS)
    lookback = max(0, patience_ms // FRAME_MS - options.lookahead_ms // FRAME_MS - 1)
    frame = on
    while True:
        off = window.turns_off(frame + 1)
        forced = min(too_long, last)
        if forced <= off:
            return forced, forced
        again, silent = window.turns_on(off + 1), off + patience
        if silent < again and silent <= forced:
            return silent - lookback, silent
        if forced <= again:
            return forced, forced
        frame = again
