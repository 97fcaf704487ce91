"""CTC prefix beam search: greedy with a beam of one, the sum over paths with a wide one, and what scorers change."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Hashable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.speech.ctc import collapse
from engine.speech.decoding.alignment import align
from engine.speech.decoding.beam_search import log_add, search
from engine.speech.decoding.top_tokens import TopTokens

#: Distinct logits far enough apart that no rounding makes two equal.
logits_arrays = st.builds(
    lambda shape, seed: np.random.default_rng(seed).permutation(np.linspace(-4, 4, shape[0] * shape[1])).reshape(shape),
    st.tuples(st.integers(1, 14), st.integers(2, 7)),
    st.integers(0, 2**32 - 1),
)


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


@settings(max_examples=300, deadline=None)
@given(logits_arrays, st.integers(1, 7))
def test_a_beam_of_one_without_scorers_is_greedy_decoding(logits: np.ndarray, k: int) -> None:
    top = TopTokens.of_logits(logits, k=k)
    (best,) = search(top, beam=1)
    log_probs = log_softmax(logits)
    greedy = collapse(log_probs.argmax(axis=1), log_probs.max(axis=1))
    assert list(best.token_ids) == [emission.token_id for emission in greedy]
    assert best.log_prob == pytest.approx(log_probs.max(axis=1).sum())
    assert best.probability == pytest.approx(1.0)
    assert [(one.token_id, one.start_frame, one.end_frame) for one in align(top, best.token_ids)] == [
        (one.token_id, one.start_frame, one.end_frame) for one in greedy
    ]


def every_reading(log_probs: np.ndarray) -> dict[tuple[int, ...], float]:
    """The probability of every token sequence, by adding up every path."""
    found: dict[tuple[int, ...], float] = defaultdict(float)
    for path in itertools.product(range(log_probs.shape[1]), repeat=len(log_probs)):
        collapsed = tuple(token for token, _ in itertools.groupby(path) if token)
        found[collapsed] += math.exp(sum(log_probs[frame, token] for frame, token in enumerate(path)))
    return found


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.float64, st.tuples(st.integers(1, 5), st.integers(2, 4)), elements=st.floats(-4, 4, width=16)))
def test_a_wide_beam_adds_up_every_path(logits: np.ndarray) -> None:
    expected = every_reading(log_softmax(logits))
    top = TopTokens.of_logits(logits, k=logits.shape[1])
    found = search(top, beam=2000, n_best=2000, token_margin=math.inf, prefix_margin=math.inf)
    assert len({one.token_ids for one in found}) == len(found) == len(expected)
    for one in found:
        assert math.exp(one.log_prob) == pytest.approx(expected[one.token_ids], rel=1e-6)
        assert one.probability == pytest.approx(expected[one.token_ids], rel=1e-6)  # the beam holds everything there is
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True)


def frames(*rows: dict[int, float], size: int = 5) -> TopTokens:
    """Frames with the given probabilities; the rest is shared by the other tokens."""
    table = np.empty((len(rows), size))
    for row, probabilities in zip(table, rows, strict=True):
        row[:] = (1 - sum(probabilities.values())) / max(1, size - len(probabilities))
        for token, probability in probabilities.items():
            row[token] = probability
    return TopTokens.of_logits(np.log(np.maximum(table, 1e-12)), k=size)


def test_the_sum_of_paths_can_beat_the_best_path() -> None:
    """The textbook case: the best path says nothing (0.36), but 1 said at any time has 0.64."""
    top = frames({0: 0.6, 1: 0.4}, {0: 0.6, 1: 0.4}, size=2)
    assert search(top, beam=1)[0].token_ids == ()
    best, other = search(top, beam=4, n_best=2)
    assert best.token_ids == (1,) and best.probability == pytest.approx(0.64)
    assert other.token_ids == () and other.probability == pytest.approx(0.36)


def test_a_token_is_said_twice_only_with_a_blank_between() -> None:
    assert search(frames({1: 0.9}, {1: 0.9}))[0].token_ids == (1,)
    assert search(frames({1: 0.9}, {0: 0.9}, {1: 0.9}))[0].token_ids == (1, 1)


class Favourite:
    """Adds to every occurrence of one token; remembers nothing."""

    def __init__(self, token_id: int, bonus: float) -> None:
        self.token_id, self.bonus = token_id, bonus
        self.most = bonus

    def start(self) -> Hashable:
        return ()

    def step(self, state: Hashable, token_id: int) -> tuple[Hashable, float]:
        return state, self.bonus if token_id == self.token_id else 0.0

    def finish(self, state: Hashable) -> float:
        return 0.0


def test_a_scorer_turns_a_close_decision_and_no_clear_one() -> None:
    top = frames({1: 0.7, 2: 0.29}, {0: 0.99}, {3: 0.99, 2: 0.005})
    assert search(top)[0].token_ids == (1, 3)
    assert search(top, scorers=[Favourite(2, 1.5)])[0].token_ids == (2, 3)
    scored = search(top, scorers=[Favourite(2, 1.0), Favourite(2, 0.5)])[0]
    assert scored.token_ids == (2, 3)
    assert scored.score == pytest.approx(scored.log_prob + 1.5)


def test_frames_of_blank_alone_change_nothing_but_the_probability() -> None:
    spoken = ({1: 0.6, 2: 0.39}, {0: 0.99}, {2: 0.6, 1: 0.39})
    short = search(frames(*spoken), n_best=4)
    long = search(frames({0: 1 - 1e-9}, spoken[0], *[{0: 1 - 1e-9}] * 30, *spoken[1:]), n_best=4)
    assert [one.token_ids for one in long] == [one.token_ids for one in short]
    assert [one.probability for one in long] == pytest.approx([one.probability for one in short], abs=5e-3)


@pytest.mark.parametrize("beam", [1, 8])
def test_no_frames_say_nothing(beam: int) -> None:
    (one,) = search(TopTokens(np.zeros((0, 4), np.int32), np.zeros((0, 4), np.float32)), beam=beam)
    assert one.token_ids == () and one.probability == pytest.approx(1.0)
    assert align(TopTokens(np.zeros((0, 4), np.int32), np.zeros((0, 4), np.float32)), ()) == []


def test_numbers_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        search(frames({1: 0.9}), beam=0)
    with pytest.raises(ValueError, match="at least 1"):
        search(frames({1: 0.9}), n_best=0)
    with pytest.raises(ValueError, match="K of at least 1"):
        TopTokens(np.zeros((3, 0), np.int32), np.zeros((3, 0), np.float32))


@given(st.floats(-60, 0), st.floats(-60, 0))
def test_log_add(one: float, other: float) -> None:
    assert log_add(one, other) == pytest.approx(np.logaddexp(one, other), abs=1e-12)
    assert log_add(one, -math.inf) == one and log_add(-math.inf, -math.inf) == -math.inf


# ---- times -----------------------------------------------------------------------------------------------------------


def test_an_alternative_gets_its_own_times_and_confidences() -> None:
    top = frames({0: 0.9}, {1: 0.7, 2: 0.25}, {1: 0.5, 2: 0.4}, {0: 0.9}, {3: 0.8})
    assert [(one.token_id, one.start_frame, one.end_frame) for one in align(top, (2, 3))] == [(2, 1, 3), (3, 4, 5)]
    assert [one.confidence for one in align(top, (2, 3))] == pytest.approx([0.4, 0.8])


def test_a_token_that_no_frame_knows_still_gets_a_place() -> None:
    top = frames({0: 0.9}, {1: 0.9}, {0: 0.9}, {0: 0.5, 3: 0.4}, {0: 0.9})
    narrow = TopTokens(top.ids[:, :2], top.log_probs[:, :2])
    found = align(narrow, (1, 4, 3))
    assert [one.token_id for one in found] == [1, 4, 3]
    assert found[0].end_frame <= found[1].start_frame < found[1].end_frame <= found[2].start_frame == 3


def test_a_token_said_twice_is_aligned_twice() -> None:
    top = frames({1: 0.9}, {0: 0.4, 1: 0.5}, {1: 0.9}, {0: 0.9})
    assert [(one.start_frame, one.end_frame) for one in align(top, (1, 1))] == [(0, 1), (2, 3)]


def test_too_few_frames_for_the_tokens() -> None:
    with pytest.raises(ValueError, match="too few"):
        align(frames({1: 0.9}, {1: 0.9}), (1, 1))
    with pytest.raises(ValueError, match="no frames"):
        align(TopTokens(np.zeros((0, 4), np.int32), np.zeros((0, 4), np.float32)), (1,))
