"""Metrics against values worked out by hand, and against a second way to compute them."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

pytest.importorskip("jiwer")

from engine.speech.endpointing import SpeechSpan
from models.evaluate.metrics import (
    BoundaryErrors,
    ErrorCounts,
    VadScores,
    argmax_agreement,
    blank_frames,
    boundary_errors,
    error_counts,
    frame_kl,
    normalize_text,
    rate_difference,
    rate_interval,
    tag_agreement,
    top_margin,
    total,
    vad_scores,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  WORLD!", "hello world"),
        ("Don't stop; well-known.", "dont stop well known"),
        ("你 好 ， 世界 。", "你好世界"),
        ("打开 Wi-Fi 吧", "打开wi fi吧"),
        ("ＡＢＣ１２", "abc12"),
        ("조금만 생각을", "조금만 생각을"),
        ("うちの 中学は、", "うちの中学は"),
        ("…！？", ""),
    ],
)
def test_texts_are_compared_without_case_width_punctuation_or_spaces_beside_cjk(text: str, expected: str) -> None:
    assert normalize_text(text) == expected
    assert normalize_text(expected) == expected


def edit_distance(reference: list[str], hypothesis: list[str]) -> int:
    """Wagner and Fischer's table, row by row: a second implementation."""
    row = list(range(len(hypothesis) + 1))
    for index, unit in enumerate(reference, 1):
        previous, row[0] = row[0], index
        for place, other in enumerate(hypothesis, 1):
            previous, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, previous + (unit != other))
    return row[-1]


@pytest.mark.parametrize(
    ("said", "heard", "characters", "expected"),
    [
        ("你好世界", "你号世", True, (1, 1, 0, 4)),
        ("one two three four", "one three four five five", False, (0, 1, 2, 4)),
        ("a b c d", "x b c", False, (1, 1, 0, 4)),
        ("ab", "ab", True, (0, 0, 0, 2)),
        ("ab cd", "", True, (0, 5, 0, 5)),
        ("", "ab cd", True, (0, 0, 5, 0)),
        ("", "ab cd", False, (0, 0, 2, 0)),
        ("", "", False, (0, 0, 0, 0)),
        ("Hello, world!", "hello world", False, (0, 0, 0, 2)),
    ],
)
def test_errors_counted_by_hand(said: str, heard: str, characters: bool, expected: tuple[int, ...]) -> None:
    counts = error_counts(said, heard, characters=characters)
    assert (counts.substitutions, counts.deletions, counts.insertions, counts.length) == expected


def test_errors_equal_the_edit_distance() -> None:
    rng = np.random.default_rng(0)
    for _ in range(100):
        said, heard = (["abcd"[letter] for letter in rng.integers(0, 4, rng.integers(0, 9))] for _ in range(2))
        counts = error_counts(" ".join(said), " ".join(heard), characters=False)
        assert counts.errors == edit_distance(said, heard)
        assert counts.length == len(said) and counts.length - counts.deletions + counts.insertions == len(heard)


def test_the_rate_of_nothing_is_none() -> None:
    assert ErrorCounts(insertions=3).rate is None
    assert rate_interval([ErrorCounts(insertions=3)]) is None
    assert rate_difference([ErrorCounts()], [ErrorCounts(insertions=1)]) is None


def rates_of(errors: list[int], *, length: int = 10) -> list[ErrorCounts]:
    return [ErrorCounts(substitutions=count, length=length) for count in errors]


def test_the_total_weighs_utterances_by_length() -> None:
    assert total([ErrorCounts(deletions=1, length=1), ErrorCounts(length=9)]).rate == pytest.approx(0.1)


def test_the_interval_is_that_of_all_draws_where_they_can_be_counted() -> None:
    counts = [ErrorCounts(substitutions=0, length=4), ErrorCounts(substitutions=3, length=6), ErrorCounts(substitutions=1, length=2)]
    every = [total(counts[index] for index in draw).rate for draw in product(range(3), repeat=3)]
    found = rate_interval(counts, draws=20_000, seed=1)
    assert found is not None and found.estimate == pytest.approx(4 / 12)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(every, [2.5, 97.5], method="inverted_cdf")), abs=1e-9)


