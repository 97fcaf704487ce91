"""Transcripts that the model is unsure of as a whole: their words look like words, and many are wrong."""

from __future__ import annotations

from collections.abc import Iterable

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.transcript import Segment

#: Mean confidence of the tokens below which half of the characters are likely wrong (benchmarks/README.md has the measurement).
UNSURE_BELOW = 0.7
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
