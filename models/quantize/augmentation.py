"""Other conditions than clean speech: noise, music, laughter, applause, a fast or a distant speaker, made from clean recordings.

Waveforms are mono float32 at 16 kHz in [-1, 1]. Music, laughter and applause are synthesized, because no data set at hand may be
redistributed; the coverage report of ``models.quantize.calibration`` states it. All randomness comes from the generator that is passed in.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum

import numpy as np
import soxr
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ

Samples = NDArray[np.float32]

PEAK = 0.99
#: Far below a voice (about -20 dBFS), above the noise of a 16-bit converter.
QUIET_DB = -45.0


class Condition(StrEnum):
    """A condition that a recording is brought under; the number is dB of signal to noise, or the speaking rate."""

    CLEAN = "clean"
    NOISE_20_DB = "noise 20 dB"
    NOISE_10_DB = "noise 10 dB"
    NOISE_0_DB = "noise 0 dB"
    SLOW = "speaking rate 0.85"
    FAST = "speaking rate 1.2"
    QUIET = "quiet"
    LOUD = "loud and clipped"
    MUSIC_UNDER = "music under speech"
    MUSIC = "music"
    LAUGHTER = "laughter"
    APPLAUSE = "applause"
    SILENCE = "near silence"


def schedule(count: int) -> list[Condition]:
    """Conditions for ``count`` clips, spread evenly by largest remainder; with too few clips the most frequent come first."""
    exact = {condition: count * share / 100 for condition, (share, _) in CONDITIONS.items()}
    counts = {condition: int(value) for condition, value in exact.items()}
    for condition in sorted(exact, key=lambda name: (counts[name] > 0, counts[name] - exact[name])):
        if sum(counts.values()) < count:
            counts[condition] += 1
    order = [(index / total, condition) for condition, total in counts.items() for index in range(total)]
    return [condition for _, condition in sorted(order, key=lambda entry: (entry[0], list(CONDITIONS).index(entry[1])))][:count]


def _level(samples: Samples) -> float:
    return float(np.sqrt(np.mean(np.square(samples, dtype=np.float64)))) if len(samples) else 0.0


def mix(speech: Samples, noise: Samples, *, snr_db: float) -> Samples:
    """Lay noise under speech at a signal-to-noise ratio: (N,), (M,) -> (N,), kept within [-1, 1]."""
    under = np.resize(noise, len(speech))
    gain = _level(speech) / max(_level(under), 1e-9) * 10 ** (-snr_db / 20)
    mixed = speech + np.float32(gain) * under
    return np.asarray(mixed / max(1.0, float(np.abs(mixed).max(initial=0.0)) / PEAK), np.float32)


def speed(samples: Samples, factor: float) -> Samples:
    """Speak ``factor`` times as fast, pitch included (Kaldi's speed perturbation): (N,) -> about (N / factor,)."""
    return np.asarray(soxr.resample(samples, SAMPLE_RATE_HZ * factor, SAMPLE_RATE_HZ), np.float32)


def to_level(samples: Samples, level_db: float) -> Samples:
    """Scale to an RMS level in dB of full scale, clipped at full scale."""
    gain = 10 ** (level_db / 20) / max(_level(samples), 1e-9)
    return np.asarray(np.clip(samples * np.float32(gain), -1.0, 1.0), np.float32)


def room_noise(length: int, rng: np.random.Generator) -> Samples:
    """Noise that falls 3 dB an octave, as rooms and roads do: -> (length,)."""
    spectrum = np.fft.rfft(rng.standard_normal(length))
    spectrum /= np.sqrt(np.maximum(1.0, np.arange(len(spectrum))))
    return to_level(np.fft.irfft(spectrum, length).astype(np.float32), -25.0)


def music(length: int, rng: np.random.Generator) -> Samples:
    """Chords of three plucked notes with five partials, two a second: -> (length,)."""
    seconds = np.arange(length) / SAMPLE_RATE_HZ
    out = np.zeros(length)
    for start in np.arange(0.0, length / SAMPLE_RATE_HZ, 0.5):
        since = seconds - start
        sounding = since >= 0
        envelope = np.exp(-3.0 * since[sounding]) * np.minimum(1.0, since[sounding] / 0.01)
        root = 110.0 * 2 ** (rng.integers(0, 24) / 12)
        for interval in (0, 4, 7):
            pitch = root * 2 ** (interval / 12)
            out[sounding] += envelope * sum(np.sin(2 * np.pi * pitch * part * since[sounding]) / part for part in range(1, 6))
    return to_level(out.astype(np.float32), -20.0)


def applause(length: int, rng: np.random.Generator) -> Samples:
    """A few hundred claps a second, each a burst of noise of about 5 ms: -> (length,)."""
    claps = np.zeros(length)
    count = max(1, int(300 * length / SAMPLE_RATE_HZ))
    claps[rng.integers(0, length, count)] = rng.uniform(0.3, 1.0, count)
    burst = rng.standard_normal(160) * np.exp(-np.arange(160) / 30)
    return to_level(np.convolve(claps, burst)[:length].astype(np.float32), -20.0)


def laughter(length: int, rng: np.random.Generator) -> Samples:
    """Voiced bursts at about five a second with falling pitch, breathy: -> (length,)."""
    seconds = np.arange(length) / SAMPLE_RATE_HZ
    phase_in_burst = np.mod(seconds * 5.0, 1.0)
    envelope = np.clip(np.sin(np.pi * phase_in_burst), 0, None) ** 2 * (np.mod(seconds, 2.4) < 1.6)
    pitch = rng.uniform(180, 320) * (1.2 - 0.4 * phase_in_burst)
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    voiced = sum(np.sin(part * phase) / part for part in range(1, 12))
    return to_level((envelope * (voiced + 0.5 * rng.standard_normal(length))).astype(np.float32), -20.0)


def _under(noise: Callable[[int, np.random.Generator], Samples], snr_db: float) -> Callable[[Samples, np.random.Generator], Samples]:
    return lambda samples, rng: mix(samples, noise(len(samples), rng), snr_db=snr_db)


def _instead(noise: Callable[[int, np.random.Generator], Samples]) -> Callable[[Samples, np.random.Generator], Samples]:
    return lambda samples, rng: noise(max(len(samples), SAMPLE_RATE_HZ), rng)


#: How many of a calibration set of 100 are under each condition, and what brings a recording under it. Larger and smaller sets keep the
#: proportions.
CONDITIONS: dict[Condition, tuple[int, Callable[[Samples, np.random.Generator], Samples]]] = {
    Condition.CLEAN: (34, lambda samples, _: samples),
    Condition.NOISE_20_DB: (9, _under(room_noise, 20.0)),
    Condition.NOISE_10_DB: (9, _under(room_noise, 10.0)),
    Condition.NOISE_0_DB: (6, _under(room_noise, 0.0)),
    Condition.SLOW: (7, lambda samples, _: speed(samples, 0.85)),
    Condition.FAST: (7, lambda samples, _: speed(samples, 1.2)),
    Condition.QUIET: (6, lambda samples, _: to_level(samples, QUIET_DB)),
    Condition.LOUD: (4, lambda samples, _: to_level(samples, -8.0)),
    Condition.MUSIC_UNDER: (6, _under(music, 10.0)),
    Condition.MUSIC: (3, _instead(music)),
    Condition.LAUGHTER: (3, _instead(laughter)),
    Condition.APPLAUSE: (3, _instead(applause)),
    Condition.SILENCE: (3, _instead(lambda length, rng: to_level(rng.standard_normal(length).astype(np.float32), -75.0))),
}


def apply(condition: Condition, samples: Samples, rng: np.random.Generator) -> Samples:
    """A recording brought under a condition: (N,) -> (M,) float32 in [-1, 1]."""
    return CONDITIONS[condition][1](samples, rng)