def test_the_interval_has_the_width_of_the_normal_approximation() -> None:
    errors = np.random.default_rng(3).binomial(10, 0.2, 2_000)
    found = rate_interval(rates_of(errors.tolist()))
    assert found is not None
    half = 1.96 * errors.std() / 10 / np.sqrt(len(errors))
    assert found.estimate == pytest.approx(errors.mean() / 10)
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
    assert rate_interval(rates_of(errors.tolist())) == found, "the same seed draws the same"
    assert rate_interval(rates_of(errors.tolist()), seed=1) != found


def test_a_paired_difference_knows_what_two_intervals_do_not() -> None:
    """Every utterance one error worse: certain as a pair, invisible when the hard utterances' spread is left in."""
    left = np.random.default_rng(4).integers(0, 9, 60)
    apart = [rate_interval(rates_of(errors)) for errors in (left.tolist(), (left + 1).tolist())]
    gap = rate_difference(rates_of(left.tolist()), rates_of((left + 1).tolist()))
    assert gap is not None and apart[0] is not None and apart[1] is not None
    assert (gap.estimate, gap.low, gap.high) == pytest.approx((0.1, 0.1, 0.1)) and gap.p_above_zero == 1.0
    assert apart[0].high > apart[1].low


def test_the_sign_of_a_difference_is_right_minus_left() -> None:
    gap = rate_difference(rates_of([5, 5, 5, 5]), rates_of([1, 4, 2, 5]))
    assert gap is not None and gap.estimate == pytest.approx(-0.2) and gap.p_above_zero == 0.0
    same = rate_difference(rates_of([1, 2]), rates_of([1, 2]))
    assert same is not None and (same.estimate, same.low, same.high, same.p_above_zero) == (0, 0, 0, 0)


def test_a_difference_of_unequal_lists_is_refused() -> None:
    with pytest.raises(ValueError, match="2 utterances against 1"):
        rate_difference(rates_of([1, 2]), rates_of([1]))


def test_frames_by_hand() -> None:
    left = np.array([[2.0, 0.0, 1.0], [0.0, 5.0, 1.0]], np.float32)
    right = np.array([[9.0, 0.0, 1.0], [3.0, 2.0, 1.0]], np.float32)
    assert argmax_agreement(left, right).tolist() == [True, False]
    assert (blank_frames(left), blank_frames(right)) == (1, 2)
    np.testing.assert_allclose(top_margin(left), [1.0, 4.0])


def test_kl_of_two_coins() -> None:
    """KL(1/2, 1/2 ‖ 3/4, 1/4) = ln 2 - (ln 3) / 2 nats, and the other way round it is another number."""
    fair, bent = np.log(np.array([[0.5, 0.5]])), np.log(np.array([[0.75, 0.25]]))
    np.testing.assert_allclose(frame_kl(fair + 3.0, bent - 7.0), [np.log(2) - np.log(3) / 2])
    np.testing.assert_allclose(frame_kl(bent, fair), [0.75 * np.log(1.5) + 0.25 * np.log(0.5)])
    np.testing.assert_array_equal(frame_kl(fair, fair), [0.0])


def test_kl_of_many_frames_equals_brute_force() -> None:
    rng = np.random.default_rng(5)
    left, right = (rng.normal(0, 30, (150, 7)).astype(np.float32) for _ in range(2))
    expected = []
    for one, two in zip(left.astype(float), right.astype(float), strict=True):
        p, q = (np.exp(row - row.max()) / np.exp(row - row.max()).sum() for row in (one, two))
        expected.append(sum(a * np.log(a / b) for a, b in zip(p, q, strict=True) if a > 0))
    np.testing.assert_allclose(frame_kl(left, right), expected, rtol=1e-6, atol=1e-9)


