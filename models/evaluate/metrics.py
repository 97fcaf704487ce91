"""How far two outputs lie apart, as numbers: error rates, intervals, frame and tag agreement, VAD scores. Pure functions.

Undefined ratios (no speech to miss, no text to recognize) are None, never 0 or 1 by accident.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, Self

import jiwer
import numpy as np
from numpy.typing import NDArray

from engine.compare.error_rate import normalize_text
from engine.speech.features import FRAME_SHIFT_MS

Floats = NDArray[np.floating[Any]]
Bools = NDArray[np.bool_]

SEED = 9527
DRAWS = 1000
BLANK_ID = 0
#: Languages written without spaces: a word error rate means nothing there.
UNSPACED = frozenset({"zh", "yue", "ja"})

_KL_BLOCK_FRAMES = 64  # 25 055 float64 logits a frame: 13 MB a block


@dataclass(frozen=True)
class Summed:
    """Counts that add up field by field."""

    def __add__(self, other: Self) -> Self:
        return replace(self, **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in fields(self)})


@dataclass(frozen=True, kw_only=True)
class ErrorCounts(Summed):
    """Edits that turn references into hypotheses, and how many units the references have."""

    substitutions: int = 0
    deletions: int = 0
    insertions: int = 0
    length: int = 0

    @property
    def errors(self) -> int:
        """S + D + I."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """(S + D + I) / N; None where the references are empty."""
        return self.errors / self.length if self.length else None


def error_counts(reference: str, hypothesis: str, *, characters: bool) -> ErrorCounts:
    """Edits of one utterance, both sides normalized: by character for CER, by word for WER (Levenshtein alignment of jiwer).

    The space between two words is a character of a CER.
    """
    aligned = (jiwer.process_characters if characters else jiwer.process_words)(normalize_text(reference), normalize_text(hypothesis))
    return ErrorCounts(
        substitutions=aligned.substitutions,
        deletions=aligned.deletions,
        insertions=aligned.insertions,
        length=aligned.hits + aligned.substitutions + aligned.deletions,
    )


def total(counts: Iterable[ErrorCounts]) -> ErrorCounts:
    """All utterances as one."""
    return sum(counts, ErrorCounts())


@dataclass(frozen=True, kw_only=True)
class Interval:
    """An estimate with its 95 % interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Difference(Interval):
    """Right minus left, with the share of bootstrap draws in which it was above 0."""

    p_above_zero: float


def rate_interval(counts: Sequence[ErrorCounts], *, draws: int = DRAWS, seed: int = SEED) -> Interval | None:
    """Error rate over all utterances with a percentile-bootstrap interval; None without reference text.

    Utterances are drawn with replacement, and each draw's rate is the sum of its errors over the sum of its lengths (Bisani and Ney,
    "Bootstrap estimates for confidence intervals in ASR performance evaluation", ICASSP 2004).
    """
    estimate = total(counts).rate
    if estimate is None:
        return None
    (rates,) = _drawn_rates([counts], draws=draws, seed=seed)
    low, high = np.percentile(rates, [2.5, 97.5])
    return Interval(estimate=estimate, low=float(low), high=float(high))


def rate_difference(
    left: Sequence[ErrorCounts], right: Sequence[ErrorCounts], *, draws: int = DRAWS, seed: int = SEED
) -> Difference | None:
    """How much higher the right system's error rate is on the same utterances, with a paired bootstrap (Bisani and Ney, 2004).

    Both systems are drawn with the same utterances, so that what makes an utterance hard cancels out. None without reference text.
    Raises ValueError where the two lists are of unequal length.
    """
    if len(left) != len(right):
        raise ValueError(f"{len(left)} utterances against {len(right)}: a paired bootstrap needs the same ones on both sides")
    first, second = total(left).rate, total(right).rate
    if first is None or second is None:
        return None
    left_rates, right_rates = _drawn_rates([left, right], draws=draws, seed=seed)
    differences = right_rates - left_rates
    low, high = np.percentile(differences, [2.5, 97.5])
    return Difference(estimate=second - first, low=float(low), high=float(high), p_above_zero=float((differences > 0).mean()))


