"""Options: what the browser remembers is taken as far as it is on offer, and never trusted."""

from __future__ import annotations

from typing import Any

import pytest

from engine.speech.endpointing import VadOptions
from engine.subtitles.options import RANGES, SubtitleOptions
from ui.text.texts import Texts
from ui.transcribe.form import form_options, vad_choices
from ui.transcribe.run_options import MAX_LINE_COUNT, MAX_LINE_WIDTH, MIN_CUE_MS, FormOptions, RunOptions, remembered

PRECISIONS = ("fp32", "int8")


def test_the_defaults_are_the_engines() -> None:
    assert RunOptions().vad() == VadOptions()
    form = FormOptions()
    chosen = SubtitleOptions(max_line_width=form.max_line_width, max_line_count=form.max_line_count, min_cue_ms=form.min_cue_ms)
    assert chosen == SubtitleOptions()
    for name, (lowest, highest, _) in (("max_line_width", MAX_LINE_WIDTH), ("max_line_count", MAX_LINE_COUNT), ("min_cue_ms", MIN_CUE_MS)):
        assert RANGES[name][0] <= lowest < highest <= RANGES[name][1]
    RunOptions().check(PRECISIONS)


def test_what_was_kept_comes_back() -> None:
    kept = FormOptions(
        language="ja",
        itn=False,
        ban_emo_unknown=True,
        vad_precision="int8",
        end_silence_ms=500,
        unsure_below_percent=30,
        max_line_width=36,
        min_cue_ms=1_000,
    )
    assert remembered(kept.to_dict(), precisions=PRECISIONS) == kept
    assert form_options(list(kept.to_dict().values())) == kept


@pytest.mark.parametrize("values", [None, "", 7, [], {}, {"no such": 1}, {"language": "zn"}, {"itn": "yes"}, {"max_segment_s": True}])
def test_what_cannot_be_read_is_the_default(values: object) -> None:
    assert remembered(values, precisions=PRECISIONS) == FormOptions()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("language", ["en"]),
        ("vad_precision", "fp16"),
        ("end_silence_ms", 1e9),
        ("speech_noise_threshold", "0.6"),
        ("max_segment_s", 61),
        ("max_line_count", 9),
    ],
)
def test_one_bad_value_does_not_cost_the_others(name: str, value: Any) -> None:
    kept = remembered({**FormOptions(ban_emo_unknown=True, unsure_below_percent=20).to_dict(), name: value}, precisions=PRECISIONS)
    assert kept == FormOptions(ban_emo_unknown=True, unsure_below_percent=20)


def test_the_engine_gets_what_is_known() -> None:
    told = FormOptions(language="en", unsure_below_percent=10).run_options()
    assert told == RunOptions(language="en")
    assert type(told) is RunOptions


def test_vad_is_offered_in_the_bundles_precisions() -> None:
    assert [value for _, value in vad_choices(Texts("en"), PRECISIONS)] == ["same", "fp32", "int8", "off"]
    assert [value for _, value in vad_choices(Texts("zh"), ("fp32", "fp16"))] == ["same", "fp32", "off"]
