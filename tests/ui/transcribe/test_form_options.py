"""Options: what the browser remembers is taken as far as it is on offer, and never trusted."""

from __future__ import annotations

from typing import Any

import pytest

from engine.audio.read_options import Channel, ReadOptions
from engine.options import TranscribeOptions
from engine.speech.decoding.hotwords import Hotword
from engine.speech.endpointing import VadOptions
from engine.subtitles.options import RANGES, SubtitleOptions
from ui.text.texts import Texts
from ui.transcribe.form import form_options, vad_choices
from ui.transcribe.form_options import MAX_LINE_COUNT, MAX_LINE_WIDTH, MIN_CUE_MS, FormOptions, remembered

PRECISIONS = ("fp32", "int8")


KEPT = {
    "language": "ja",
    "itn": False,
    "hotwords": "张三\n重庆火锅 3.0",
    "homophones": True,
    "n_best": 3,
    "ban_emo_unknown": True,
    "channel": "left",
    "vad_precision": "int8",
    "max_end_silence_ms": 500,
    "speech_noise_threshold": 0.4,
    "max_segment_s": 10,
    "unsure_below_percent": 30,
    "max_line_width": 36,
    "max_line_count": 1,
    "min_cue_ms": 1_000,
}


def test_the_defaults_are_the_engines() -> None:
    assert FormOptions() == FormOptions(transcribe=TranscribeOptions(), subtitles=SubtitleOptions())
    for name, (lowest, highest, _) in (("max_line_width", MAX_LINE_WIDTH), ("max_line_count", MAX_LINE_COUNT), ("min_cue_ms", MIN_CUE_MS)):
        assert RANGES[name][0] <= lowest < highest <= RANGES[name][1]
    assert remembered(FormOptions().to_dict(), precisions=PRECISIONS) == FormOptions()


def test_what_was_kept_comes_back_and_reaches_the_engine() -> None:
    kept = remembered(KEPT, precisions=PRECISIONS)
    assert kept.to_dict() == KEPT
    assert form_options(list(KEPT.values())) == kept
    assert kept.transcribe == TranscribeOptions(
        language="ja",
        itn=False,
        hotwords=(Hotword("张三"), Hotword("重庆火锅", 3.0)),
        homophones=True,
        n_best=3,
        ban_emo_unknown=True,
        vad_precision="int8",
        vad=VadOptions(max_end_silence_ms=500, speech_noise_threshold=0.4, max_segment_ms=10_000),
        read=ReadOptions(channel=Channel.LEFT),
    )
    assert kept.subtitles == SubtitleOptions(max_line_width=36, max_line_count=1, min_cue_ms=1_000)


def test_of_hotwords_that_were_still_being_written_the_other_lines_stay() -> None:
    kept = remembered({**KEPT, "hotwords": "张三\n李四 99.\n\a\n重庆火锅 3.0\nx 99.0"}, precisions=PRECISIONS)
    assert kept.to_dict() == {**KEPT, "hotwords": "张三\n李四 99.\n重庆火锅 3.0"}


@pytest.mark.parametrize("values", [None, "", 7, [], {}, {"no such": 1}, {"language": "zn"}, {"itn": "yes"}, {"max_segment_s": True}])
def test_what_cannot_be_read_is_the_default(values: object) -> None:
    assert remembered(values, precisions=PRECISIONS) == FormOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", ["en"]),
        ("vad_precision", "fp16"),
        ("max_end_silence_ms", 1e9),
        ("speech_noise_threshold", "0.6"),
        ("max_segment_s", 61),
        ("max_line_count", 9),
        ("hotwords", "张三 99.0"),
        ("hotwords", ["张三"]),
        ("n_best", 9),
    ],
)
def test_one_bad_value_does_not_cost_the_others(name: str, value: Any) -> None:
    kept = remembered({**KEPT, name: value}, precisions=PRECISIONS).to_dict()
    assert kept == {**KEPT, name: FormOptions().to_dict()[name]}


def test_vad_is_offered_in_the_bundles_precisions() -> None:
    assert [value for _, value in vad_choices(Texts("en"), PRECISIONS)] == ["same", "fp32", "int8", "off"]
    assert [value for _, value in vad_choices(Texts("zh"), ("fp32", "fp16"))] == ["same", "fp32", "off"]
