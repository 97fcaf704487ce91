"""Greedy CTC: against a loop, and the times of upstream."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.speech.ctc import Emission, collapse, frame_times_ms


def naive_collapse(ids: list[int], log_probs: list[float]) -> list[Emission]:
    emissions: list[Emission] = []
    previous, start, best = None, 0, -np.inf
    for frame, (token, log_prob) in enumerate([*zip(ids, log_probs, strict=True), (None, 0.0)]):
        if token != previous:
            if previous not in (None, 0):
                emissions.append(Emission(previous, start, frame, best))
            previous, start, best = token, frame, -np.inf
        best = max(best, log_prob)
    return emissions


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.floats(-10, 0, width=32)), max_size=40))
def test_collapsing_equals_the_loop(frames: list[tuple[int, float]]) -> None:
    ids, log_probs = [token for token, _ in frames], [value for _, value in frames]
    assert collapse(np.array(ids, np.int32), np.array(log_probs, np.float32)) == naive_collapse(ids, log_probs)


def test_a_blank_parts_equal_neighbours() -> None:
    ids = np.array([5, 5, 0, 5, 7, 7], np.int32)
    assert [emission.token_id for emission in collapse(ids, np.zeros(6, np.float32))] == [5, 5, 7]


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 ids but 3"):
        collapse(np.zeros(2), np.zeros(3))


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(0, 1, (0, 30)), (1, 3, (30, 150)), (16, 17, (930, 990)), (20, 22, (1000, 1000))],
)
def test_times_are_shifted_by_half_a_frame_and_clipped(start: int, end: int, expected: tuple[int, int]) -> None:
    assert frame_times_ms(Emission(1, start, end, 0.0), frame_ms=60, duration_ms=1000) == expected


def test_confidence_is_a_probability() -> None:
    assert Emission(1, 0, 1, float(np.log(0.25))).confidence == pytest.approx(0.25)
    assert Emission(1, 0, 1, 1e-7).confidence == 1.0
