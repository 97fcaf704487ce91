"""Transcripts that the model is unsure of as a whole: their words look like words, and many are wrong."""

from __future__ import annotations

from collections.abc import Iterable

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.transcript import Segment

#: Mean confidence of the tokens below which a transcript is said to be unsure. On 382 held-out recordings of the starter 0.5.0, 82 % of
#: what lies below has more than half of its characters wrong, and 72 % of what has lies below (``python -m benchmarks.confidence``).
UNSURE_BELOW = 0.5
#: Fewer tokens say too little: a single word may be unsure and right.
LEAST_TOKENS = 3


def mean_confidence(segments: Iterable[Segment]) -> float | None:
    """The mean confidence of all tokens in [0, 1]; None where there are none."""
    found = [token.confidence for segment in segments for token in segment.tokens]
    return sum(found) / len(found) if found else None


def unsure_warnings(segments: Iterable[Segment]) -> tuple[ReadingWarning, ...]:
    """One warning where the whole transcript is unsure, else none."""
    all_segments = tuple(segments)
    confidence = mean_confidence(all_segments)
    count = sum(len(segment.tokens) for segment in all_segments)
    if confidence is None or confidence >= UNSURE_BELOW or count < LEAST_TOKENS:
        return ()
    return (ReadingWarning(type=WarningType.UNSURE, values={"percent": round(confidence * 100)}),)
