"""Which channels are taken: the plain mix wherever nothing is wrong with it, and the speech where something is."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.channel_choice import MOST_CHANNELS
from engine.audio.read_options import CHANNELS, Channel, ReadOptions
from engine.audio.resampling import Mixdown
from engine.audio.waveform import SAMPLE_RATE_HZ, from_array, load_audio
from engine.errors import NonFiniteAudioError, OptionRangeError, UnknownChannelError
from engine.option_fields import flat_fields, parse_fields
from tests.starter_facts import DIGITS

RATE = SAMPLE_RATE_HZ


@pytest.fixture(scope="module")
def speech() -> np.ndarray:
    return load_audio(DIGITS).samples


@pytest.fixture(scope="module")
def noise(speech: np.ndarray) -> np.ndarray:
    return np.random.default_rng(1).normal(size=len(speech)).astype(np.float32)


def side_by_side(*channels: np.ndarray) -> np.ndarray:
    return np.stack(channels, axis=1).astype(np.float32)


def read(channels: np.ndarray, channel: str = "auto", rate: int = RATE) -> np.ndarray:
    return from_array(channels, rate, read=ReadOptions(channel=channel)).samples


def rms(samples: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64))))


def pink(noise: np.ndarray) -> np.ndarray:
    spectrum = np.fft.rfft(noise) / np.sqrt(np.maximum(np.arange(len(noise) // 2 + 1), 1))
    shaped = np.fft.irfft(spectrum, len(noise))
    return shaped / rms(shaped)


def hum(length: int, hertz: float) -> np.ndarray:
    return np.sign(np.sin(2 * np.pi * hertz * np.arange(length) / RATE))


def crackle(length: int) -> np.ndarray:
    """Two clicks of 10 ms a second."""
    clicks, random = np.zeros(length), np.random.default_rng(2)
    for start in random.integers(0, length - 160, 2 * length // RATE):
        clicks[start : start + 160] = random.normal(size=160) * 0.5
    return clicks


# ---- nothing wrong: the plain mix, bit by bit ------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100])
@pytest.mark.parametrize("kind", ["mono", "twice", "panned", "room", "two talkers", "silence", "noise", "short"])
def test_where_nothing_is_wrong_the_mix_is_the_plain_one(speech: np.ndarray, noise: np.ndarray, kind: str, rate: int) -> None:
    other = np.roll(speech, len(speech) // 3) * 0.6
    second_room = np.random.default_rng(3).normal(size=len(speech)) * 0.001
    channels = {
        "mono": side_by_side(speech),
        "twice": side_by_side(speech, speech),
        "panned": side_by_side(speech, speech * 0.5),
        "room": side_by_side(speech + noise * 0.001, speech * 0.8 + second_room),
        "two talkers": side_by_side(speech + 0.3 * other, other + 0.2 * speech),
        "silence": side_by_side(speech * 0, speech * 0),
        "noise": side_by_side(noise * 0.1, np.roll(noise, 99) * 0.1),
        "short": side_by_side(speech[:200], speech[:200] * 0.7),
    }[kind]
    assert np.array_equal(read(channels, rate=rate), read(channels, "mix", rate=rate))


def test_two_people_who_talk_in_turn_are_both_kept(speech: np.ndarray) -> None:
    still = np.zeros(len(speech), np.float32)
    first, second = np.concatenate([speech, still, speech]), np.concatenate([still, speech, still])
    found = read(side_by_side(first, second))
    for start in range(0, len(found), len(speech)):
        assert rms(found[start : start + len(speech)]) > 0.45 * rms(speech)


def test_more_channels_than_are_compared_are_mixed() -> None:
    many = np.random.default_rng(0).normal(size=(RATE, MOST_CHANNELS + 1)).astype(np.float32) * 0.1
    assert np.array_equal(read(many), read(many, "mix"))


# ---- something wrong: the speech -------------------------------------------------------------------------------------


def spoilt(kind: str, speech: np.ndarray, noise: np.ndarray) -> np.ndarray:
    return {
        "silence": speech * 0,
        "hiss": noise * 0.0005,
        "white noise": noise * 0.1,
        "loud noise": noise * 0.5,
        "pink noise": pink(noise) * 0.1,
        "swelling noise": noise * (1 + 0.5 * np.sin(2 * np.pi * 0.7 * np.arange(len(noise)) / RATE)) * 0.1,
        "hum 50": hum(len(speech), 50) * 0.2,
        "hum 60": hum(len(speech), 60) * 0.2,
        "crackle": crackle(len(speech)),
        "noisy copy": speech + noise * 0.1,
        "crosstalk": speech * 0.01 + noise * 0.0001,
    }[kind]


@pytest.mark.parametrize("left", [True, False], ids=["left speaks", "right speaks"])
@pytest.mark.parametrize(
    "kind",
    [
        "silence",
        "hiss",
        "white noise",
        "loud noise",
        "pink noise",
        "swelling noise",
        "hum 50",
        "hum 60",
        "crackle",
        "noisy copy",
        "crosstalk",
    ],
)
def test_a_channel_without_speech_of_its_own_is_left_out(speech: np.ndarray, noise: np.ndarray, kind: str, left: bool) -> None:
    bad = spoilt(kind, speech, noise)
    channels = side_by_side(speech, bad) if left else side_by_side(bad, speech)
    assert np.allclose(read(channels), speech, atol=1e-6)
    assert not np.allclose(read(channels, "mix"), speech, atol=1e-2 * rms(speech))


@pytest.mark.parametrize("share", [1.0, 0.7, 1.3])
def test_channels_that_cancel_are_turned_over(speech: np.ndarray, share: float) -> None:
    channels = side_by_side(speech, -share * speech)
    assert np.allclose(read(channels), speech * (1 + share) / 2, atol=1e-6)
    assert rms(read(channels, "mix")) < 0.2 * rms(speech)


def test_a_film_s_centre_is_found_among_silence_and_noise(speech: np.ndarray, noise: np.ndarray) -> None:
    still = speech * 0
    assert np.allclose(read(side_by_side(still, still, speech, still, noise * 0.01, noise * 0.01)), speech, atol=1e-6)


def test_what_goes_wrong_half_way_is_mended_there_and_only_there(speech: np.ndarray) -> None:
    long = np.tile(speech, 3)
    other = long.copy()
    other[len(speech) :] *= -1
    found = read(side_by_side(long, other))
    first, last = slice(0, len(speech) - 3 * RATE), slice(len(speech) + 3 * RATE, None)
    assert np.array_equal(found[first], long[first])
    assert np.allclose(found[last], long[last], atol=1e-6)


@pytest.mark.parametrize("before", ["silence", "noise"])
def test_speech_that_begins_late_is_recognized_from_the_first_word(speech: np.ndarray, noise: np.ndarray, before: str) -> None:
    still = np.zeros(len(speech), np.float32) if before == "silence" else noise * 0.02
    first = np.concatenate([np.tile(speech, 4), np.zeros(len(speech), np.float32)])
    second = np.concatenate([np.tile(still, 4), speech + still])
    found = read(side_by_side(first, second))
    said = found[4 * len(speech) :]
    assert float(np.dot(said, speech)) > 0.49 * float(np.dot(speech, speech))
    assert np.allclose(found[: len(speech)], speech, atol=1e-6)  # and until then the other channel spoils nothing


# ---- how it comes makes no difference --------------------------------------------------------------------------------


class _Kept:
    def __init__(self) -> None:
        self.blocks: list[np.ndarray] = []

    def take(self, block: np.ndarray) -> None:
        self.blocks.append(block)

    def start_over(self) -> None:
        self.blocks.clear()


def mixed(blocks: list[np.ndarray], channel: str, *, rate: int = RATE, columns: int = 1) -> np.ndarray:
    kept = _Kept()
    mixdown = Mixdown(kept, path="x", max_duration_s=None, read=ReadOptions(channel=channel), columns=columns)
    for block in blocks:
        mixdown.add(block, rate)
    mixdown.finish()
    return np.concatenate(kept.blocks)


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("rate", [RATE, 48_000])
def test_blocks_of_any_size_give_the_same_samples(speech: np.ndarray, noise: np.ndarray, channel: str, rate: int) -> None:
    channels = side_by_side(speech, noise * 0.1)
    columns = 2 if channel == "split" else 1
    whole = mixed([channels], channel, rate=rate, columns=columns)
    cuts = np.cumsum(np.random.default_rng(4).integers(1, 3000, 400))
    pieces = [piece for piece in np.split(channels, cuts[cuts < len(channels)]) if len(piece)]
    assert np.allclose(mixed(pieces, channel, rate=rate, columns=columns), whole, atol=1e-6)


def test_another_number_of_channels_within_a_stream_loses_nothing(speech: np.ndarray) -> None:
    inverted = side_by_side(speech, -speech)
    found = mixed([inverted, speech[:, None], inverted], "auto")
    assert np.allclose(found, np.tile(speech, 3), atol=1e-6)


def test_a_number_that_is_none_is_silent_in_its_channel_and_place(speech: np.ndarray) -> None:
    channels = side_by_side(speech, speech)
    channels[RATE, 1] = np.nan
    expected = speech.copy()
    expected[RATE] /= 2
    assert np.array_equal(mixed([channels], "mix"), expected)
    assert np.allclose(mixed([channels], "auto"), expected, atol=1e-6)
    assert mixed([channels], "right")[RATE] == 0
    assert np.array_equal(read(channels, "left"), speech)
    with pytest.raises(NonFiniteAudioError):
        mixed([channels * np.float32(np.nan)], "mix")


# ---- choices ---------------------------------------------------------------------------------------------------------


def test_one_channel_alone_and_each_on_its_own(speech: np.ndarray, noise: np.ndarray) -> None:
    channels = side_by_side(speech, noise)
    assert np.array_equal(read(channels, "left"), speech)
    assert np.array_equal(read(channels, "right"), noise)
    assert np.array_equal(read(channels[:, :1], "right"), speech)  # mono has one
    assert np.array_equal(mixed([channels], "split", columns=2), channels)
    assert np.array_equal(mixed([channels[:, :1]], "split", columns=2), side_by_side(speech, speech * 0))


def test_a_choice_that_there_is_not_is_named() -> None:
    with pytest.raises(UnknownChannelError, match=r"unknown channel 'middle'; choose one of auto, mix, left, right, split"):
        ReadOptions(channel="middle")
    with pytest.raises(OptionRangeError, match="track is 0"):
        ReadOptions(track=0)
    read_options = ReadOptions(channel=Channel.SPLIT, track=3)
    assert parse_fields(ReadOptions, flat_fields(read_options)) == read_options
