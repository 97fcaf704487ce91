"""Tags, boundaries and margins of two runs side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.audio.waveform import Waveform
from engine.bundle import Bundle
from engine.compare.compare import (
    Comparison,
    Contender,
    Side,
    StoppedEarly,
    Variant,
    compare_boundaries,
    compare_tags,
    margin,
    pair_segments,
    take_turns,
)
from engine.errors import UnknownPrecisionError
from engine.pipeline import Engine
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
    assert tags["segments"][0]["confidence"]["left"] == {"language": 1.0, "emotion": 0.7, "event": 1.0}
    assert tags["segments"][1]["confidence"]["right"] is None
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
    assert list(values) == ["file", "duration_s", "left", "right", "text", "tags", "segments", "time", "memory", "rounds"]
    assert values["text"]["edits"] == 1
    assert values["time"] == {"left_s": 2.0, "right_s": 1.0, "ratio": 0.5, "left_rtf": 0.2, "right_rtf": 0.1}
    assert values["memory"] == {"left_mb": 100.0, "right_mb": 40.0, "left_file_mb": 11.24, "right_file_mb": 3.1}
    assert (values["left"]["precision"], values["right"]["precision"]) == ("fp32", "int8")


class Bench:
    """Two contenders whose runs take the times that a test gives them; notes who ran and whose sessions were open."""

    def __init__(self, left_s: list[float], right_s: list[float]) -> None:
        self.ran: list[str] = []
        self.open: list[str] = []
        self.most_open = 0
        self.contenders = [self._contender("left", iter(left_s)), self._contender("right", iter(right_s))]

    def _contender(self, name: str, times_s: Iterator[float]) -> Contender:
        @contextmanager
        def ready() -> Iterator[float]:
            self.open.append(name)
            self.most_open = max(self.most_open, len(set(self.open)))
            yield 10.0
            self.open.remove(name)

        def run(tell: Callable[[float, str], None]) -> Transcript:
            assert name in self.open
            tell(0.5, "asr")
            self.ran.append(name)
            return transcript(precision=name, total_s=next(times_s))

        return Contender(ready=ready, run=run, file_mb=1.0)


def test_sides_alternate_and_medians_are_of_real_runs() -> None:
    bench, told = Bench([5.0, 1.0, 2.0], [1.0, 9.0, 3.0]), []
    result = take_turns(*bench.contenders, rounds=3, progress=lambda fraction, _: told.append(round(fraction, 3)))
    assert bench.ran == ["left", "right", "right", "left", "left", "right"]
    assert told == sorted(told)
    assert 0 < told[0] < told[-1] < 1
    assert bench.open == []
    values = result.to_dict()
    assert values["rounds"] == {"count": 3, "left_s": [5.0, 1.0, 2.0], "right_s": [1.0, 9.0, 3.0]}
    assert (values["time"]["left_s"], values["time"]["right_s"]) == (2.0, 3.0)
    assert values["left"]["timing"]["total_s"] == 2.0


@pytest.mark.parametrize(("rounds", "most_open"), [(1, 1), (2, 2)])
def test_one_round_needs_one_sides_memory_at_a_time(rounds: int, most_open: int) -> None:
    bench = Bench([1.0] * rounds, [1.0] * rounds)
    take_turns(*bench.contenders, rounds=rounds, progress=lambda *_: None)
    assert bench.most_open == most_open


@pytest.mark.parametrize(("runs", "rounds_left"), [(2, 1), (5, 2)])
def test_whoever_stops_keeps_the_complete_rounds(runs: int, rounds_left: int) -> None:
    bench = Bench([1.0, 2.0, 3.0], [4.0, 5.0, 6.0])

    def stop(_fraction: float, _stage: str) -> None:
        if len(bench.ran) == runs:
            raise StoppedEarly

    assert take_turns(*bench.contenders, rounds=3, progress=stop).to_dict()["rounds"]["count"] == rounds_left


def test_stopping_in_the_first_round_leaves_nothing_to_compare() -> None:
    def stop(_fraction: float, _stage: str) -> None:
        raise StoppedEarly

    with pytest.raises(StoppedEarly):
        take_turns(*Bench([1.0], [1.0]).contenders, rounds=5, progress=stop)


def test_a_variant_of_another_bundle_is_opened_for_the_comparison_alone(tiny_bundle: Path) -> None:
    engine = Engine(Bundle.load(tiny_bundle))
    other = replace(Bundle.load(tiny_bundle), name="other")
    sound = Waveform(np.zeros(16_000, np.float32), name="quiet")
    values = engine.compare(sound, left="fp32", right=Variant("int8", other), rounds=2).to_dict()
    assert [(values[side]["bundle"], values[side]["precision"]) for side in ("left", "right")] == [("tiny", "fp32"), ("other", "int8")]
    assert {session["precision"] for session in engine.resources()["sessions"]} == {"fp32"}
    with pytest.raises(UnknownPrecisionError):
        engine.compare(sound, right=Variant("int3", other))
    engine.close()
