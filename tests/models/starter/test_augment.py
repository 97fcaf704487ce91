"""Variations of an utterance's frames, and what is cut out of it as voice activity detection would."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
yaml = pytest.importorskip("yaml")

from engine.speech.features import fbank  # noqa: E402
from models.starter.augment import (  # noqa: E402
    FLOOR,
    add_noise,
    augment,
    change_volume,
    cut_noise,
    cut_piece,
    cut_stretch,
    silence,
    speech_bounds,
    stretch,
    trim,
    warp_vocal_tract,
)
from models.starter.batches import BatchMaker  # noqa: E402
from models.starter.prepare import FeatureStore, Item  # noqa: E402
from tests.models.starter.small_recipe import small_config, small_store  # noqa: E402


def test_neutral_augmentations_change_nothing() -> None:
    frames = np.random.default_rng(0).normal(0, 2, (50, 80)).astype(np.float32)
    np.testing.assert_allclose(stretch(frames, 1.0), frames, atol=1e-5)
    np.testing.assert_allclose(warp_vocal_tract(frames, 1.0), frames, atol=1e-5)
    np.testing.assert_allclose(add_noise(frames, frames, snr_db=200), frames, atol=1e-4)


def test_noise_arrives_at_the_asked_level() -> None:
    rng = np.random.default_rng(0)
    speech, noise = rng.normal(5, 1, (200, 80)).astype(np.float32), rng.normal(0, 1, (30, 80)).astype(np.float32)
    added = np.exp(add_noise(speech, noise, snr_db=10.0)).mean() - np.exp(speech).mean()
    assert 10 * np.log10(np.exp(speech).mean() / added) == pytest.approx(10.0, abs=0.1)


def test_digital_silence_has_no_volume() -> None:
    frames = np.stack([np.full(80, FLOOR), np.full(80, 3.0)]).astype(np.float32)
    quieter = change_volume(frames, -4.0)
    np.testing.assert_array_equal(quieter[0], np.full(80, FLOOR))
    np.testing.assert_allclose(quieter[1], np.full(80, -1.0))
    assert change_volume(frames, -30.0).min() >= FLOOR


def test_pauses_are_sometimes_exact_zeros_as_the_frontend_sees_them() -> None:
    zeros = fbank(np.zeros(2_000, np.float32))
    speech = np.random.default_rng(0).normal(5, 2, (50, 80)).astype(np.float32)
    pauses = [silence(3, np.random.default_rng(seed), like=speech) for seed in range(60)]
    digital = [np.allclose(pause, zeros[:3], atol=1e-3) for pause in pauses]
    assert 5 < sum(digital) < 40
    assert all(pause.mean() < speech.mean() for pause in pauses)


def test_augmentation_is_fresh_but_seeded() -> None:
    frames = np.random.default_rng(0).normal(0, 2, (90, 80)).astype(np.float32)
    first, again, other = (
        augment(frames, np.random.default_rng(seed), noises=[], fill=np.zeros(80, np.float32), masked=True) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def _spoken_between_pauses() -> np.ndarray:
    frames = np.full((500, 80), -8.0, np.float32)
    frames[200:360] = 2.0
    return frames


def test_speech_is_found_between_pauses() -> None:
    assert speech_bounds(_spoken_between_pauses()) == (200, 360)
    assert speech_bounds(np.zeros((7, 80), np.float32)) == (0, 7)  # nothing louder than the rest: all of it


def test_trimming_keeps_all_of_the_speech_and_little_else() -> None:
    for seed in range(20):
        trimmed = trim(_spoken_between_pauses(), np.random.default_rng(seed))
        assert (trimmed[:, 0] > 0).sum() == 160 and 160 <= len(trimmed) < 160 + 30 + 50


def test_a_piece_lies_within_the_speech() -> None:
    lengths = set()
    for seed in range(20):
        piece = cut_piece(_spoken_between_pauses(), np.random.default_rng(seed))
        assert (piece > 0).all() and 40 <= len(piece) < 150
        lengths.add(len(piece))
    assert len(lengths) > 5
    assert len(cut_piece(np.zeros((7, 80), np.float32), np.random.default_rng(0))) == 7


def test_a_piece_of_a_noise_begins_anywhere_and_lasts_at_most_three_seconds() -> None:
    noise = np.arange(500, dtype=np.float32)[:, None].repeat(80, axis=1)
    pieces = [cut_noise(noise, np.random.default_rng(seed)) for seed in range(60)]
    assert all(25 <= len(piece) < 300 and np.all(np.diff(piece[:, 0]) == 1) for piece in pieces)
    assert len({float(piece[0, 0]) for piece in pieces}) > 30
    assert len(cut_noise(noise[:9], np.random.default_rng(0))) == 9


def test_a_stretch_is_long_enough_to_hear_the_language_by() -> None:
    frames = np.arange(2_000, dtype=np.float32)[:, None].repeat(80, axis=1)
    stretches = [cut_stretch(frames, np.random.default_rng(seed)) for seed in range(60)]
    assert all(80 <= len(piece) < 600 and np.all(np.diff(piece[:, 0]) == 1) for piece in stretches)
    assert len({float(piece[0, 0]) for piece in stretches}) > 30
    assert len(cut_stretch(np.zeros((7, 80), np.float32), np.random.default_rng(0))) == 7


def test_speech_whose_text_is_not_taught_is_cut_and_a_single_syllable_is_not(tmp_path: Path) -> None:
    store = FeatureStore(small_store(tmp_path))
    maker = BatchMaker(store, small_config())
    frames = np.full((1_500, 80), 2.0, np.float32)

    def lengths(item: Item) -> list[int]:
        return [len(maker._as_segmented(frames, item, np.random.default_rng(seed))[0]) for seed in range(60)]

    cantonese = replace(store.items[0], text=None, targets=None, sounds=None)
    cut = [length for length in lengths(cantonese) if length < 600]
    assert 20 < len(cut) < 50 and min(cut) >= 80 and len(set(cut)) > 15
    assert set(lengths(replace(cantonese, sounds=[1]))) == {1_500}
