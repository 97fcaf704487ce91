"""Tags, boundaries and margins of two runs side by side."""

from __future__ import annotations

from engine.compare import Comparison, Side, compare_boundaries, compare_tags, margin, pair_segments
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Transcript


def segment(start_ms: int, end_ms: int, *, emotion: Emotion = Emotion.HAPPY, text: str = "hello") -> Segment:
    return Segment(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        language=Language.EN,
        emotion=emotion,
        event=Event.SPEECH,
        confidence=TagConfidence(language=1.0, emotion=0.7, event=1.0),
        probabilities={"language": {"en": 1.0}, "emotion": {"HAPPY": 0.7, "SAD": 0.2}, "event": {"Speech": 1.0, "BGM": 0.0}},
    )


def transcript(*segments: Segment, precision: str = "fp32", total_s: float = 2.0) -> Transcript:
    timing = Timing(decode_s=0.1, features_s=0.1, vad_s=0.1, asr_s=0.1, total_s=total_s, rtf=total_s / 10)
    return Transcript(file="a.wav", duration_s=10.0, bundle="tiny", precision=precision, segments=segments, timing=timing)


def test_segments_pair_by_overlap_and_the_rest_stand_alone() -> None:
    left = (segment(0, 1000), segment(2000, 3000), segment(5000, 6000))
    right = (segment(100, 1100), segment(2900, 4000), segment(8000, 9000))
    pairs = pair_segments(left, right)
    assert [(a and a.start_ms, b and b.start_ms) for a, b in pairs] == [(0, 100), (2000, 2900), (5000, None), (None, 8000)]


def test_agreement_counts_each_family_and_missing_partners() -> None:
    tags = compare_tags((segment(0, 1000), segment(2000, 3000)), (segment(0, 1000, emotion=Emotion.SAD),))
    assert tags["language"] == {"agree": 1, "of": 2}
    assert tags["emotion"] == {"agree": 0, "of": 2}
    assert tags["agreement"] == round(2 / 6, 4)
    assert tags["segments"][1]["right"] is None
    assert tags["segments"][0]["margin"]["left"] == {"language": None, "emotion": 0.5, "event": 1.0}
    assert tags["segments"][0]["margin"]["right"]["emotion"] == -0.5


def test_nothing_said_is_no_agreement_and_no_disagreement() -> None:
    assert compare_tags((), ())["agreement"] is None


def test_boundaries_within_ten_milliseconds() -> None:
    assert compare_boundaries((segment(0, 1000),), (segment(10, 1020),)) == {"left": 1, "right": 1, "boundaries": 2, "within_10_ms": 1}


def test_margin_needs_another_tag() -> None:
    assert margin({"a": 1.0}, "a") is None
    assert margin({"a": 0.25, "b": 0.75}, "a") == -0.5


def test_the_whole_comparison() -> None:
    left = Side(transcript=transcript(segment(0, 1000, text="one two")), sessions_mb=100.04, file_mb=11.238)
    right = Side(transcript=transcript(segment(0, 1000, text="one too"), precision="int8", total_s=1.0), sessions_mb=40.0, file_mb=3.1)
    values = Comparison(left=left, right=right).to_dict()
    assert list(values) == ["file", "duration_s", "left", "right", "text", "tags", "segments", "time", "memory"]
    assert values["text"]["edits"] == 1
    assert values["time"] == {"left_s": 2.0, "right_s": 1.0, "ratio": 0.5, "left_rtf": 0.2, "right_rtf": 0.1}
    assert values["memory"] == {"left_mb": 100.0, "right_mb": 40.0, "left_file_mb": 11.24, "right_file_mb": 3.1}
    assert (values["left"]["precision"], values["right"]["precision"]) == ("fp32", "int8")
