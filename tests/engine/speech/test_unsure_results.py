"""A transcript that the model is unsure of as a whole is said to be so."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from engine.audio.reading.reading_warnings import WarningType
from engine.speech.unsure_results import LEAST_TOKENS, UNSURE_BELOW, mean_confidence, unsure_warnings
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Token


def segment(confidences: Sequence[float]) -> Segment:
    return Segment(
        start_ms=0,
        end_ms=1000,
        text="words",
        language=Language.EN,
        emotion=Emotion.NEUTRAL,
        event=Event.SPEECH,
        confidence=TagConfidence(language=1.0, emotion=1.0, event=1.0),
        tokens=tuple(Token(text="w", start_ms=0, end_ms=60, confidence=one) for one in confidences),
    )


@pytest.mark.parametrize(
    ("segments", "unsure"),
    [
        ([[0.2, 0.3, 0.4]], True),
        ([[0.9, 0.9, 0.9]], False),
        ([[0.1, 0.1], [0.99, 0.99, 0.99, 0.99]], False),  # one bad segment is marked word by word
        ([[UNSURE_BELOW] * LEAST_TOKENS], False),
        ([[0.1] * (LEAST_TOKENS - 1)], False),
        ([[]], False),
        ([], False),
    ],
)
def test_the_mean_of_all_tokens_decides(segments: list[list[float]], unsure: bool) -> None:
    warnings = unsure_warnings(segment(one) for one in segments)
    assert [one.type for one in warnings] == ([WarningType.UNSURE] if unsure else [])


def test_the_mean_is_told_in_percent() -> None:
    (warning,) = unsure_warnings([segment([0.2, 0.3, 0.4])])
    assert dict(warning.values) == {"percent": 30}
    assert "30 %" in warning.message


def test_where_there_are_no_tokens_there_is_no_mean() -> None:
    assert mean_confidence([segment([])]) is None
