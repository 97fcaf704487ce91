"""Frames as they come → speech spans as soon as they are decided: the spans that one pass over the whole stream would find.

Kept are the frames that a running or a coming span may need and the few that VAD looks back on: with the default options never
more than the longest segment and a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.speech.detector import CONTEXT_FRAMES, SpeechDetector
from engine.speech.endpointing import FRAME_MS, SpeechSpan, VadOptions, first_span, latency_frames, speech_frames, window_frames
from engine.speech.features import FBANK_BINS
from engine.speech.frame_stream import NewFrames
from engine.speech.span_recognizer import frames_of

Floats = NDArray[np.float32]

#: What stacking may reach back from the first frame that VAD looks at: more than any LFR in use.
STACKING_FRAMES = 16


@dataclass(frozen=True)
class Spoken:
    """A span and the fbank (T, 80) of the frames that lie in it."""

    span: SpeechSpan
    frames: Floats


class SpeechStream:
    """Follows one stream; all frame numbers count from its start.

    ``on_scored`` is told the probabilities of silence (T,) float32 of every frame, in order, as soon as they are known.
    """

    def __init__(self, options: VadOptions, *, on_scored: Callable[[Floats], None] | None = None) -> None:
        self._options, self._on_scored = options, on_scored
        self._base = 0  # the number of the first frame that is kept
        self._frames = np.zeros((0, FBANK_BINS), np.float32)
        self._decibels = np.zeros(0, np.float32)
        self._silence = np.zeros(0, np.float32)  # shorter than the frames by those whose neighbours have not come yet
        self._empty_at = 0  # where the window of the state machine starts empty
        self._free_from = 0  # the frame after the last span
        self._open_from: int | None = None

    @property
    def kept_frames(self) -> int:
        """How many frames lie in memory."""
        return len(self._frames)

    @property
    def earliest_ms(self) -> int:
        """No span that is still to come begins before this."""
        return self._base * FRAME_MS

    @property
    def running(self) -> Spoken | None:
        """The span that is open, as far as it has come; None in silence."""
        if self._open_from is None:
            return None
        frames = self._frames[self._open_from - self._base :]
        return Spoken(SpeechSpan(self._open_from * FRAME_MS, (self._open_from + len(frames)) * FRAME_MS), frames)

    def add(self, new: NewFrames, detector: SpeechDetector) -> list[Spoken]:
        """Take frames; the spans that they brought to an end."""
        self._frames = np.concatenate([self._frames, new.fbank])
        self._decibels = np.concatenate([self._decibels, new.decibels])
        return self._advance(detector, last_ms=None)

    def finish(self, detector: SpeechDetector, *, duration_ms: int) -> list[Spoken]:
        """The stream is over after ``duration_ms``: the spans that were still undecided."""
        return self._advance(detector, last_ms=duration_ms)

    def _advance(self, detector: SpeechDetector, *, last_ms: int | None) -> list[Spoken]:
        self._score(detector, last=last_ms is not None)
        closed = []
        while (spoken := self._next(last_ms)) is not None:
            closed.append(spoken)
        self._forget()
        return closed

    @property
    def _scored(self) -> int:
        return self._base + len(self._silence)

    def _score(self, detector: SpeechDetector, *, last: bool) -> None:
        """Probabilities of silence for the frames that have their neighbours; at the end for all."""
        total = self._base + len(self._frames)
        stop = total if last else total - detector.frames_ahead
        if stop <= self._scored:
            return
        first = max(0, self._scored - CONTEXT_FRAMES)
        silence = detector.silence_between(self._frames, first - self._base, stop - self._base)
        new = silence[self._scored - first :]
        self._silence = np.concatenate([self._silence, new])
        if self._on_scored is not None:
            self._on_scored(new)

    def _next(self, last_ms: int | None) -> Spoken | None:
        """The next span that is decided, if there is one."""
        track = slice(self._empty_at - self._base, len(self._silence))
        speech = speech_frames(self._silence[track], self._decibels[track], self._options)
        found = first_span(speech, self._options, free_from=self._free_from - self._empty_at)
        self._open_from = None
        if found is None:
            # Nothing so far turned the window on, so that only what it will see next counts.
            self._empty_at = max(self._empty_at, self._scored - window_frames(self._options))
            return None
        first, last, decided_at = (number + self._empty_at for number in (found.first, found.last, found.decided_at))
        if decided_at >= self._scored - 1 and last_ms is None:
            self._open_from = first
            return None
        ends_with_the_stream = last_ms is not None and last + 1 >= self._scored
        span = SpeechSpan(first * FRAME_MS, last_ms if ends_with_the_stream and last_ms is not None else (last + 1) * FRAME_MS)
        self._free_from, self._empty_at = last + 1, decided_at + 1
        own = frames_of(span)
        return Spoken(span, self._frames[own.start - self._base : max(own.stop - self._base, 0)].copy())

    def _forget(self) -> None:
        """Drop the frames that no span and no window can need any more."""
        begins = max(self._free_from, self._empty_at - latency_frames(self._options)) if self._open_from is None else self._open_from
        needed = max(self._base, min(begins, self._empty_at, self._scored - CONTEXT_FRAMES - STACKING_FRAMES))
        gone = needed - self._base
        if gone:
            self._frames, self._decibels = self._frames[gone:].copy(), self._decibels[gone:].copy()
            self._silence, self._base = self._silence[gone:].copy(), needed


class EqualPieces:
    """A stream cut every ``max_segment_ms``, whatever is in it: what is recognized where VAD is off."""

    def __init__(self, options: VadOptions) -> None:
        self._length_ms = options.max_segment_ms
        self._start_ms = 0
        self._base = 0  # the number of the first frame that is kept
        self._frames = np.zeros((0, FBANK_BINS), np.float32)

    @property
    def earliest_ms(self) -> int:
        """The next piece begins here."""
        return self._start_ms

    def add(self, new: NewFrames, detector: SpeechDetector) -> list[Spoken]:
        """Take frames; the pieces that are whole with them."""
        del detector
        self._frames = np.concatenate([self._frames, new.fbank])
        pieces = []
        # One frame more than the piece holds has come: so has the piece's last sample.
        while len(self._frames) + self._base > frames_of(self._span(self._start_ms + self._length_ms)).stop:
            pieces.append(self._cut(self._start_ms + self._length_ms))
        return pieces

    def finish(self, detector: SpeechDetector, *, duration_ms: int) -> list[Spoken]:
        """The stream is over after ``duration_ms``: what is left of it."""
        del detector
        pieces = []
        while self._start_ms < duration_ms:
            pieces.append(self._cut(min(self._start_ms + self._length_ms, duration_ms)))
        return pieces

    def _span(self, end_ms: int) -> SpeechSpan:
        return SpeechSpan(self._start_ms, end_ms)

    def _cut(self, end_ms: int) -> Spoken:
        span = self._span(end_ms)
        own = frames_of(span)
        spoken = Spoken(span, self._frames[own.start - self._base : max(own.stop - self._base, 0)].copy())
        self._start_ms = end_ms
        gone = min(end_ms // FRAME_MS - self._base, len(self._frames))
        self._frames, self._base = self._frames[gone:].copy(), self._base + gone
        return spoken
