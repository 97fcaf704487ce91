"""Another voice and another room out of one recording: played faster or slower, and heard with reverberation."""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]


def play_at(samples: Samples, speed: float) -> Samples:
    """Play ``speed`` times as fast, pitch and formants with it (Kaldi's speed perturbation): (N,) -> about (N / speed,)."""
    return samples if speed == 1.0 else np.asarray(soxr.resample(samples, SAMPLE_RATE_HZ * speed, SAMPLE_RATE_HZ), np.float32)


def reverberate(samples: Samples, rng: np.random.Generator) -> Samples:
    """Convolve with an exponentially decaying noise tail of 0.15 to 0.6 s (T60), its direct sound kept: (N,) -> (N,), same peak."""
    from scipy.signal import fftconvolve

    decay_s = rng.uniform(0.15, 0.6)
    length = int(decay_s * SAMPLE_RATE_HZ)
    tail = rng.standard_normal(length) * 10 ** (-3 * np.arange(length) / length)
    tail[: int(rng.uniform(0.002, 0.01) * SAMPLE_RATE_HZ)] = 0.0
    response = tail * 10 ** (-rng.uniform(3, 12) / 20) / max(float(np.sqrt(np.square(tail).sum())), 1e-9)
    response[0] = 1.0
    heard = fftconvolve(samples, response)[: len(samples)]
    return np.asarray(heard * (np.abs(samples).max(initial=0.0) / max(float(np.abs(heard).max(initial=0.0)), 1e-9)), np.float32)
