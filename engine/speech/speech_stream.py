"""Frames as they come → speech spans as soon as they are decided: the spans that one pass over the whole stream would find.

Kept are the frames that a running or a coming span may need and the few that VAD looks back on: with the default options never
more than the longest segment and a second.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import Recording
from engine.speech.detector import CONTEXT_FRAMES, SpeechDetector
from engine.speech.endpointing import FRAME_MS, Endpointer, FrameSpan, SpeechSpan, VadOptions
from engine.speech.features import FBANK_BINS
from engine.speech.frame_stream import FrameStream, NewFrames
from engine.speech.span_recognizer import frames_of

Floats = NDArray[np.float32]

#: What stacking may reach back from the first frame that VAD looks at: more than any LFR in use.
STACKING_FRAMES = 16


@dataclass(frozen=True)
class SpanFrames:
    """A span and the fbank (T, 80) of the frames that lie in it."""

    span: SpeechSpan
    frames: Floats


class SpeechStream:
    """Follows one stream; all frame numbers count from its start.

    ``on_scored`` gets the probabilities of silence (T,) float32 of every frame, in order, as soon as they are known.
    """

    def __init__(self, options: VadOptions, *, on_scored: Callable[[Floats], None] | None = None) -> None:
        self._endpoints, self._on_scored = Endpointer(options), on_scored
        self._base = 0  # the number of the first frame that is kept
        self._frames = np.zeros((0, FBANK_BINS), np.float32)
        self._decibels = np.zeros(0, np.float32)  # of the frames that are not scored yet
        self._scored = 0  # less than the frames by those whose neighbours have not come yet

    @property
    def kept_frames(self) -> int:
        """How many frames lie in memory."""
        return len(self._frames)

    @property
    def earliest_ms(self) -> int:
        """No span that is still to come begins before this."""
        return self._base * FRAME_MS

    @property
    def running(self) -> SpanFrames | None:
        """The span that is open, as far as it has come; None in silence."""
        first = self._endpoints.open_from
        if first is None:
            return None
        frames = self._frames[first - self._base :]
        return SpanFrames(SpeechSpan(first * FRAME_MS, (first + len(frames)) * FRAME_MS), frames)

    def add(self, new: NewFrames, detector: SpeechDetector) -> list[SpanFrames]:
        """Take frames; the spans that they brought to an end."""
        self._frames = np.concatenate([self._frames, new.fbank])
        self._decibels = np.concatenate([self._decibels, new.decibels])
        return self._advance(detector, last_ms=None)

    def finish(self, detector: SpeechDetector, *, duration_ms: int) -> list[SpanFrames]:
        """The stream is over after ``duration_ms``: the spans that were still undecided.

        One that is open at the last frame lasts to the end: the up to 25 ms behind the last whole frame belong to it.
        """
        return self._advance(detector, last_ms=duration_ms)

    def _advance(self, detector: SpeechDetector, *, last_ms: int | None) -> list[SpanFrames]:
        silence = self._score(detector, last=last_ms is not None)
        decibels, self._decibels = self._decibels[: len(silence)], self._decibels[len(silence) :]
        ended = [self._spoken(span, last_ms) for span in self._endpoints.add(silence, decibels, last=last_ms is not None)]
        self._forget()
        return ended

    def _score(self, detector: SpeechDetector, *, last: bool) -> Floats:
        """Probabilities of silence for the frames that have their neighbours by now; at the end for all: (T,)."""
        total = self._base + len(self._frames)
        stop = total if last else total - detector.frames_ahead
        if stop <= self._scored:
            return np.zeros(0, np.float32)
        first = max(0, self._scored - CONTEXT_FRAMES)
        silence = detector.silence_between(self._frames, first - self._base, stop - self._base)[self._scored - first :]
        self._scored = stop
        if self._on_scored is not None:
            self._on_scored(silence)
        return silence

    def _spoken(self, span: FrameSpan, last_ms: int | None) -> SpanFrames:
        end_ms = last_ms if last_ms is not None and span.last + 1 >= self._scored else (span.last + 1) * FRAME_MS
        return _cut_out(SpeechSpan(span.first * FRAME_MS, end_ms), self._frames, self._base)

    def _forget(self) -> None:
        """Drop the frames that no span and no window can need any more."""
        needed = max(self._base, min(self._endpoints.needed_from, self._scored - CONTEXT_FRAMES - STACKING_FRAMES))
        if needed > self._base:
            self._frames, self._base = self._frames[needed - self._base :].copy(), needed


def find_spans(recording: Recording, detector: SpeechDetector, options: VadOptions) -> tuple[SpeechSpan, ...]:
    """The speech spans of a mono recording, without recognizing them."""
    frames, speech = FrameStream(), SpeechStream(options)
    ended = [spoken for block in recording.blocks() for spoken in speech.add(frames.add(block), detector)]
    ended += speech.finish(detector, duration_ms=frames.duration_ms)
    return tuple(spoken.span for spoken in ended)


def spans_in(new: NewFrames, detector: SpeechDetector, options: VadOptions, *, duration_ms: int) -> tuple[SpeechSpan, ...]:
    """The speech spans of a recording whose frames are all there."""
    speech = SpeechStream(options)
    return tuple(spoken.span for spoken in speech.add(new, detector) + speech.finish(detector, duration_ms=duration_ms))


def _cut_out(span: SpeechSpan, frames: Floats, base: int) -> SpanFrames:
    """A span with its own frames out of those from number ``base`` on."""
    own = frames_of(span)
    return SpanFrames(span, frames[own.start - base : max(own.stop - base, 0)].copy())


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

    def add(self, new: NewFrames, detector: SpeechDetector) -> list[SpanFrames]:
        """Take frames; the pieces that are whole with them."""
        del detector
        self._frames = np.concatenate([self._frames, new.fbank])
        pieces = []
        # One frame more than the piece holds has come: so has the piece's last sample.
        while len(self._frames) + self._base > frames_of(self._span(self._start_ms + self._length_ms)).stop:
            pieces.append(self._cut(self._start_ms + self._length_ms))
        return pieces

    def finish(self, detector: SpeechDetector, *, duration_ms: int) -> list[SpanFrames]:
        """The stream is over after ``duration_ms``: what is left of it."""
        del detector
        pieces = []
        while self._start_ms < duration_ms:
            pieces.append(self._cut(min(self._start_ms + self._length_ms, duration_ms)))
        return pieces

    def _span(self, end_ms: int) -> SpeechSpan:
        return SpeechSpan(self._start_ms, end_ms)

    def _cut(self, end_ms: int) -> SpanFrames:
        spoken = _cut_out(self._span(end_ms), self._frames, self._base)
        self._start_ms = end_ms
        gone = min(end_ms // FRAME_MS - self._base, len(self._frames))
        self._frames, self._base = self._frames[gone:].copy(), self._base + gone
        return spoken