def _drawn_rates(systems: Sequence[Sequence[ErrorCounts]], *, draws: int, seed: int) -> list[Floats]:
    errors = np.array([[count.errors for count in counts] for counts in systems], np.float64)
    lengths = np.array([[count.length for count in counts] for counts in systems], np.float64)
    rng = np.random.default_rng(seed)
    rates = np.empty((len(systems), draws))
    for draw in range(draws):  # one by one: all draws of 10 000 utterances at once would take 80 MB
        chosen = rng.integers(0, errors.shape[1], errors.shape[1])
        rates[:, draw] = errors[:, chosen].sum(axis=1) / np.maximum(lengths[:, chosen].sum(axis=1), 1.0)
    return list(rates)


def blank_frames(logits: Floats, *, blank_id: int = BLANK_ID) -> int:
    """How many frames are blank by their arg-max: logits (T, V). Blank rate = blank frames / frames."""
    return int((logits.argmax(axis=-1) == blank_id).sum())


def argmax_agreement(left: Floats, right: Floats) -> Bools:
    """Frames in which two systems would emit the same token: logits (T, V) twice -> (T,) bool."""
    return np.asarray(left.argmax(axis=-1) == right.argmax(axis=-1), np.bool_)


def top_margin(logits: Floats) -> Floats:
    """How far the best token lies above the second best: (T, V) -> (T,)."""
    best = np.partition(logits, -2, axis=-1)[:, -2:]
    return np.asarray(best[:, 1] - best[:, 0])


