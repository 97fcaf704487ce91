"""Samples at 16 kHz as they come → the frames of the one frontend, and the energy of each; nothing else is kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.speech.endpointing import frame_decibels
from engine.speech.features import FRAME_SHIFT_MS, FbankStream

Floats = NDArray[np.float32]

_FRAME_SHIFT_SAMPLES = SAMPLE_RATE_HZ * FRAME_SHIFT_MS // 1000


@dataclass(frozen=True)
class NewFrames:
    """Frames that became whole: fbank (T, 80) and energies (T,) in dB."""

    fbank: Floats
    decibels: Floats


class FrameStream:
    """Counts the samples of a stream and turns them into frames."""

    def __init__(self) -> None:
        self._fbank = FbankStream()
        #: The samples from the next frame's first one on: at most a frame's length.
        self._tail: Floats = np.zeros(0, np.float32)
        self.samples = 0

    @property
    def duration_ms(self) -> int:
        """How much audio came, in whole milliseconds."""
        return self.samples * 1000 // SAMPLE_RATE_HZ

    def add(self, samples: Floats) -> NewFrames:
        """Take samples (N,) float32 at 16 kHz: the frames that became whole with them."""
        self.samples += len(samples)
        frames = self._fbank.add(samples)
        held = np.concatenate([self._tail, samples])
        self._tail = held[len(frames) * _FRAME_SHIFT_SAMPLES :].copy()
        return NewFrames(frames, frame_decibels(held, frames=len(frames)))
