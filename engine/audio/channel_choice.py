"""Which of a recording's channels carry speech, decided second by second as they come.

A channel is left out where it adds nothing but steady noise, or nothing at all, to the channel that speaks, and the plain mean is worse
for it; channels in opposite phase are turned over. Every second is judged with the two before and the two after it: whatever
begins to speak in a channel that was left out is kept from the first word on. What is compared are levels of frames of 20 ms between
150 and 1500 Hz, where vowels stand out of noise; speech rises and falls by 20 dB within seconds, steady noise stays within 3 dB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Grams = NDArray[np.float64]
Piece = tuple[Floats, Floats | None, Floats | None, int]

FRAMES_PER_PIECE = 50
FRAME_MS = 20
#: Pieces before and after the one that is judged.
AROUND = 2
FADE_MS = 10
#: More channels are an array of microphones, not a recording with a faulty channel.
MOST_CHANNELS = 16
BAND_HZ = (150.0, 1500.0)
#: Samples are averaged down to about this rate first, which is all that the band needs.
COARSE_HZ = 8_000
#: Energy a sample that counts as digital silence: -100 dB.
FLOOR = 1e-10
#: Loudest to quietest frames (percentiles, so that a click is neither), in dB.
LOUD, QUIET = 98.0, 10.0
SPEECH_DB = 12.0
STEADY_DB = 4.0
#: Noise that swells and falls, a fan's or a road's, is steady beside the median of its 0.6 s, and does not swell more than this.
SWELL_FRAMES = 31
SWELL_DB = 14.0
SILENT_DB = -66.0
#: More contrast makes speech no clearer.
CLEAR_DB = 30.0
#: The mean is worse where it has so much less contrast, or so much less level: one silent channel of two costs 6 dB.
HARM_CONTRAST_DB, HARM_LEVEL_DB = 3.0, 4.5
#: Correlation below which channels are in opposite phase, and above which they are not any more.
OPPOSITE, NOT_OPPOSITE = -0.7, -0.3
#: A channel so far below another, rising and falling with it, is that one's crosstalk.
CROSSTALK_DB, CROSSTALK_CORRELATION = 25.0, 0.5
#: Frames whose median is a level: a crackle of less than 60 ms is none.
MEDIAN_FRAMES = 5
#: Seconds of speech of its own after which a channel is not left out for its silence any more, and after which never.
OWN_PIECES, SURELY_OWN_PIECES = 3, 20


class ChannelChoice:
    """Follows one recording; gives its pieces with the weights (channels,) of the piece before and their own, None for the plain mean."""

    @staticmethod
    def can_choose(channels: int) -> bool:
        """Whether there is anything to choose from."""
        return 1 < channels <= MOST_CHANNELS

    def __init__(self, *, channels: int, sample_rate_hz: int) -> None:
        self._averaged = max(1, sample_rate_hz // COARSE_HZ)
        coarse = max(2, round(sample_rate_hz * FRAME_MS / 1000 / self._averaged))
        self._frame_samples = coarse * self._averaged
        hertz = np.fft.rfftfreq(coarse, self._averaged / sample_rate_hz)
        self._band = (hertz >= BAND_HZ[0]) & (hertz <= BAND_HZ[1])
        window = np.hanning(coarse)[:, None]
        self._window = window * np.sqrt(2 / coarse / np.square(window).sum())  # a spectrum's squares are then energies a sample
        self._fade_samples = sample_rate_hz * FADE_MS // 1000
        self._held: list[Floats] = []
        self._held_samples = 0
        self._waiting: deque[Floats] = deque()
        self._grams: deque[Grams] = deque()
        self._passed = 0  # grams before the first piece that waits
        self._judge = _Judge(channels)
        self._weights: Floats | None = None
        self._first = True

    def add(self, block: NDArray[Any]) -> Iterator[Piece]:
        """The pieces that a block (n, channels) of float32 decides."""
        size = self._frame_samples * FRAMES_PER_PIECE
        self._held.append(np.asarray(block, np.float32))
        self._held_samples += len(block)
        if self._held_samples < size:
            return
        joined = np.concatenate(self._held)
        whole = len(joined) - len(joined) % size
        self._held, self._held_samples = [joined[whole:].copy()], len(joined) - whole
        for start in range(0, whole, size):
            self._take(joined[start : start + size])
            if len(self._waiting) > AROUND:
                yield self._next()

    def finish(self) -> Iterator[Piece]:
        """The last pieces."""
        if self._held_samples:
            self._take(np.concatenate(self._held))
        while self._waiting:
            yield self._next()

    def _take(self, piece: Floats) -> None:
        frames = len(piece) // self._frame_samples
        whole = piece[: frames * self._frame_samples].astype(np.float64)
        coarse = whole.reshape(frames, len(self._window), self._averaged, piece.shape[1]).mean(axis=2)
        spectra = np.fft.rfft(coarse * self._window, axis=1)[:, self._band]
        self._waiting.append(piece)
        self._grams.append((spectra.conj().transpose(0, 2, 1) @ spectra).real)

    def _next(self) -> Piece:
        around = [gram for place, gram in enumerate(self._grams) if place <= self._passed + AROUND]
        before, self._weights = self._weights, self._judge.weights(np.concatenate(around), self._weights)
        if self._first:  # nothing to fade from
            before, self._first = self._weights, False
        self._passed += 1
        if self._passed > AROUND:
            self._grams.popleft()
            self._passed -= 1
        return self._waiting.popleft(), before, self._weights, self._fade_samples


@dataclass
class _Judge:
    """Decides from Gram matrices (frames, channels, channels) of the samples: all levels, and those of any mix, follow from them."""

    channels: int
    #: Which channels are taken, and with which sign, as last decided.
    kept: NDArray[np.bool_] = field(init=False)
    signs: NDArray[np.float64] = field(init=False)
    #: Pieces in which a channel held speech of its own.
    own: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        self.kept, self.signs, self.own = np.ones(self.channels, bool), np.ones(self.channels), np.zeros(self.channels, np.int64)

    def weights(self, grams: Grams, last: Floats | None) -> Floats | None:
        """The weights of the piece in the middle of ``grams``; ``last`` itself where they are the last ones."""
        if len(grams):
            self._decide(grams)
        if self.kept.all() and (self.signs > 0).all():
            return None
        signs = self.signs * self.signs[np.argmax(self.kept)]  # the first channel as it is: a change of polarity would be a gap
        weights = np.asarray(np.where(self.kept, signs, 0.0) / self.kept.sum(), np.float32)
        return last if last is not None and np.array_equal(weights, last) else weights

    def _decide(self, grams: Grams) -> None:
        levels = [_Level(grams[:, channel, channel]) for channel in range(self.channels)]
        # The channel whose speech stands out most; of equal ones the loudest.
        lead = max(range(self.channels), key=lambda channel: min(levels[channel].contrast_db, CLEAR_DB) + 0.01 * levels[channel].loud_db)
        speaks = levels[lead].contrast_db >= SPEECH_DB
        self._turn_over(grams.sum(axis=0), lead)
        rests = [_Level(_rest(grams, channel, lead)) for channel in range(self.channels)]
        empty = np.array([channel != lead and _adds_nothing(levels, rests, channel, lead) for channel in range(self.channels)])
        if speaks:
            self._count_own(levels, rests, empty, lead)
        if (self.own >= SURELY_OWN_PIECES).all():
            empty[:] = False
        dropped = ~self.kept
        stays = bool(dropped.any()) and bool(empty[dropped].all())
        if speaks and empty.any() and (self._is_worse(grams, empty) or stays):
            self.kept = ~empty
        elif speaks or not stays:
            self.kept = np.ones(self.channels, bool)

    def _turn_over(self, total: Grams, lead: int) -> None:
        """Signs of the channels that are in opposite phase to the leading one."""
        power = np.sqrt(np.maximum(np.diag(total), FLOOR))
        correlation = total[lead] / power / power[lead]
        was = self.signs * self.signs[lead] < 0
        opposite = np.where(was, correlation < NOT_OPPOSITE, correlation < OPPOSITE)
        self.signs = np.where(opposite, -1.0, 1.0)

    def _count_own(self, levels: list[_Level], rests: list[_Level], empty: NDArray[np.bool_], lead: int) -> None:
        others = np.delete(empty, lead)
        self.own[lead] += bool(others.all())
        for channel in range(self.channels):
            apart = rests[channel].contrast_db >= SPEECH_DB and rests[channel].loud_db >= levels[lead].loud_db - CLEAR_DB
            self.own[channel] += channel != lead and not empty[channel] and apart

    def _is_worse(self, grams: Grams, empty: NDArray[np.bool_]) -> bool:
        """Whether the mean of all channels is a worse recording than the mean without the empty ones."""
        everything, chosen = (_Level(_mixed(grams, self.signs * taken)) for taken in (np.ones(self.channels), ~empty))
        lost_db = min(chosen.contrast_db, CLEAR_DB) - min(everything.contrast_db, CLEAR_DB)
        weaker_db = chosen.loud_db - everything.loud_db
        # Two people who talk in turn, each in a channel: the silence of one is no fault.
        return lost_db > HARM_CONTRAST_DB or (weaker_db > HARM_LEVEL_DB and bool((self.own[empty] < OWN_PIECES).all()))


class _Level:
    """Energies (frames,) as a level: how loud the loud frames are, and how far above the quiet ones."""

    def __init__(self, energies: Grams) -> None:
        decibels = 10 * np.log10(np.maximum(energies, 0.0) + FLOOR)
        runs = sliding_window_view(decibels, min(MEDIAN_FRAMES, len(decibels)))
        self.decibels = np.median(runs, axis=1)
        quiet_db, loud_db = np.percentile(self.decibels, (QUIET, LOUD))
        self.loud_db, self.contrast_db = float(loud_db), float(loud_db - quiet_db)

    @property
    def is_steady(self) -> bool:
        """Whether this is noise, perhaps one that swells slowly."""
        if self.contrast_db < STEADY_DB or self.contrast_db > SWELL_DB:
            return self.contrast_db < STEADY_DB
        padded = np.pad(self.decibels, SWELL_FRAMES // 2, mode="edge")
        beside = self.decibels - np.median(sliding_window_view(padded, SWELL_FRAMES), axis=1)
        quiet_db, loud_db = np.percentile(beside, (QUIET, LOUD))
        return bool(loud_db - quiet_db < STEADY_DB)


def _mixed(grams: Grams, weights: NDArray[Any]) -> Grams:
    """Energies of a mean with these weights; of the channels that have none it is no part."""
    shares = weights / max(1.0, float(np.count_nonzero(weights)))
    return np.asarray(np.einsum("i,fij,j->f", shares, grams, shares))


def _rest(grams: Grams, channel: int, lead: int) -> Grams:
    """Energies of what is left of a channel without its share of the leading one."""
    shared, whole = grams[:, channel, lead].sum(), grams[:, lead, lead].sum()
    share = shared / whole if whole > 0 else 0.0
    return np.asarray(grams[:, channel, channel] - 2 * share * grams[:, channel, lead] + share**2 * grams[:, lead, lead])


def _adds_nothing(levels: list[_Level], rests: list[_Level], channel: int, lead: int) -> bool:
    """Whether a channel is the leading one over again, silence, steady noise, or the leading one's crosstalk."""
    rest = rests[channel]
    if rest.loud_db < SILENT_DB or rest.is_steady:
        return True
    if levels[channel].loud_db > levels[lead].loud_db - CROSSTALK_DB or levels[lead].is_steady:
        return False
    return float(np.corrcoef(rest.decibels, levels[lead].decibels)[0, 1]) > CROSSTALK_CORRELATION
