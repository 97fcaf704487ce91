"""A language that a bundle tags and does not write is said beside the text."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.audio.reading.reading_warnings import WarningType
from engine.speech.untaught_languages import untaught_warnings
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence

SEGMENT = Segment(
    start_ms=0,
    end_ms=900,
    text="abc",
    language=Language.EN,
    emotion=Emotion.NEUTRAL,
    event=Event.SPEECH,
    confidence=TagConfidence(language=0.9, emotion=0.9, event=0.9),
)


@pytest.mark.parametrize(
    ("languages", "untaught"), [((), 0), (("en", "zh"), 0), (("en", "ja", "ko", "nospeech"), 2), (("nospeech",), 0), (("yue",), 1)]
)
def test_segments_in_other_languages_are_counted(languages: tuple[str, ...], untaught: int) -> None:
    warnings = untaught_warnings([replace(SEGMENT, language=Language(language)) for language in languages], taught=("en", "zh"))
    assert [(one.type, dict(one.values)) for one in warnings] == ([(WarningType.NOT_TAUGHT, {"segments": untaught})] if untaught else [])
    assert all(f"{untaught} of its segments" in one.message for one in warnings)


def test_a_bundle_that_writes_all_five_warns_of_none() -> None:
    taught = ("zh", "en", "yue", "ja", "ko")
    assert untaught_warnings([replace(SEGMENT, language=Language(language)) for language in taught], taught=taught) == ()


@pytest.mark.parametrize(("asked", "untaught"), [("auto", 0), ("en", 0), ("ja", 2), ("nospeech", 0)])
def test_a_request_for_such_a_language_is_warned_of_however_its_segments_are_tagged(asked: str, untaught: int) -> None:
    warnings = untaught_warnings([SEGMENT, SEGMENT], taught=("en", "zh"), asked=asked)
    assert [dict(one.values) for one in warnings] == ([{"segments": untaught}] if untaught else [])
