"""The samples a benchmark runs on: a recording, repeated until it is long enough, or a synthesized sound like speech."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio

Floats = NDArray[np.float32]

SYNTHETIC = "synthetic speech"
PITCH_HZ = 120.0
SYLLABLES_PER_S = 4.0
#: Centres of the first three resonances of five vowels, in Hz (Peterson and Barney, "Control methods used in a study of the vowels", 1952).
VOWELS_HZ = ((730, 1090, 2440), (270, 2290, 3010), (530, 1840, 2480), (570, 840, 2410), (300, 870, 2240))
RESONANCE_WIDTH_HZ = 90.0
PHRASE_S, PAUSE_S = 2.4, 0.6
#: After this the same samples come again.
PERIOD_S = 6.0


def clip_samples(audio: Path | None, *, duration_s: float) -> Floats:
    """``duration_s`` of a recording (from its beginning, repeated if it is shorter) or of :func:`synthetic_speech`: (N,) float32.

    Raises the AudioErrors of :func:`engine.audio.waveform.load_audio`.
    """
    if audio is None:
        return synthetic_speech(duration_s)
    return np.resize(load_audio(audio).samples, round(duration_s * SAMPLE_RATE_HZ)).astype(np.float32)


def synthetic_speech(duration_s: float) -> Floats:
    """Voiced syllables in phrases with pauses, the same at every call: (N,) float32. FSMN-VAD detects speech in it."""
    return np.resize(_synthetic_period(), round(duration_s * SAMPLE_RATE_HZ))


def _synthetic_period() -> Floats:
    time_s = np.arange(round(PERIOD_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    pitch_hz = PITCH_HZ * (1 + 0.15 * np.sin(2 * np.pi * 0.7 * time_s))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    syllable = (time_s * SYLLABLES_PER_S).astype(int)
    centres_hz = np.array(VOWELS_HZ, np.float64)[syllable % len(VOWELS_HZ)]
    voice = np.zeros_like(time_s)
    for harmonic in range(1, int(3500 / PITCH_HZ)):
        away = (harmonic * pitch_hz[:, None] - centres_hz) / RESONANCE_WIDTH_HZ
        strength = (1 / (1 + away**2) / np.array([1.0, 2.0, 4.0])).sum(axis=1)
        voice += strength * np.sin(harmonic * phase)
    within = (time_s * SYLLABLES_PER_S) % 1.0
    loudness = np.sin(np.pi * within) ** 2 * (time_s % (PHRASE_S + PAUSE_S) < PHRASE_S)
    noise = np.random.default_rng(9527).standard_normal(len(time_s))
    return np.asarray(0.2 * voice * loudness / np.abs(voice).max() + 2e-4 * noise, np.float32)
