"""A recording's channels, each with its frames and its spans: the one way from samples to speech for users and archives alike."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import Recording, Waveform
from engine.options import VAD_OFF, TranscribeOptions
from engine.speech.frame_stream import FrameStream
from engine.speech.speech_stream import EqualPieces, SpeechStream

Floats = NDArray[np.float32]


class ChannelSpeech:
    """One channel's frames and spans; a recording that is mixed down has one, without a number."""

    def __init__(self, options: TranscribeOptions, *, number: int | None) -> None:
        self.number = number
        self.frames = FrameStream()
        #: Probabilities of silence so far.
        self.track: list[Floats] = []
        off = options.vad_precision == VAD_OFF
        self.speech = EqualPieces(options.vad) if off else SpeechStream(options.vad, on_scored=self.track.append)


class StageClock:
    """Seconds by stage."""

    def __init__(self) -> None:
        self.spent_s = {"features": 0.0, "vad": 0.0, "asr": 0.0}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Count the block as a stage's."""
        started = time.perf_counter()
        yield
        self.spent_s[name] += time.perf_counter() - started


def channels_of(recording: Recording, options: TranscribeOptions) -> list[ChannelSpeech]:
    """The channels that are recognized on their own, numbered from 1; one without a number where they are mixed."""
    apart = None if isinstance(recording, Waveform) else recording.columns
    return [ChannelSpeech(options, number=number) for number in ([None] if apart is None else range(1, apart + 1))]


def samples_of(channels: Sequence[ChannelSpeech], block: Floats) -> Iterator[tuple[ChannelSpeech, Floats]]:
    """Each channel's samples (N,) of a block, (N,) or (N, channels)."""
    for channel, samples in zip(channels, block.reshape(len(block), -1).T, strict=True):
        yield channel, np.ascontiguousarray(samples)