def log_softmax(logits: Floats) -> Floats:
    """Logits (…, V) -> log probabilities in float64."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


def frame_kl(left: Floats, right: Floats) -> Floats:
    """KL(left ‖ right) of each frame in nats: logits (T, V) twice -> (T,) float64, never below 0.

    sum over tokens of p_left · (log p_left - log p_right), p the softmax (Kullback and Leibler, 1951).
    """
    divergences = np.empty(len(left))
    for start in range(0, len(left), _KL_BLOCK_FRAMES):
        stop = start + _KL_BLOCK_FRAMES
        one, two = log_softmax(left[start:stop]), log_softmax(right[start:stop])
        divergences[start:stop] = (np.exp(one) * (one - two)).sum(axis=-1)
    return np.maximum(divergences, 0.0)  # rounding leaves -1e-17 where both are equal


@dataclass(frozen=True, kw_only=True)
class TagAgreement:
    """How often two systems (or a label and a system) name the same tag; ``confusion[left][right]`` counts."""

    agree: int
    of: int
    confusion: dict[str, dict[str, int]]

    @property
    def rate(self) -> float | None:
        """Agree / of; None where there is nothing to compare."""
        return self.agree / self.of if self.of else None


def tag_agreement(left: Sequence[str], right: Sequence[str]) -> TagAgreement:
    """Compare tags pair by pair: the left ones are the truth or the reference. ValueError for unequal lengths."""
    confusion: dict[str, dict[str, int]] = {}
    for (one, two), count in sorted(Counter(zip(left, right, strict=True)).items()):
        confusion.setdefault(one, {})[two] = count
    agree = sum(row.get(tag, 0) for tag, row in confusion.items())
    return TagAgreement(agree=agree, of=len(left), confusion=confusion)


@dataclass(frozen=True, kw_only=True)
class VadScores(Summed):
    """Frames of speech found, missed and wrongly found; scores of several recordings add up to those of all their frames."""

    hits: int = 0
    misses: int = 0
    false_alarms: int = 0
    rejections: int = 0

    @property
    def f1(self) -> float | None:
        """2 · hits / (2 · hits + misses + false alarms): 1 where there is no speech and none was found; None without frames."""
        if not self.frames:
            return None
        wrong = self.misses + self.false_alarms
        return 2 * self.hits / (2 * self.hits + wrong) if self.hits or wrong else 1.0

    @property
    def miss_rate(self) -> float | None:
        """Misses / frames of speech; None where there is no speech."""
        speech = self.hits + self.misses
        return self.misses / speech if speech else None

    @property
    def false_alarm_rate(self) -> float | None:
        """False alarms / frames without speech; None where there are none."""
        quiet = self.false_alarms + self.rejections
        return self.false_alarms / quiet if quiet else None

    @property
    def frames(self) -> int:
        """How many frames were scored."""
        return self.hits + self.misses + self.false_alarms + self.rejections


def vad_scores(truth: Bools, guess: Bools) -> VadScores:
    """Score speech decisions frame by frame: (T,) bool twice. ValueError for unequal lengths."""
    if truth.shape != guess.shape:
        raise ValueError(f"{truth.shape} frames of truth against {guess.shape}: both must cover the same recording")
    return VadScores(
        hits=int((truth & guess).sum()),
        misses=int((truth & ~guess).sum()),
        false_alarms=int((~truth & guess).sum()),
        rejections=int((~truth & ~guess).sum()),
    )


class Span(Protocol):
    """A stretch of time, as ``engine.speech.endpointing.SpeechSpan`` and ``engine.transcript.Segment`` are."""

    @property
    def start_ms(self) -> int: ...

    @property
    def end_ms(self) -> int: ...


def frames_in(spans: Iterable[Span], count: int) -> Bools:
    """The 10 ms frames inside spans: (count,) bool."""
    frames = np.zeros(count, np.bool_)
    for span in spans:
        frames[span.start_ms // FRAME_SHIFT_MS : span.end_ms // FRAME_SHIFT_MS] = True
    return frames


@dataclass(frozen=True, kw_only=True)
class BoundaryErrors(Summed):
    """How far the boundaries of matched spans lie apart, and how many boundaries found no partner."""

    errors_ms: tuple[int, ...] = ()
    unmatched: int = 0

    @property
    def median_ms(self) -> float | None:
        """Half of the matched boundaries lie nearer than this."""
        return float(np.median(self.errors_ms)) if self.errors_ms else None

    @property
    def p90_ms(self) -> float | None:
        """Nine of ten matched boundaries lie nearer than this (linear interpolation)."""
        return float(np.percentile(self.errors_ms, 90)) if self.errors_ms else None

    @property
    def max_ms(self) -> int | None:
        """The worst matched boundary."""
        return max(self.errors_ms, default=None)

    def within(self, limit_ms: int) -> float | None:
        """Share of all boundaries, unmatched ones too, that lie at most this far from their partner."""
        count = len(self.errors_ms) + self.unmatched
        return sum(error <= limit_ms for error in self.errors_ms) / count if count else None


def boundary_errors(reference: Sequence[Span], spans: Sequence[Span]) -> BoundaryErrors:
    """Starts and ends of spans against those of the reference spans they overlap most, each span used once."""
    overlaps = sorted(
        (
            (max(one.start_ms, two.start_ms) - min(one.end_ms, two.end_ms), left, right)
            for left, one in enumerate(reference)
            for right, two in enumerate(spans)
            if min(one.end_ms, two.end_ms) > max(one.start_ms, two.start_ms)
        ),
    )
    pairs: dict[int, int] = {}
    for _, left, right in overlaps:
        if left not in pairs and right not in pairs.values():
            pairs[left] = right
    errors = [
        error
        for left, right in sorted(pairs.items())
        for error in (abs(reference[left].start_ms - spans[right].start_ms), abs(reference[left].end_ms - spans[right].end_ms))
    ]
    return BoundaryErrors(errors_ms=tuple(errors), unmatched=2 * (len(reference) + len(spans) - 2 * len(pairs)))
