"""Blocks of any rate and number of channels → blocks of float32, mono, 16 kHz, each done before the next one is touched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.channels import Selection, selection
from engine.audio.read_options import Channel, ReadOptions
from engine.errors import AudioTooLongError, EmptyAudioError, NonFiniteAudioError, SampleRateError

Floats = NDArray[np.float32]

SAMPLE_RATE_HZ = 16_000
LOWEST_RATE_HZ = 2_000  # speech keeps its first formants above 2 kHz sampling; below there is nothing to recognize
HIGHEST_RATE_HZ = 768_000
QUALITY = "HQ"
#: More samples that are no numbers than this share, and a recording is refused rather than read with silence in their place.
MOST_NOT_NUMBERS = 0.5
#: A pause up to this long goes through the resampler, so that its edges do not ring; a longer one is handed on as it is.
SHORT_PAUSE_S = 1.0
#: Pauses are handed on in blocks: hours of them must not lie in memory.
PAUSE_BLOCK_SAMPLES = 1 << 18


#: Called between blocks by whoever reads; raises once the recording is no longer wanted.
CancelCheck = Callable[[], None]


class Sink(Protocol):
    """Whoever wants the samples."""

    def take(self, block: Floats) -> None:
        """The next samples (n,) float32, mono, 16 kHz; (n, columns) where the channels are kept apart."""

    def start_over(self) -> None:
        """What came so far is void: another library reads the recording from its beginning."""


def check_rate(sample_rate_hz: int, *, path: str | Path) -> None:
    """SampleRateError for a rate that no speech can be read from."""
    if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
        raise SampleRateError(path=path, sample_rate=sample_rate_hz, lowest=LOWEST_RATE_HZ, highest=HIGHEST_RATE_HZ)


class Mixdown:
    """Mixes the blocks of one recording down, checks and resamples them, and hands them on; the rate may change between blocks.

    ``read`` says what is taken of the channels, ``columns`` how many of them are kept apart.
    """

    def __init__(
        self, sink: Sink, *, path: str | Path, max_duration_s: float | None, read: ReadOptions | None = None, columns: int = 1
    ) -> None:
        self._sink, self._path, self._max_duration_s = sink, path, max_duration_s
        self._read, self._columns = read or ReadOptions(), columns
        self._rate = SAMPLE_RATE_HZ
        self._stream: soxr.ResampleStream | None = None
        self._channels: Selection | None = None  # of the blocks of the present rate
        self._width = 1  # channels of the last block
        self._given_samples = 0  # at 16 kHz
        self._section_from_s = 0.0  # where the blocks of the present rate begin
        self._section_samples = 0  # of the present rate, since then
        self._read_samples = 0
        #: Samples that are no numbers.
        self.not_numbers = 0

    @property
    def position_s(self) -> float:
        """Where the next block will lie."""
        return self._section_from_s + self._section_samples / self._rate

    @property
    def max_duration_s(self) -> float | None:
        """The limit in force."""
        return self._max_duration_s

    def expect(self, duration_s: float | None) -> None:
        """AudioTooLongError for a recording that says itself that it is longer than the limit; None where it does not say."""
        if duration_s is not None and self._max_duration_s is not None and duration_s > self._max_duration_s:
            raise AudioTooLongError(path=self._path, duration_s=duration_s, limit_s=self._max_duration_s)

    def add(self, block: NDArray[Any], sample_rate_hz: int) -> None:
        """Take a block (n, channels) of float32 at a rate; SampleRateError for a rate without speech."""
        check_rate(sample_rate_hz, path=self._path)
        if self._read.channel in (Channel.LEFT, Channel.RIGHT):
            one = min(self._read.channel is Channel.RIGHT, block.shape[1] - 1)
            block = block[:, one : one + 1]  # what is wrong with another channel is nobody's concern
        if not np.isfinite(block.sum()):  # a sum tells of any; which ones they are is looked up where there are some
            numbers = np.isfinite(block)
            self.not_numbers += int(np.count_nonzero(~numbers.all(axis=1)))
            block = np.where(numbers, block, np.float32(0))
        if sample_rate_hz != self._rate:
            self._end_section()
            self._rate = sample_rate_hz
        self._read_samples += len(block)
        self._width = block.shape[1]
        self._add(block)

    def pause(self, duration_s: float) -> None:
        """Silence where the recording has nothing; AudioTooLongError before any of it where it leads beyond the limit."""
        self.expect(self.position_s + duration_s)
        if duration_s <= SHORT_PAUSE_S:
            self._add(np.zeros((round(duration_s * self._rate), self._width), np.float32))
            return
        target = round((self.position_s + duration_s) * SAMPLE_RATE_HZ)
        self._end_section()
        block = np.zeros(PAUSE_BLOCK_SAMPLES if self._columns == 1 else (PAUSE_BLOCK_SAMPLES, self._columns), np.float32)
        while (left := target - self._given_samples) > 0:
            self._give(block[:left])
        self._section_from_s = self._given_samples / SAMPLE_RATE_HZ

    def finish(self) -> None:
        """Hand on what is still held; EmptyAudioError when nothing came, NonFiniteAudioError for hardly any number."""
        self._end_section()
        if not self._given_samples:
            raise EmptyAudioError(path=self._path)
        if self.not_numbers > self._read_samples * MOST_NOT_NUMBERS:
            raise NonFiniteAudioError(path=self._path, count=self.not_numbers)

    def _add(self, block: NDArray[Any]) -> None:
        self._section_samples += len(block)
        self.expect(self.position_s)  # whatever the header said
        if self._channels is None:
            self._channels = selection(self._read, sample_rate_hz=self._rate, columns=self._columns)
        self._resample(self._channels.add(block))

    def _resample(self, chosen: Floats) -> None:
        if self._rate == SAMPLE_RATE_HZ:
            self._give(chosen)
            return
        if self._stream is None:
            self._stream = soxr.ResampleStream(self._rate, SAMPLE_RATE_HZ, self._columns, "float32", QUALITY)
        self._give(self._stream.resample_chunk(chosen))

    def _end_section(self) -> None:
        """Hand on what the channels' choice and the resampler still hold."""
        if self._channels is not None:
            self._resample(self._channels.finish())
            self._channels = None
        if self._stream is not None:
            nothing = np.zeros(0 if self._columns == 1 else (0, self._columns), np.float32)
            self._give(self._stream.resample_chunk(nothing, last=True))
            self._stream = None
        self._section_from_s, self._section_samples = self._given_samples / SAMPLE_RATE_HZ, 0

    def _give(self, block: Floats) -> None:
        if len(block):
            self._given_samples += len(block)
            self._sink.take(block)
