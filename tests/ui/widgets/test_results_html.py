"""Transcripts, comparisons, resources and the banner as HTML: complete, and safe whatever a recording or a bundle says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.audio.waveform import load_audio
from engine.runtime.advisor import advise
from engine.runtime.speed import Speed
from engine.tags import Emotion, Event, Language
from engine.transcript import Transcript
from tests.ui.fake_engine import FakeEngine, fake_bundle
from tests.ui.html_reader import Reader
from ui.compare.comparison_html import MOST_ROWS, comparison_html, side_names
from ui.scheduling.recording_queue import Entry, EntryState, Result
from ui.slim.slim_html import transcript_html as slim_transcript_html
from ui.status.lightweight_panel import advice_html, effects_html, lightweight_html
from ui.status.resource_panel import resources_html
from ui.status.server_state import LightweightState, Reading, ServerState
from ui.text.texts import Texts
from ui.transcribe.result_html import result_html
from ui.widgets.banner import banner_html
from ui.widgets.render import render
from ui.widgets.tag_chips import EMOJI

ENGLISH, CHINESE = Texts("en"), Texts("zh")
NASTY = '<img src=x onerror="alert(1)">&\'`${1+1}{{x}}'


@pytest.fixture
def transcript(two_words: Any) -> Transcript:
    return FakeEngine().transcribe(load_audio(two_words))


def shown(transcript: Transcript, texts: Texts, name: str = "a.wav") -> str:
    """The result as the page gets it, without its segments, which the viewer asks for."""
    entry = Entry(id="1" * 32, name=name, path=Path(name), duration_s=3.0, state=EntryState.DONE)
    return result_html(entry, Result(transcript=transcript, peaks=np.ones(4, np.float32)), "recordings/x/y", texts)


@pytest.mark.parametrize(
    ("texts", "said"), [(ENGLISH, "its header promises 10.0 s, and it holds 2.5 s"), (CHINESE, "文件头标明 10.0 秒，实际只有 2.5 秒")]
)
def test_what_could_not_be_read_is_a_note_above_the_text(transcript: Transcript, texts: Texts, said: str) -> None:
    assert "lv-reading-notes" not in shown(transcript, texts)
    early = ReadingWarning(type=WarningType.ENDS_EARLY, values={"promised_s": 10.0, "read_s": 2.5})
    html = shown(replace(transcript, warnings=(early,)), texts)
    assert said in Reader(html).text
    assert html.index("lv-reading-notes") < html.index("lv-list")
    assert said in Reader(slim_transcript_html(replace(transcript, warnings=(early,)), texts)).text


def test_a_comparison_notes_what_either_side_says_and_nothing_twice(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words)).to_dict()
    early = ReadingWarning(type=WarningType.ENDS_EARLY, values={"promised_s": 10.0, "read_s": 2.5}).to_dict()
    untaught = ReadingWarning(type=WarningType.NOT_TAUGHT, values={"segments": 3}).to_dict()
    values["left"]["warnings"], values["right"]["warnings"] = [early], [early, untaught]
    shown = Reader(comparison_html(values, ENGLISH)).text
    assert shown.count("ends early") == shown.count("3 of its segments") == 1


def test_a_result_has_the_frame_and_the_words_of_the_viewer_and_no_segment(transcript: Transcript) -> None:
    html = shown(transcript, ENGLISH)
    assert "FP32" in Reader(html).text
    for segment in transcript.segments:
        assert segment.text not in html
    found = re.search(r'data-words="([^"]*)"', html)
    assert found is not None
    words = json.loads(unescape(found.group(1)))
    assert {"find_count", "speaker", "no_text", "replaced"} <= words["texts"].keys()
    assert words["tags"]["emotion"]["HAPPY"] == {"name": "Happy", "emoji": EMOJI[Emotion.HAPPY]}
    assert "高兴" in shown(transcript, CHINESE)


def test_a_result_is_as_long_for_hours_as_for_seconds(transcript: Transcript) -> None:
    def elements(made: Transcript) -> int:
        return len(Reader(shown(made, ENGLISH)).tags)

    assert elements(replace(transcript, segments=transcript.segments * 1_000)) == elements(transcript)


def test_probabilities_are_there_for_mouse_and_keyboard(transcript: Transcript) -> None:
    html = render("widgets/tag_chips", "chips", transcript.segments[0], ENGLISH)
    assert 'title="Emotion: Neutral, 71 %"' in html
    assert 'tabindex="0"' in html
    assert "Neutral 71 %" in html
    assert "Sad" in Reader(html).text


def test_silence_is_an_answer(transcript: Transcript) -> None:
    html = shown(replace(transcript, segments=()), ENGLISH)
    assert "No speech was found" in html
    assert "lv-list" not in html


def test_words_of_a_recording_never_become_markup(transcript: Transcript) -> None:
    segment = replace(transcript.segments[0], text=NASTY)
    nasty = replace(transcript, segments=(segment,), file=NASTY, bundle=NASTY)
    for html in (shown(nasty, ENGLISH, NASTY), slim_transcript_html(nasty, ENGLISH)):
        reader = Reader(html)
        assert "img" not in reader.tags
        assert "onerror" in reader.text


def test_words_of_a_bundle_never_become_markup() -> None:
    reader = Reader(banner_html(fake_bundle(title=NASTY, description=NASTY, licence=NASTY, source=NASTY), ENGLISH))
    assert "img" not in reader.tags
    assert reader.text.count("onerror") == 4


def test_the_banner_says_what_the_bundle_can_do() -> None:
    shown = Reader(banner_html(fake_bundle(), CHINESE)).text
    for word in ("同样的数字", "英语", "普通话", "Apache-2.0", "INT8 (3.1 MB)"):
        assert word in shown
    assert "Says the same digits" in Reader(banner_html(fake_bundle(), ENGLISH)).text


@pytest.mark.parametrize("tag", [*Language, *Emotion, *Event])
def test_every_tag_has_an_emoji(tag: Language | Emotion | Event) -> None:
    assert EMOJI[tag]


def test_a_comparison_shows_what_changed_and_what_it_costs(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words)).to_dict()
    reader = Reader(comparison_html(values, ENGLISH))
    for word in (
        "3 edits",
        "30 %",
        "One run says little about speed",
        "2 of 2",
        "4 of 4 segment boundaries",
        "30 MB",
        "9.4 MB",
        "11 MB",
        "3.1 MB",
        "0.0369",
    ):
        assert word in reader.text, word
    # Two changed places on each side, and the legend.
    assert reader.tags.count("del") == 3
    assert reader.tags.count("ins") == 3
    assert "Only in INT8" in reader.text
    assert "median" not in reader.text


def test_comparing_silence_is_no_error(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words)).to_dict()
    values["tags"] |= {"agreement": None, "segments": []}
    values["text"] = {"unit": "word", "diff": [], "edits": 0, "distance": 0.0, "equal": True}
    values["time"] |= {"left_s": 0.0, "right_s": 0.0}
    for side in ("left", "right"):
        values[side]["text"] = ""
    shown = Reader(comparison_html(values, ENGLISH)).text
    assert "no segments to compare" in shown
    assert "Neither side found speech" in shown


def test_several_rounds_are_shown_as_medians_with_their_spread(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words), rounds=3).to_dict()
    values["rounds"] |= {"left_s": [0.2, 0.1, 0.5], "right_s": [0.06, 0.07, 0.08]}
    shown = Reader(comparison_html(values, ENGLISH)).text
    for words in ("median of 3 runs", "100 ms to 500 ms", "60 ms to 80 ms"):
        assert words in shown, words


def test_a_variant_against_itself_says_so_and_keeps_the_sides_apart(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words), left="fp32", right="fp32").to_dict()
    assert side_names(values) == ("FP32 (1)", "FP32 (2)")
    assert "same variant" in Reader(comparison_html(values, ENGLISH)).text
    values["right"]["bundle"] = "other"
    assert side_names(values) == ("fake · FP32", "other · FP32")
    assert "same variant" not in comparison_html(values, ENGLISH)


def test_many_segments_are_cut_to_those_that_matter(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words)).to_dict()
    row = values["tags"]["segments"][0]
    rows = [{**row, "start_ms": number * 1000} for number in range(MOST_ROWS + 50)]
    rows[-1] = {**rows[-1], "right": None}
    values["tags"]["segments"] = rows
    html = comparison_html(values, ENGLISH)
    assert html.count("<tr") == 1 + MOST_ROWS
    assert html.count('class="lv-differs"') == 1
    assert f"{MOST_ROWS} of {MOST_ROWS + 50} segments shown" in html


def test_words_of_a_comparison_never_become_markup(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words)).to_dict()
    values["text"]["diff"] = [{"op": op, "left": NASTY, "right": NASTY} for op in ("equal", "replace")]
    assert "img" not in Reader(comparison_html(values, ENGLISH)).tags


def test_segments_that_differ_stand_out(two_words: Any) -> None:
    values = FakeEngine().compare(load_audio(two_words)).to_dict()
    assert "lv-differs" not in comparison_html(values, ENGLISH)
    first = values["tags"]["segments"][0]
    first["right"] = None
    first["confidence"] = {"left": first["confidence"]["left"], "right": None}
    first["margin"] = {"left": {"emotion": 0.51, "language": None, "event": -0.02}, "right": None}
    html = comparison_html(values, ENGLISH)
    assert html.count('class="lv-differs"') == 1
    shown = Reader(html).text
    # Said in words, not by colour alone.
    for words in ("≠ differs", "no segment here", "(+51 %)", "(−2 %)", "71 %", "in brackets its lead"):
        assert words in shown, words


def test_resources_show_sessions_and_a_gpu_where_there_is_one() -> None:
    engine = FakeEngine()
    empty = Reader(resources_html(engine.resources(), ENGLISH)).text
    assert "No model is open" in empty
    assert "GPU" not in empty
    engine._last_rtf = 0.0123
    full = engine.resources() | {"gpu": {"name": "H200", "used_mb": 512.0, "total_mb": 140_000.0}}
    shown = Reader(resources_html(full, ENGLISH)).text
    for word in ("1 / 2 · 3 wait", "0.0123", "320 MB", "ASR", "FP32", "CPU", "512 MB / 140.0 GB"):
        assert word in shown


@pytest.mark.parametrize(
    ("freed", "said"),
    [(None, "On: requests run in INT8"), (110.0, "110 MB given back"), (0.0, "nothing to give back"), (0.04, "nothing to give back")],
)
def test_the_switch_says_honestly_what_it_gave_back(freed: float | None, said: str) -> None:
    shown = Reader(lightweight_html(LightweightState(on=True, precision="int8", rss_mb=210.0, freed_mb=freed), ENGLISH)).text
    assert said in shown
    assert "210 MB" not in shown  # what the process uses stands under Resources
    assert (freed is None) == ("give" not in shown)


@pytest.mark.parametrize(
    ("flags", "memory_mb", "gpu", "precision"),
    [
        (frozenset({"avx512_vnni"}), 16_000, None, "INT8"),
        (frozenset({"avx2"}), 16_000, None, "FP32"),
        (frozenset({"avx2"}), 2_000, None, "INT8"),
        (frozenset(), 16_000, None, "INT8"),
        (frozenset({"avx_vnni"}), 64_000, NASTY, "FP32"),
    ],
)
@pytest.mark.parametrize("texts", [ENGLISH, CHINESE])
def test_the_advice_names_a_precision_and_every_reason(flags, memory_mb, gpu, precision, texts) -> None:
    advice = advise(flags=flags, memory_mb=memory_mb, gpu=gpu)
    shown = Reader(advice_html(advice, texts))
    assert precision in shown.text
    assert str(memory_mb) in shown.text
    assert shown.tags.count("li") == len(advice.reasons) >= 2


def test_a_switch_reports_what_was_closed_with_memory_before_and_after() -> None:
    engine = FakeEngine()
    engine.set_lightweight(True)
    state = ServerState(engine).lightweight()
    shown = Reader(effects_html(state, ENGLISH)).text
    for words in ("Closed: FP32 ASR (100 MB), FP32 VAD (8.0 MB)", "Memory before", "320 MB", "Memory after", "210 MB"):
        assert words in shown, words
    assert "known after 3 runs in each mode" in shown
    assert "已关闭会话" in effects_html(state, CHINESE)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"on": True, "waiting": ("fp32",)}, "FP32 serves a running request"),
        ({"on": True}, "nothing to close"),
        ({"on": False, "precision": "fp32"}, "Nothing was closed. FP32 opens with the next request"),
        ({"on": False, "freed_mb": None}, ""),
    ],
)
def test_what_did_not_happen_is_not_claimed(state: dict[str, Any], said: str) -> None:
    whole = LightweightState(**{"precision": "int8", "rss_mb": 210.0, "freed_mb": 0.0, **state})
    shown = Reader(effects_html(whole, ENGLISH)).text
    assert said in shown
    assert "Closed:" not in shown
    assert "given back" not in lightweight_html(whole, ENGLISH)


def test_what_came_back_is_told_apart_into_models_and_working_memory() -> None:
    engine = FakeEngine()
    engine.set_lightweight(True)
    shown = Reader(lightweight_html(ServerState(engine).lightweight(), ENGLISH)).text
    assert "110 MB given back: models 108 MB, working memory 2.0 MB" in shown


def test_the_expected_speed_is_what_was_measured() -> None:
    speeds = {"fp32": Speed(rtf=0.05, runs=3, low=0.04, high=0.06), "int8": Speed(rtf=0.02, runs=4, low=0.02, high=0.025)}
    state = LightweightState(on=True, precision="int8", rss_mb=210.0, speeds=speeds)
    shown = Reader(effects_html(state, ENGLISH)).text
    assert "INT8 is 2.5× as fast as FP32 (1.6 to 3.0×)" in shown
    assert "FP32 RTF 0.05, mostly 0.04 to 0.06 (runs: 3) · INT8 RTF 0.02, mostly 0.02 to 0.025 (runs: 4)" in shown
    assert "will be known" not in shown


def test_speeds_that_overlap_are_no_figure() -> None:
    speeds = {"fp32": Speed(rtf=0.05, runs=3, low=0.02, high=0.09), "int8": Speed(rtf=0.03, runs=3, low=0.02, high=0.06)}
    state = LightweightState(on=True, precision="int8", rss_mb=210.0, speeds=speeds)
    shown = Reader(effects_html(state, ENGLISH)).text
    assert "INT8 is 0.3 to 4.5× as fast as FP32 here so far: too uneven for one figure" in shown
    assert "1.7×" not in shown


def test_a_single_run_is_no_speed() -> None:
    speeds = {"fp32": Speed(rtf=0.05, runs=3, low=0.04, high=0.06), "int8": Speed(rtf=0.02, runs=1, low=0.02, high=0.02)}
    state = LightweightState(on=True, precision="int8", rss_mb=210.0, speeds=speeds)
    shown = Reader(effects_html(state, ENGLISH)).text
    assert "2.5×" not in shown
    assert "known after 3 runs in each mode" in shown
    assert "INT8 RTF 0.02, mostly 0.02 to 0.02 (runs: 1)" in shown


def test_a_bundle_without_int8_says_why_the_switch_rests() -> None:
    state = LightweightState(on=False, precision="fp32", rss_mb=210.0, available=False)
    assert "no INT8 variant" in lightweight_html(state, ENGLISH)


def test_the_resources_show_the_queue_and_the_last_two_minutes() -> None:
    history = [Reading(age_s=4.0, cpu_percent=None, rss_mb=300.0), Reading(age_s=0.0, cpu_percent=150.0, rss_mb=320.0)]
    html = resources_html(FakeEngine().resources(), ENGLISH, history=history, queue_length=7)
    assert 'data-metric="queue"' in html
    assert "<strong>7</strong>" in html
    assert "CPU over the last two minutes, at most 150 %" in html
    assert "Memory over the last two minutes, 300 MB to 320 MB" in html
    assert html.count("<svg") == 2
