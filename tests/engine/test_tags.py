"""The emotion that is answered, with EMO_UNKNOWN allowed and banned."""

from __future__ import annotations

import pytest

from engine.tags import Emotion, likeliest_emotion

UNSURE = {Emotion.HAPPY: 0.1, Emotion.SAD: 0.3, Emotion.EMO_UNKNOWN: 0.6}


@pytest.mark.parametrize(
    ("probabilities", "ban", "answer"),
    [
        (UNSURE, False, Emotion.EMO_UNKNOWN),
        (UNSURE, True, Emotion.SAD),
        ({Emotion.HAPPY: 0.7, Emotion.EMO_UNKNOWN: 0.3}, True, Emotion.HAPPY),
        ({Emotion.HAPPY: 0.7, Emotion.EMO_UNKNOWN: 0.3}, False, Emotion.HAPPY),
        ({Emotion.EMO_UNKNOWN: 1.0}, True, Emotion.EMO_UNKNOWN),
        ({Emotion.SAD: 0.0, Emotion.HAPPY: 0.0, Emotion.EMO_UNKNOWN: 1.0}, True, Emotion.SAD),
    ],
)
def test_the_likeliest_emotion(probabilities: dict[Emotion, float], ban: bool, answer: Emotion) -> None:
    assert likeliest_emotion(probabilities, ban_unknown=ban) is answer
