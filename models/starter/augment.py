"""Augmentation on log-mel frames: volume, rate, vocal tract, noise, masks.

Working on (T, 80) frames instead of samples makes every epoch a fresh draw for a millisecond an utterance. Rate and
vocal-tract changes are interpolations along time and along mel bins; noise is added in the power domain.
SpecAugment: https://arxiv.org/abs/1904.08779; vocal-tract length perturbation: Jaitly and Hinton, 2013.
"""

from __future__ import annotations

import numpy as np

FLOOR = np.float32(-15.942385)  # log of float32's epsilon, Kaldi's floor for an empty bin
DIGITAL_SILENCE_SHARE = 0.35  # joined clips and synthesized speech pause in exact zeros, which no room ever does
LOUD_SHARE = 0.35
TELEPHONE_BINS = 57  # mel bins below about 4 kHz of the 80 between 20 Hz and 8 kHz


def stretch(frames: np.ndarray, factor: float) -> np.ndarray:
    """Change the speaking rate: (T, 80) -> (round(T * factor), 80)."""
    length = max(1, round(len(frames) * factor))
    places = np.linspace(0, len(frames) - 1, length)
    low = np.floor(places).astype(np.intp)
    high = np.minimum(low + 1, len(frames) - 1)
    share = (places - low).astype(np.float32)[:, None]
    return frames[low] * (1 - share) + frames[high] * share


def warp_vocal_tract(frames: np.ndarray, factor: float) -> np.ndarray:
    """Shift the formants by reading mel bin ``b`` at ``b * factor``: (T, 80) -> (T, 80)."""
    bins = frames.shape[1]
    places = np.clip(np.arange(bins) * factor, 0, bins - 1)
    low = np.floor(places).astype(np.intp)
    high = np.minimum(low + 1, bins - 1)
    share = (places - low).astype(np.float32)[None]
    warped: np.ndarray = frames[:, low] * (1 - share) + frames[:, high] * share
    return warped


def add_noise(frames: np.ndarray, noise: np.ndarray, *, snr_db: float) -> np.ndarray:
    """Mix noise frames under speech frames at a signal-to-noise ratio: (T, 80), (N, 80) -> (T, 80)."""
    if not len(noise):
        return frames
    repeated = np.resize(noise, frames.shape) if len(noise) < len(frames) else noise[: len(frames)]
    speech_level = np.log(np.mean(np.exp(frames)) + 1e-6)
    noise_level = np.log(np.mean(np.exp(repeated)) + 1e-6)
    gain = speech_level - noise_level - snr_db * np.log(10) / 10
    return np.asarray(np.logaddexp(frames, repeated + np.float32(gain)), np.float32)


def mask(frames: np.ndarray, rng: np.random.Generator, *, fill: np.ndarray) -> np.ndarray:
    """SpecAugment: two bands of bins and up to two stretches of time take the mean."""
    frames = frames.copy()
    for _ in range(2):
        width, start = int(rng.integers(0, 13)), int(rng.integers(0, frames.shape[1] - 13))
        frames[:, start : start + width] = fill[start : start + width]
    for _ in range(min(2, len(frames) // 60)):
        width, start = int(rng.integers(0, 16)), int(rng.integers(0, len(frames) - 16))
        frames[start : start + width] = fill
    return frames


def change_volume(frames: np.ndarray, change: float) -> np.ndarray:
    """Add ``change`` (natural log of power) to every frame but digital silence, which has no volume to change."""
    return np.where(frames <= FLOOR + np.float32(1e-3), FLOOR, np.maximum(frames + np.float32(change), FLOOR))


def silence(length: int, rng: np.random.Generator, *, like: np.ndarray) -> np.ndarray:
    """A pause: a noise floor below the quietest frames of ``like``, or exact zeros: -> (length, 80)."""
    if rng.random() < DIGITAL_SILENCE_SHARE:
        return np.full((length, like.shape[1]), FLOOR)
    floor = np.percentile(like, 5, axis=0) - rng.uniform(0, 1.5)
    return np.asarray(floor + rng.normal(0, 0.8, (length, like.shape[1])), np.float32)


def speech_bounds(frames: np.ndarray) -> tuple[int, int]:
    """First frame of speech and the one after the last, by level: a third of the way from the quietest to the loudest frames."""
    level = frames.mean(axis=1)
    quiet, loud = np.percentile(level, [5, 95])
    heard = np.flatnonzero(level > quiet + LOUD_SHARE * (loud - quiet))
    return (int(heard[0]), int(heard[-1]) + 1) if len(heard) else (0, len(frames))


def trim(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Leave as little around the speech as voice activity detection does: up to 0.3 s before it and 0.5 s after it."""
    first, end = speech_bounds(frames)
    return frames[max(0, first - int(rng.integers(0, 30))) : end + int(rng.integers(0, 50))]


def cut_piece(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stretch of 0.4 to 1.5 s from within the speech, as voice activity detection makes of a slow sentence."""
    return _cut_speech(frames, rng, shortest=40, longest=150)


def cut_stretch(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stretch of 0.8 to 6 s from within the speech: enough to hear the language by, and each time of other words."""
    return _cut_speech(frames, rng, shortest=80, longest=600)


def _cut_speech(frames: np.ndarray, rng: np.random.Generator, *, shortest: int, longest: int) -> np.ndarray:
    first, end = speech_bounds(frames)
    length = min(end - first, int(rng.integers(shortest, longest)))
    start = first + int(rng.integers(0, end - first - length + 1))
    return frames[start : start + length]


def cut_noise(frames: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A stretch of 0.25 to 3 s of a noise, beginning anywhere."""
    length = min(len(frames), int(rng.integers(25, 300)))
    start = int(rng.integers(0, len(frames) - length + 1))
    return frames[start : start + length]


def augment(
    frames: np.ndarray,
    rng: np.random.Generator,
    *,
    noises: list[np.ndarray],
    fill: np.ndarray,
    masked: bool,
    gentle: bool = False,
    keep_times: bool = False,
) -> np.ndarray:
    """A fresh variation of one utterance: (T, 80) -> (T', 80).

    ``gentle`` leaves loudness and voice nearly as they are; ``keep_times`` leaves every frame in its place, T' = T.
    """
    if not keep_times:
        frames = stretch(frames, rng.uniform(0.92, 1.09) if gentle else rng.uniform(0.85, 1.18))
    frames = warp_vocal_tract(frames, rng.uniform(0.94, 1.06) if gentle else rng.uniform(0.87, 1.13))
    if not keep_times and rng.random() < 0.5:
        before, after = silence(int(rng.integers(0, 40)), rng, like=frames), silence(int(rng.integers(0, 40)), rng, like=frames)
        frames = np.concatenate([before, frames, after])
    if rng.random() < 0.1:
        frames = frames.copy()
        frames[:, TELEPHONE_BINS:] = FLOOR + rng.uniform(0, 3)
    frames = change_volume(frames, rng.uniform(-1.5, 1.0) if gentle else rng.uniform(-6.0, 2.0))
    if noises and rng.random() < 0.35:
        frames = add_noise(frames, noises[int(rng.integers(len(noises)))], snr_db=rng.uniform(5, 25))
    return mask(frames, rng, fill=fill) if masked else frames
