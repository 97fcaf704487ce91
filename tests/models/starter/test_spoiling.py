"""Spoilt recordings: their times stay, and what each kind does to them can be measured."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

pytest.importorskip("scipy")

from models.starter.spoiling import CODECS, KINDS, aligned, spoil, through_codec

RATE = 16_000


def speech_like(seconds: float = 2.0, *, seed: int = 0) -> np.ndarray:
    """Bursts of a voice-like tone with harmonics, silence between them: (N,) float32."""
    times = np.arange(round(seconds * RATE)) / RATE
    rng = np.random.default_rng(seed)
    tone = sum(np.sin(2 * np.pi * 140 * k * times + rng.uniform(0, 6)) / k for k in range(1, 25))
    envelope = (np.sin(2 * np.pi * 3.1 * times + seed) > 0).astype(np.float32)
    return np.asarray(0.2 * tone * envelope, np.float32)


def envelope(samples: np.ndarray) -> np.ndarray:
    """Mean level of each 20 ms: (N,) -> (N / 320,)."""
    return np.abs(samples[: len(samples) // 320 * 320]).reshape(-1, 320).mean(axis=1)


@pytest.mark.parametrize("codec", list(CODECS))
def test_a_codec_keeps_every_sample_in_its_place(codec: str) -> None:
    samples = speech_like()
    for rate_hz in CODECS[codec][1]:
        decoded = through_codec(samples, codec=codec, rate_hz=rate_hz, kbit_s=32)
        assert decoded.shape == samples.shape and decoded.dtype == np.float32
        assert np.corrcoef(envelope(decoded), envelope(samples))[0, 1] > 0.97, rate_hz


def test_fewer_bits_leave_less_of_it() -> None:
    samples = speech_like() + np.random.default_rng(1).normal(0, 0.02, 2 * RATE).astype(np.float32)
    few, many = (np.corrcoef(through_codec(samples, codec="libmp3lame", rate_hz=16_000, kbit_s=k), samples)[0, 1] for k in (16, 128))
    assert few < many and many > 0.98


def test_a_delay_is_taken_out() -> None:
    samples = speech_like()
    late = np.concatenate([np.zeros(1_105, np.float32), samples])
    np.testing.assert_array_equal(aligned(late, samples), samples)
    assert len(aligned(samples[:100], samples)) == len(samples)


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_kind_changes_the_sound_and_keeps_its_times(kind: str, tmp_path: Path) -> None:
    company = []
    for number in range(3):
        company.append(tmp_path / f"{number}.wav")
        soundfile.write(company[-1], speech_like(seed=number + 5), RATE)
    samples = speech_like()
    for seed in range(3):
        spoilt = spoil(samples, kind=kind, rng=np.random.default_rng(seed), company=company)
        assert spoilt.shape == samples.shape and np.isfinite(spoilt).all()
        assert not np.allclose(spoilt, samples, atol=1e-4)
        assert np.corrcoef(envelope(spoilt), envelope(samples))[0, 1] > 0.6
    assert len(spoil(np.zeros(0, np.float32), kind=kind, rng=np.random.default_rng(0), company=company)) == 0


def test_the_telephone_passes_its_band_alone() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 4 * RATE).astype(np.float32)
    power = np.abs(np.fft.rfft(spoil(noise, kind="telephone", rng=np.random.default_rng(0), company=()))) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    inside, above = power[(hertz > 500) & (hertz < 2_800)].mean(), power[hertz > 5_000].mean()
    assert 10 * np.log10(inside / above) > 15


def test_clipping_flattens_the_peaks() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, RATE).astype(np.float32)
    clipped = spoil(noise, kind="clipped", rng=np.random.default_rng(0), company=())
    assert (np.abs(clipped) >= np.abs(clipped).max() - 1e-6).mean() >= 0.002
