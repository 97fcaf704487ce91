"""Conditions: the levels, lengths and ratios they promise, and that every one occurs in a set of useful size."""

from __future__ import annotations

import numpy as np
import pytest

from models.quantize.augmentation import CONDITIONS, Condition, apply, mix, schedule, speed, to_level


def level_db(samples: np.ndarray) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(samples.astype(np.float64) ** 2))))


@pytest.fixture
def voice() -> np.ndarray:
    seconds = np.arange(32_000) / 16_000
    return (0.2 * np.sin(2 * np.pi * 220 * seconds) * (1 + np.sin(2 * np.pi * 4 * seconds))).astype(np.float32)


@pytest.mark.parametrize("snr_db", [0.0, 10.0, 20.0])
def test_noise_lies_as_far_below_as_asked(voice: np.ndarray, snr_db: float) -> None:
    noise = np.random.default_rng(0).standard_normal(len(voice)).astype(np.float32) * 0.01
    mixed = mix(voice, noise, snr_db=snr_db)
    share = float(np.dot(mixed, voice) / np.dot(voice, voice))  # mix may scale everything to stay below full scale
    assert level_db(share * voice) - level_db(mixed - share * voice) == pytest.approx(snr_db, abs=0.3)


@pytest.mark.parametrize("factor", [0.85, 1.2])
def test_speed_changes_length_and_pitch(factor: float) -> None:
    tone = np.sin(2 * np.pi * 400 * np.arange(16_000) / 16_000).astype(np.float32)
    changed = speed(tone, factor)
    assert len(changed) == pytest.approx(16_000 / factor, abs=2)
    peak_hz = np.abs(np.fft.rfft(changed)).argmax() * 16_000 / len(changed)
    assert peak_hz == pytest.approx(400 * factor, abs=2)


def test_levels_are_met_and_clipped(voice: np.ndarray) -> None:
    assert level_db(to_level(voice, -45.0)) == pytest.approx(-45.0, abs=0.01)
    assert np.abs(to_level(voice, 10.0)).max() == 1.0


@pytest.mark.parametrize("condition", list(Condition))
@pytest.mark.parametrize("length", [1, 700, 32_000])
def test_every_condition_gives_a_sound_waveform(condition: Condition, length: int) -> None:
    samples = np.full(length, 0.1, np.float32)
    heard = apply(condition, samples, np.random.default_rng(5))
    again = apply(condition, samples, np.random.default_rng(5))
    assert heard.dtype == np.float32 and heard.ndim == 1 and len(heard) >= 1
    assert np.isfinite(heard).all() and np.abs(heard).max() <= 1.0
    np.testing.assert_array_equal(heard, again)


def test_digital_silence_stays_finite() -> None:
    silence = np.zeros(16_000, np.float32)
    for condition in Condition:
        assert np.isfinite(apply(condition, silence, np.random.default_rng(1))).all(), condition


def test_the_shares_are_a_whole() -> None:
    assert sum(share for share, _ in CONDITIONS.values()) == 100
    assert list(CONDITIONS) == list(Condition)


@pytest.mark.parametrize("count", [1, 5, 13, 100, 400])
def test_a_schedule_has_the_length_asked_for(count: int) -> None:
    assert len(schedule(count)) == count


def test_a_schedule_keeps_the_shares_and_forgets_no_condition() -> None:
    assert set(schedule(40)) == set(Condition)
    chosen = schedule(400)
    assert {condition: chosen.count(condition) for condition in Condition} == {name: 4 * share for name, (share, _) in CONDITIONS.items()}
    assert chosen[0] is Condition.CLEAN
