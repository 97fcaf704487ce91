"""One recording's way through one session set: block by block, so that an hour costs no more memory than a minute.

Each block is decoded, becomes frames, is searched for speech, and the spans that end in it are recognized before the next block is
read. The first segment comes after the first half minute, whatever the length of the recording.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import numpy as np
from numpy.typing import NDArray

from engine.audio import AudioStream, Waveform
from engine.frame_stream import FrameStream
from engine.parts import Parts
from engine.precision import VAD_OFF, SessionSet
from engine.segments import VadOptions
from engine.span_recognizer import SpanRecognizer, Wishes
from engine.speech_stream import EqualPieces, SpeechStream, Spoken
from engine.transcript import Segment

Floats = NDArray[np.float32]
Progress = Callable[[float, str], None]
Recording = Waveform | AudioStream

#: Spans that wait for each other on a GPU: a few minutes of audio, from which batches of like lengths can be made.
GATHERED_SPANS = 48


class RecordingRun:
    """One request's run, with its clock; what ``tell`` or ``wishes.on_segment`` raises ends it."""

    def __init__(self, parts: Parts, sessions: SessionSet, *, tell: Progress, wishes: Wishes) -> None:
        self._detector = parts.detector(sessions)
        self._spans = SpanRecognizer(parts, sessions, wishes)
        self._tell, self._wishes = tell, wishes
        self._track: list[Floats] = []
        self._told = 0.0
        self._waiting: list[Spoken] = []
        self._began = False
        #: Seconds by stage.
        self.spent_s = {"features": 0.0, "vad": 0.0, "asr": 0.0}

    def warm(self, frames: Floats, *, duration_ms: int) -> None:
        """Run both models once on a fbank (T, 80), whether or not there is speech in it."""
        self._detector.silence_probabilities(frames)
        self._spans.recognize(frames, duration_ms=duration_ms)

    @property
    def speech_track(self) -> Floats:
        """Probability of speech per 10 ms frame: (T,) float32; empty where VAD is off."""
        return np.asarray(1.0 - np.concatenate(self._track), np.float32) if self._track else np.zeros(0, np.float32)

    def segments(self, recording: Recording, options: VadOptions) -> tuple[Segment, ...]:
        """Read the recording and recognize every span in it; spans without speech in them are left out."""
        frames = FrameStream()
        off = self._wishes.vad_precision == VAD_OFF
        speech = EqualPieces(options) if off else SpeechStream(options, on_scored=self._track.append)
        found: list[Segment] = []
        expected_ms = _expected_ms(recording)
        self._tell(0.0, "decode")
        with closing(recording.blocks()) as blocks:  # a run that fails lets go of its decoder at once
            for block in blocks:
                at_ms = frames.duration_ms
                self._step(at_ms, expected_ms, "features")
                with self._clock("features"):
                    new = frames.add(block)
                self._step(at_ms, expected_ms, "vad")
                with self._clock("vad"):
                    spoken = speech.add(new, self._detector)
                found += self._recognized(spoken, expected_ms)
        with self._clock("vad"):
            spoken = speech.finish(self._detector, duration_ms=frames.duration_ms)
        found += self._recognized(spoken, expected_ms, last=True)
        self._tell(1.0, "asr")
        return tuple(found)

    def _step(self, at_ms: int, expected_ms: int | None, stage: str) -> None:
        """Tell how far the run is; never less than before, should the header have promised too little."""
        if expected_ms:
            self._told = max(self._told, min(at_ms / expected_ms, 1.0))
        self._tell(self._told, stage)

    def _recognized(self, spoken: list[Spoken], expected_ms: int | None, *, last: bool = False) -> list[Segment]:
        """Segments of what was spoken; where batches pay, spans wait for others, but the first ones and the last."""
        if not self._spans.batches:
            return [segment for one in spoken for segment in self._told_segments([one], expected_ms)]
        self._waiting += spoken
        if self._waiting and (last or not self._began or len(self._waiting) >= GATHERED_SPANS):
            spoken, self._waiting, self._began = self._waiting, [], True
            return self._told_segments(spoken, expected_ms)
        return []

    def _told_segments(self, spoken: list[Spoken], expected_ms: int | None) -> list[Segment]:
        self._step(spoken[0].span.start_ms, expected_ms, "asr")
        with self._clock("asr"):
            segments = self._spans.segments([one.span for one in spoken], [one.frames for one in spoken])
        found = [segment for segment in segments if segment is not None]
        if self._wishes.on_segment is not None:
            for segment in found:
                self._wishes.on_segment(segment)
        return found

    @contextmanager
    def _clock(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.spent_s[stage] += time.perf_counter() - started


def _expected_ms(recording: Recording) -> int | None:
    """How long the recording will be, as far as anybody knows."""
    if isinstance(recording, Waveform):
        return recording.duration_ms
    return None if recording.expected_s is None else round(recording.expected_s * 1000)
