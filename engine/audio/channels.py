"""Channels → what is recognized of them: one channel, their mean, each on its own, or the mean without those that spoil it.

A Selection takes blocks (n, channels) as they are read and gives (m,) float32, or (m, columns) where the channels are kept apart.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.channel_choice import ChannelChoice
from engine.audio.read_options import Channel, ReadOptions

Floats = NDArray[np.float32]


class Selection(Protocol):
    """One recording's channels on their way to the recognizer."""

    def add(self, block: NDArray[Any]) -> Floats:
        """What is decided with a block (n, channels) of float32: (m,) or (m, columns), m perhaps 0."""

    def finish(self) -> Floats:
        """What was still undecided."""


def selection(read: ReadOptions, *, sample_rate_hz: int, columns: int = 1) -> Selection:
    """The selection that options ask for; ``columns`` are the channels that SPLIT keeps apart."""
    match read.channel:
        case Channel.LEFT:
            return _OneChannel(0)
        case Channel.RIGHT:
            return _OneChannel(1)
        case Channel.SPLIT if columns > 1:
            return _EachChannel(columns)
        case Channel.AUTO:
            return _Chosen(sample_rate_hz)
    return _Mean()


class _WithoutDelay:
    """Everything is decided at once."""

    def finish(self) -> Floats:
        return np.zeros(0, np.float32)


class _Mean(_WithoutDelay):
    def add(self, block: NDArray[Any]) -> Floats:
        return _mean(block)


class _OneChannel(_WithoutDelay):
    def __init__(self, index: int) -> None:
        self._index = index

    def add(self, block: NDArray[Any]) -> Floats:
        """The channel; the only one of a mono recording."""
        return np.ascontiguousarray(block[:, min(self._index, block.shape[1] - 1)], np.float32)


class _EachChannel(_WithoutDelay):
    def __init__(self, columns: int) -> None:
        self._columns = columns

    def add(self, block: NDArray[Any]) -> Floats:
        """A column a channel; where a stream goes on with fewer channels, the rest is silence."""
        apart = np.zeros((len(block), self._columns), np.float32)
        both = min(self._columns, block.shape[1])
        apart[:, :both] = block[:, :both]
        return apart

    def finish(self) -> Floats:
        return np.zeros((0, self._columns), np.float32)


class _Chosen:
    """The mean of the channels that carry speech, in phase; exactly the plain mean wherever nothing is wrong with it."""

    def __init__(self, sample_rate_hz: int) -> None:
        self._rate = sample_rate_hz
        self._choice: ChannelChoice | None = None
        self._channels = 0

    def add(self, block: NDArray[Any]) -> Floats:
        if not np.isfinite(block.sum()):
            return _mean(block)  # NaN cannot be compared; the caller refuses the recording
        before = np.zeros(0, np.float32)
        if block.shape[1] != self._channels:
            before, self._channels = self.finish(), block.shape[1]
        if not ChannelChoice.can_choose(self._channels):
            return np.concatenate([before, _mean(block)])
        if self._choice is None:
            self._choice = ChannelChoice(channels=self._channels, sample_rate_hz=self._rate)
        return np.concatenate([before, *(_weighted(*piece) for piece in self._choice.add(block))])

    def finish(self) -> Floats:
        choice, self._choice = self._choice, None
        pieces = [] if choice is None else [_weighted(*piece) for piece in choice.finish()]
        return np.concatenate([np.zeros(0, np.float32), *pieces])


def _mean(block: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))


def _weighted(block: Floats, before: Floats | None, weights: Floats | None, fade_samples: int) -> Floats:
    """A piece (n, channels) under its weights (channels,), faded in from those of the piece before it; None is the plain mean."""
    mixed = _under(block, weights)
    if before is not weights:
        fade = min(fade_samples, len(block))
        share = np.linspace(0.0, 1.0, fade, endpoint=False, dtype=np.float32)
        mixed[:fade] = _under(block[:fade], before) * (1 - share) + mixed[:fade] * share
    return mixed


def _under(block: Floats, weights: Floats | None) -> Floats:
    return _mean(block) if weights is None else np.asarray(block @ weights, np.float32)
