"""Batches by length: everybody in one, none too large, little padding."""

from __future__ import annotations

import numpy as np
import pytest

from engine.speech.batching import LEAST_SHARE, MOST_FRAMES, batches_by_length


@pytest.mark.parametrize("seed", range(20))
def test_every_place_is_in_one_batch_that_is_not_too_large(seed: int) -> None:
    lengths = np.random.default_rng(seed).integers(1, 504, size=seed * 7 + 1).tolist()
    batches = batches_by_length(lengths)
    assert sorted(place for batch in batches for place in batch) == list(range(len(lengths)))
    for batch in batches:
        own = [lengths[place] for place in batch]
        assert max(own) == own[0]
        assert len(batch) * max(own) <= MOST_FRAMES
        assert min(own) >= LEAST_SHARE * max(own)


@pytest.mark.parametrize(
    ("lengths", "batches"),
    [([], []), ([7], [[0]]), ([10, 100, 9, 90], [[1, 3], [0, 2]]), ([500] * 17, [list(range(16)), [16]]), ([20_000, 20_000], [[0], [1]])],
)
def test_neighbours_in_length_share_a_batch(lengths: list[int], batches: list[list[int]]) -> None:
    assert batches_by_length(lengths) == batches
