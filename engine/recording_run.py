"""One recording's way through one session set: block by block, so that an hour costs no more memory than a minute.

Each block is decoded, becomes frames, and is searched for speech. The spans that end in it are recognized side by side
(:mod:`engine.segment_queue`) while the next block is read, which waits where they cannot keep up. The first one has every core to
itself, and its segment comes after the first half minute, whatever the length of the recording. Channels that are kept apart go this
way together, and their segments are passed on in the order of their times.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.audio.waveform import Recording, Waveform
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session_pool import SessionSet
from engine.runtime.slot_tasks import SlotWorkers
from engine.runtime.stop_signal import StopSignal
from engine.segment_queue import SegmentQueue
from engine.speech.channel_speech import ChannelSpeech, StageClock, channels_of, samples_of
from engine.speech.parts import Parts
from engine.speech.span_recognizer import SpanRecognizer
from engine.speech.speech_stream import SpanFrames
from engine.transcript import Segment

Floats = NDArray[np.float32]
#: Gets a fraction in [0, 1] and a stage.
Progress = Callable[[float, str], None]
OnSegment = Callable[[Segment], None]

#: Spans that wait for each other on a GPU: a few minutes of audio, from which batches of like lengths can be made.
GATHERED_SPANS = 48
#: How often a run that waits for its segments asks whether it is still wanted.
CANCEL_CHECK_S = 0.1


def no_progress(fraction: float, stage: str) -> None:
    """The progress callback of whoever wants none."""
    del fraction, stage


class RecordingRun:
    """One request's run, with its clock; what ``progress`` or ``on_segment`` raises ends it.

    ``on_segment`` gets each segment as soon as it is recognized and everything before it is; in the thread of the run, as ``progress``.
    ``workers`` recognize beside that thread; without them the run has one of its own.
    """

    def __init__(
        self,
        parts: Parts,
        sessions: SessionSet,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        progress: Progress | None = None,
        on_segment: OnSegment | None = None,
        workers: SlotWorkers | None = None,
    ) -> None:
        self._detector = parts.detector(sessions)
        stop = StopSignal()
        self._spans = SpanRecognizer(parts, sessions, options, stop=stop)
        # A device takes one run of a recording after another, whatever the processor's slots are.
        own = workers if workers is not None and sessions.asr.on_cpu else SlotWorkers(CoreSlots())
        self._queue = SegmentQueue(self._spans, own.tasks(), stop)
        self._options, self._progress, self._on_segment = options, progress or no_progress, on_segment
        self._clock = StageClock()
        self._channels: list[ChannelSpeech] = []
        self._fraction = 0.0
        self._expected_ms: int | None = None
        self._waiting: list[tuple[ChannelSpeech, SpanFrames]] = []
        self._began = False
        #: Recognized, but another channel may still bring something that was said before.
        self._held: list[Segment] = []
        self._found: list[Segment] = []

    @property
    def spent_s(self) -> dict[str, float]:
        """Seconds by stage: features, vad, asr."""
        return self._clock.spent_s

    def warm(self, frames: Floats, *, duration_ms: int) -> None:
        """Run both models once on a fbank (T, 80), whether or not there is speech in it."""
        self._detector.silence_between(frames, 0, len(frames))
        self._spans.recognize(frames, duration_ms=duration_ms)

    @property
    def warnings(self) -> tuple[ReadingWarning, ...]:
        """What of the options had no effect."""
        return self._spans.warnings

    @property
    def speech_track(self) -> Floats:
        """Probability of speech per 10 ms frame, in the channel where it is highest: (T,) float32; empty where VAD is off."""
        silences = [np.concatenate(channel.track) for channel in self._channels if channel.track]
        return np.asarray(1.0 - np.min(silences, axis=0), np.float32) if silences else np.zeros(0, np.float32)

    def segments(self, recording: Recording) -> tuple[Segment, ...]:
        """Read the recording and recognize every span in it, in the order of their times; spans without speech are left out."""
        self._channels = channels_of(recording, self._options)
        self._expected_ms = _expected_ms(recording)
        self._progress(0.0, "decode")
        try:
            with closing(recording.blocks()) as blocks:  # a run that fails lets go of its decoder at once
                for block in blocks:
                    for channel, samples in samples_of(self._channels, block):
                        self._add(channel, samples)
            for channel in self._channels:
                with self._clock.stage("vad"):
                    spoken = channel.speech.finish(self._detector, duration_ms=channel.frames.duration_ms)
                self._recognize(channel, spoken, last=channel is self._channels[-1])
            self._settle(most=0)
        finally:
            self._queue.close()
        self._release(None)
        self._progress(1.0, "asr")
        return tuple(self._found)

    def _add(self, channel: ChannelSpeech, samples: Floats) -> None:
        """Take a channel's next samples, and have what they bring to an end recognized."""
        at_ms = channel.frames.duration_ms
        self._step(at_ms, "features")
        with self._clock.stage("features"):
            new = channel.frames.add(samples)
        self._pass_on()
        self._step(at_ms, "vad")
        with self._clock.stage("vad"):
            spoken = channel.speech.add(new, self._detector)
        self._recognize(channel, spoken)

    def _step(self, at_ms: int, stage: str) -> None:
        """Report how far the run is; never less than before, should the header have promised too little."""
        if self._expected_ms:
            self._fraction = max(self._fraction, min(at_ms / self._expected_ms, 1.0))
        self._progress(self._fraction, stage)

    def _recognize(self, channel: ChannelSpeech, spoken: list[SpanFrames], *, last: bool = False) -> None:
        """Recognize what was spoken: side by side, or where batches pay with others of its length."""
        if self._spans.batches:
            self._gather([(channel, one) for one in spoken], last=last)
            return
        for one in spoken:
            self._step(one.span.start_ms, "asr")
            self._queue.add(channel, one)
            if not self._began:
                self._began = True
                self._settle(most=0)
        self._settle(most=self._queue.most)

    def _settle(self, *, most: int) -> None:
        """Pass on what is complete, and wait while more than ``most`` spans are not."""
        self._pass_on()
        while len(self._queue) > most:
            with self._clock.stage("asr"):
                self._queue.wait(CANCEL_CHECK_S)
            self._progress(self._fraction, "asr")
            self._pass_on()

    def _pass_on(self) -> None:
        self._held += self._queue.take()
        self._release(self._earliest_ms())

    def _gather(self, new: list[tuple[ChannelSpeech, SpanFrames]], *, last: bool) -> None:
        """Let spans wait for others, but the first ones and the last."""
        self._waiting += new
        if self._waiting and (last or not self._began or len(self._waiting) >= GATHERED_SPANS):
            spoken, self._waiting, self._began = self._waiting, [], True
            self._step(spoken[0][1].span.start_ms, "asr")
            with self._clock.stage("asr"):
                segments = self._spans.segments([one.span for _, one in spoken], [one.frames for _, one in spoken])
            self._held += [replace(one, channel=channel.number) for (channel, _), one in zip(spoken, segments, strict=True) if one]
        self._release(self._earliest_ms())

    def _earliest_ms(self) -> int | None:
        """No segment that is still to come begins before this; None where they come in order anyway."""
        if len(self._channels) == 1:
            return None
        queued = self._queue.earliest_ms
        waiting = [one.span.start_ms for _, one in self._waiting] + ([] if queued is None else [queued])
        return min([channel.speech.earliest_ms for channel in self._channels] + waiting)

    def _release(self, before_ms: int | None) -> None:
        """Pass on what is held and begins before a time, None for all."""
        passed = [segment for segment in self._held if before_ms is None or segment.start_ms < before_ms]
        self._held = [segment for segment in self._held if before_ms is not None and segment.start_ms >= before_ms]
        for segment in sorted(passed, key=lambda one: (one.start_ms, one.end_ms, one.channel or 0)):
            self._found.append(segment)
            if self._on_segment is not None:
                self._on_segment(segment)


def _expected_ms(recording: Recording) -> int | None:
    """How long the recording will be, as far as anybody knows."""
    if isinstance(recording, Waveform):
        return recording.duration_ms
    return None if recording.expected_s is None else round(recording.expected_s * 1000)
