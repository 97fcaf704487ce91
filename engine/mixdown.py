"""Blocks of any rate and number of channels → blocks of float32, mono, 16 kHz, each done before the next one is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.channels import selection
from engine.errors import AudioTooLongError, EmptyAudioError, NonFiniteAudioError, SampleRateError
from engine.read_options import ReadOptions

Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
LOWEST_RATE_HZ = 2_000  # speech keeps its first formants above 2 kHz sampling; below there is nothing to recognize
HIGHEST_RATE_HZ = 768_000
QUALITY = "HQ"


#: Called between blocks by whoever reads; raises once the recording is no longer wanted.
Look = Callable[[], None]


class Sink(Protocol):
    """Whoever wants the samples."""

    def take(self, block: Floats) -> None:
        """The next samples (n,) float32, mono, 16 kHz; (n, columns) where the channels are kept apart."""

    def start_over(self) -> None:
        """What came so far is void: another library reads the recording from its beginning."""


class Mixdown:
    """Mixes the blocks of one recording down, checks and resamples them, and hands them on.

    ``read`` says what is taken of the channels, ``columns`` how many of them are kept apart.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        path: str | Path,
        sample_rate_hz: int,
        max_duration_s: float | None,
        read: ReadOptions | None = None,
        columns: int = 1,
    ) -> None:
        if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
            raise SampleRateError(path=path, sample_rate=sample_rate_hz, lowest=LOWEST_RATE_HZ, highest=HIGHEST_RATE_HZ)
        self._sink, self._path, self._max_duration_s, self._rate = sink, path, max_duration_s, sample_rate_hz
        same = sample_rate_hz == SAMPLE_RATE_HZ
        self._stream = None if same else soxr.ResampleStream(sample_rate_hz, SAMPLE_RATE_HZ, columns, "float32", QUALITY)
        self._channels = selection(read or ReadOptions(), sample_rate_hz=sample_rate_hz, columns=columns)
        self._read_samples = self._given_samples = 0

    def expect(self, duration_s: float | None) -> None:
        """AudioTooLongError for a recording that says itself that it is longer than the limit; None where it does not say."""
        if duration_s is not None and self._max_duration_s is not None and duration_s > self._max_duration_s:
            raise AudioTooLongError(path=self._path, duration_s=duration_s, limit_s=self._max_duration_s)

    def add(self, block: NDArray[Any]) -> None:
        """Take a block (n, channels) of float32."""
        chosen = self._channels.add(block)
        wrong = int(np.count_nonzero(~np.isfinite(chosen)))
        if wrong:
            raise NonFiniteAudioError(path=self._path, count=wrong)
        self._read_samples += len(block)
        self.expect(self._read_samples / self._rate)  # whatever the header said
        self._resample(chosen)

    def finish(self) -> None:
        """Hand on what is still held; EmptyAudioError when nothing came."""
        if self._read_samples:
            self._resample(self._channels.finish(), last=True)
        if not self._given_samples:
            raise EmptyAudioError(path=self._path)

    def _resample(self, chosen: Floats, *, last: bool = False) -> None:
        self._give(chosen if self._stream is None else self._stream.resample_chunk(chosen, last=last))

    def _give(self, block: Floats) -> None:
        if len(block):
            self._given_samples += len(block)
            self._sink.take(block)
