"""Blocks of samples as a microphone gives them, of any type, rate and number of channels → the frames of the one frontend."""

from __future__ import annotations

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.waveform import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, QUALITY, SAMPLE_RATE_HZ, scaled
from engine.errors import AudioDecodeError, NonFiniteAudioError, SampleRateError
from engine.speech.frame_stream import FrameStream, NewFrames

Floats = NDArray[np.float32]

NAME = "live audio"


class LiveResampler:
    """Blocks at any rate, of any sample type and number of channels → float32 mono at 16 kHz, without a seam between blocks."""

    def __init__(self) -> None:
        self._rate: int | None = None
        self._stream: Any = None

    def add(self, block: NDArray[Any], sample_rate_hz: int) -> Floats:
        """Take a block (n,) or (n, channels): the samples (m,) that are complete with it.

        Raises SampleRateError, NonFiniteAudioError, and AudioDecodeError for what is no block of samples.
        """
        mono = _mono(block)
        before = self.flush() if sample_rate_hz != self._rate else np.zeros(0, np.float32)
        self._follow(sample_rate_hz)
        after: Floats = mono if self._stream is None else self._stream.resample_chunk(mono)
        return np.concatenate([before, after]) if len(before) else after

    def flush(self) -> Floats:
        """The samples that the filter still held back; a new stream begins after them."""
        held: Floats = np.zeros(0, np.float32)
        if self._stream is not None:
            held = self._stream.resample_chunk(held, last=True)
        self._rate = self._stream = None
        return held

    def _follow(self, rate: int) -> None:
        if rate == self._rate:
            return
        if not LOWEST_RATE_HZ <= rate <= HIGHEST_RATE_HZ:
            raise SampleRateError(path=NAME, sample_rate=rate, lowest=LOWEST_RATE_HZ, highest=HIGHEST_RATE_HZ)
        self._stream = None if rate == SAMPLE_RATE_HZ else soxr.ResampleStream(rate, SAMPLE_RATE_HZ, 1, "float32", QUALITY)
        self._rate = rate


def _mono(block: NDArray[Any]) -> Floats:
    if block.ndim not in (1, 2) or block.dtype.kind not in "iuf":
        raise AudioDecodeError(path=NAME, reason=f"a block of {block.ndim} dimensions and type {block.dtype} holds no samples")
    samples = scaled(block)
    mono = np.ascontiguousarray(samples if samples.ndim == 1 else samples.mean(axis=1, dtype=np.float32), np.float32)
    wrong = int(np.count_nonzero(~np.isfinite(mono)))
    if wrong:
        raise NonFiniteAudioError(path=NAME, count=wrong)
    return mono


class LiveAudio:
    """Turns the blocks of a stream into frames."""

    def __init__(self) -> None:
        self._resampler, self._frames = LiveResampler(), FrameStream()

    @property
    def duration_ms(self) -> int:
        """How much audio came, in whole milliseconds."""
        return self._frames.duration_ms

    def add(self, block: NDArray[Any], sample_rate_hz: int) -> NewFrames:
        """Take a block; errors as those of :meth:`LiveResampler.add`."""
        return self._frames.add(self._resampler.add(block, sample_rate_hz))

    def flush(self) -> NewFrames:
        """What the resampler still held."""
        return self._frames.add(self._resampler.flush())