def test_tags_are_counted_pair_by_pair() -> None:
    found = tag_agreement(["zh", "zh", "en", "zh"], ["zh", "en", "en", "zh"])
    assert (found.agree, found.of, found.rate) == (3, 4, 0.75)
    assert found.confusion == {"zh": {"zh": 2, "en": 1}, "en": {"en": 1}}
    assert tag_agreement([], []).rate is None
    with pytest.raises(ValueError, match="zip"):
        tag_agreement(["zh"], [])


def frames(text: str) -> np.ndarray:
    return np.array([letter == "#" for letter in text], np.bool_)


def test_vad_scores_by_hand() -> None:
    found = vad_scores(frames("####......"), frames(".######..."))
    assert (found.hits, found.misses, found.false_alarms, found.rejections) == (3, 1, 3, 3)
    precision, recall = 3 / 6, 3 / 4
    assert found.f1 == pytest.approx(2 * precision * recall / (precision + recall))
    assert (found.miss_rate, found.false_alarm_rate) == (0.25, 0.5)


@pytest.mark.parametrize(
    ("truth", "guess", "f1", "miss", "false_alarm"),
    [
        ("....", "....", 1.0, None, 0.0),
        ("....", "#...", 0.0, None, 0.25),
        ("##..", "....", 0.0, 1.0, 0.0),
        ("####", "####", 1.0, 0.0, None),
        ("", "", None, None, None),
    ],
)
def test_vad_scores_where_a_side_is_empty(truth: str, guess: str, f1: float | None, miss: float | None, false_alarm: float | None) -> None:
    found = vad_scores(frames(truth), frames(guess))
    assert (found.f1, found.miss_rate, found.false_alarm_rate) == (f1, miss, false_alarm)


def test_vad_scores_add_up_to_those_of_all_frames() -> None:
    rng = np.random.default_rng(6)
    truth, guess = rng.random(50) < 0.6, rng.random(50) < 0.5
    assert vad_scores(truth[:17], guess[:17]) + vad_scores(truth[17:], guess[17:]) == vad_scores(truth, guess)
    assert VadScores() + vad_scores(truth, guess) == vad_scores(truth, guess)


def test_vad_scores_of_two_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="same recording"):
        vad_scores(frames("##"), frames("###"))


def spans(*times: tuple[int, int]) -> list[SpeechSpan]:
    return [SpeechSpan(start, end) for start, end in times]


def test_boundaries_of_spans_that_overlap_most() -> None:
    found = boundary_errors(spans((0, 1000), (2000, 3000), (9000, 9500)), spans((10, 900), (2000, 3040)))
    assert sorted(found.errors_ms) == [0, 10, 40, 100] and found.unmatched == 2
    assert (found.median_ms, found.max_ms) == (25, 100)
    assert found.p90_ms == pytest.approx(40 + 0.7 * 60)
    assert found.within(10) == pytest.approx(2 / 6) and found.within(40) == pytest.approx(3 / 6)


def test_a_span_that_was_cut_in_two_keeps_its_larger_part() -> None:
    found = boundary_errors(spans((0, 1000)), spans((0, 300), (300, 1000)))
    assert found.errors_ms == (300, 0) and found.unmatched == 2


def test_the_first_span_does_not_take_what_belongs_to_the_second() -> None:
    found = boundary_errors(spans((0, 1000), (1010, 3000)), spans((950, 3000)))
    assert found.errors_ms == (60, 0) and found.unmatched == 2


def test_no_boundaries_have_no_error() -> None:
    found = boundary_errors([], [])
    assert found == BoundaryErrors() and found.within(10) is None
    assert (found.median_ms, found.p90_ms, found.max_ms) == (None, None, None)
    lonely = boundary_errors(spans((0, 100)), [])
    assert lonely.unmatched == 2 and lonely.within(10) == 0.0
