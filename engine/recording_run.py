"""One recording's way through one session set: block by block, so that an hour costs no more memory than a minute.

Each block is decoded, becomes frames, is searched for speech, and the spans that end in it are recognized before the next block is
read. The first segment comes after the first half minute, whatever the length of the recording. Channels that are kept apart go
this way side by side, and their segments are passed on in the order of their times.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import AudioStream, Waveform
from engine.runtime.session_pool import VAD_OFF, SessionSet
from engine.speech.endpointing import VadOptions
from engine.speech.frame_stream import FrameStream
from engine.speech.parts import Parts
from engine.speech.span_recognizer import SpanRecognizer, Wishes
from engine.speech.speech_stream import EqualPieces, SpeechStream, Spoken
from engine.transcript import Segment

Floats = NDArray[np.float32]
Progress = Callable[[float, str], None]
Recording = Waveform | AudioStream

#: Spans that wait for each other on a GPU: a few minutes of audio, from which batches of like lengths can be made.
GATHERED_SPANS = 48


class _Channel:
    """One channel's frames and spans; a recording that is mixed down has one."""

    def __init__(self, options: VadOptions, *, vad_off: bool, number: int | None) -> None:
        self.number = number
        self.frames = FrameStream()
        self.track: list[Floats] = []
        self.speech = EqualPieces(options) if vad_off else SpeechStream(options, on_scored=self.track.append)


class RecordingRun:
    """One request's run, with its clock; what ``tell`` or ``wishes.on_segment`` raises ends it."""

    def __init__(self, parts: Parts, sessions: SessionSet, *, tell: Progress, wishes: Wishes) -> None:
        self._detector = parts.detector(sessions)
        self._spans = SpanRecognizer(parts, sessions, wishes)
        self._tell, self._wishes = tell, wishes
        self._channels: list[_Channel] = []
        self._told = 0.0
        self._waiting: list[tuple[_Channel, Spoken]] = []
        self._began = False
        #: Recognized, but another channel may still bring something that was said before.
        self._held: list[Segment] = []
        self._found: list[Segment] = []
        #: Seconds by stage.
        self.spent_s = {"features": 0.0, "vad": 0.0, "asr": 0.0}

    def warm(self, frames: Floats, *, duration_ms: int) -> None:
        """Run both models once on a fbank (T, 80), whether or not there is speech in it."""
        self._detector.silence_probabilities(frames)
        self._spans.recognize(frames, duration_ms=duration_ms)

    @property
    def speech_track(self) -> Floats:
        """Probability of speech per 10 ms frame, in the channel where it is highest: (T,) float32; empty where VAD is off."""
        silences = [np.concatenate(channel.track) for channel in self._channels if channel.track]
        return np.asarray(1.0 - np.min(silences, axis=0), np.float32) if silences else np.zeros(0, np.float32)

    def segments(self, recording: Recording, options: VadOptions) -> tuple[Segment, ...]:
        """Read the recording and recognize every span in it, in the order of their times; spans without speech are left out."""
        off = self._wishes.vad_precision == VAD_OFF
        apart = None if isinstance(recording, Waveform) else recording.columns
        numbers = [None] if apart is None else range(1, apart + 1)
        self._channels = [_Channel(options, vad_off=off, number=number) for number in numbers]
        expected_ms = _expected_ms(recording)
        self._tell(0.0, "decode")
        with closing(recording.blocks()) as blocks:  # a run that fails lets go of its decoder at once
            for block in blocks:
                for channel, samples in zip(self._channels, block.reshape(len(block), -1).T, strict=True):
                    self._add(channel, np.ascontiguousarray(samples), expected_ms)
        for channel in self._channels:
            with self._clock("vad"):
                spoken = channel.speech.finish(self._detector, duration_ms=channel.frames.duration_ms)
            self._recognize(channel, spoken, expected_ms, last=channel is self._channels[-1])
        self._release(None)
        self._tell(1.0, "asr")
        return tuple(self._found)

    def _add(self, channel: _Channel, samples: Floats, expected_ms: int | None) -> None:
        """Take a channel's next samples, and recognize what they bring to an end."""
        at_ms = channel.frames.duration_ms
        self._step(at_ms, expected_ms, "features")
        with self._clock("features"):
            new = channel.frames.add(samples)
        self._step(at_ms, expected_ms, "vad")
        with self._clock("vad"):
            spoken = channel.speech.add(new, self._detector)
        self._recognize(channel, spoken, expected_ms)

    def _step(self, at_ms: int, expected_ms: int | None, stage: str) -> None:
        """Tell how far the run is; never less than before, should the header have promised too little."""
        if expected_ms:
            self._told = max(self._told, min(at_ms / expected_ms, 1.0))
        self._tell(self._told, stage)

    def _recognize(self, channel: _Channel, spoken: list[Spoken], expected_ms: int | None, *, last: bool = False) -> None:
        """Recognize what was spoken; where batches pay, spans wait for others, but the first ones and the last."""
        new = [(channel, one) for one in spoken]
        if not self._spans.batches:
            for one in new:
                self._hold([one], expected_ms)
                if len(self._channels) == 1:
                    self._release(None)
        else:
            self._waiting += new
            if self._waiting and (last or not self._began or len(self._waiting) >= GATHERED_SPANS):
                waiting, self._waiting, self._began = self._waiting, [], True
                self._hold(waiting, expected_ms)
        self._release(self._earliest_ms())

    def _hold(self, spoken: list[tuple[_Channel, Spoken]], expected_ms: int | None) -> None:
        self._step(spoken[0][1].span.start_ms, expected_ms, "asr")
        with self._clock("asr"):
            segments = self._spans.segments([one.span for _, one in spoken], [one.frames for _, one in spoken])
        self._held += [replace(segment, channel=channel.number) for (channel, _), segment in zip(spoken, segments, strict=True) if segment]

    def _earliest_ms(self) -> int | None:
        """No segment that is still to come begins before this; None where they come in order anyway."""
        if len(self._channels) == 1:
            return None
        return min([channel.speech.earliest_ms for channel in self._channels] + [one.span.start_ms for _, one in self._waiting])

    def _release(self, before_ms: int | None) -> None:
        """Pass on what is held and begins before a time, None for all."""
        passed = [segment for segment in self._held if before_ms is None or segment.start_ms < before_ms]
        self._held = [segment for segment in self._held if before_ms is not None and segment.start_ms >= before_ms]
        for segment in sorted(passed, key=lambda one: (one.start_ms, one.end_ms, one.channel or 0)):
            self._found.append(segment)
            if self._wishes.on_segment is not None:
                self._wishes.on_segment(segment)

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
