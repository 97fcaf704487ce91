"""The Compare tab in Chromium: reference, downloads, medians, cancelling, odd recordings, a phone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from tests.browser.steps import show
from tests.starter_facts import SPOKEN

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect

REFERENCE = " ".join(SPOKEN)


@pytest.fixture(scope="module")
def long_wav(spoken_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The digits over and over for five minutes: long enough to press a button while it runs."""
    samples = load_audio(spoken_digits).samples
    path = tmp_path_factory.mktemp("long") / "long.wav"
    soundfile.write(path, np.tile(samples, 300 * 16_000 // len(samples)), 16_000)
    return path


def open_compare(page: Any, file: Path) -> None:
    show(page, re.compile("Compare|对比"))
    page.locator("#lv-compare-audio input[type=file]").set_input_files(file)
    page.locator("#lv-compare-audio .audio-container :is(.waveform-container, audio:not(.hidden))").first.wait_for()


def compared(page: Any, button: str = "run") -> Any:
    """Press a button and wait until the run is over."""
    page.locator(f"#lv-compare-{button}").click()
    page.locator("#lv-compare-cancel").wait_for(state="visible")
    page.locator("#lv-compare-cancel").wait_for(state="hidden")
    result = page.locator("#lv-comparison .lv-comparison")
    expect(result).to_be_visible()
    return result


def choose(page: Any, which: str, option: str) -> None:
    shown = page.get_by_role("option", name=option, exact=True)
    field = page.locator(f"#{which} input")
    for _ in range(8):  # what is on offer comes from the server, and a list that is open when it comes may close
        field.blur()
        field.click()
        try:
            shown.click(timeout=5_000)
        except sync_api.TimeoutError:
            continue
        return
    raise AssertionError(f"{which} offers {page.get_by_role('option').all_inner_texts()}, not {option}")


def downloaded(page: Any, name: str) -> tuple[str, str]:
    with page.expect_download() as download:
        page.locator(f"#lv-compare-download-{name}").click()
    return download.value.suggested_filename, Path(download.value.path()).read_text(encoding="utf-8")


def test_a_reference_is_scored_and_the_downloads_hold_it(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    open_compare(page, spoken_digits)
    expect(page.locator("#lv-compare-downloads")).to_be_hidden()
    page.locator("#lv-compare-itn input").uncheck()  # digits belong to no script
    page.locator("#lv-reference textarea").fill(REFERENCE)
    compared(page)
    scores = page.locator("#lv-reference-scores")
    expect(scores).to_contain_text("Word error rate (WER)")
    expect(scores.locator(".lv-bar-row")).to_have_count(4)
    name, text = downloaded(page, "json")
    report = json.loads(text)
    assert name == "digits-en-comparison.json"
    assert (report["left"]["precision"], report["right"]["precision"]) == ("fp32", "int8")
    assert report["reference"]["text"] == REFERENCE
    assert report["reference"]["left"]["wer"]["rate"] >= 0
    assert report["reference"]["left"]["wer"]["length"] == len(REFERENCE.split())
    name, text = downloaded(page, "markdown")
    assert name == "digits-en-comparison.md"
    assert text.startswith("# Comparison: FP32 and INT8")
    assert "| --- | --- | --- |" in text
    assert re.search(r"^\| Compute time \| .* \| .* \|$", text, re.MULTILINE)
    # A reference that is pasted after the run is scored at once, and the files follow.
    page.locator("#lv-reference textarea").fill("三一四一五九二六五三")
    expect(scores).to_contain_text("another script")
    expect(scores).not_to_contain_text("100 %")
    assert json.loads(downloaded(page, "json")[1])["reference"]["left"]["reason"] == "other_script"
    page.locator("#lv-reference textarea").fill("")
    expect(scores.locator(".lv-reference")).to_have_count(0)


def test_both_speech_detectors_have_a_lane_on_one_time_axis(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    open_compare(page, spoken_digits)
    result = compared(page)
    lanes = page.locator("#lv-compare-timeline .lv-lane")
    expect(lanes).to_have_count(2)
    for index, name in enumerate(("FP32", "INT8")):
        expect(lanes.nth(index)).to_contain_text(f"{name}: segments: 2")
        expect(lanes.nth(index).locator(".lv-wave-segment")).to_have_count(2)
        assert len(lanes.nth(index).locator(".lv-wave-speech").get_attribute("d")) > 100
    expect(result.locator(".lv-tag-table tbody tr")).to_have_count(2)
    expect(result.locator(".lv-tag-line").first).to_contain_text(re.compile(r"\d %.*\(.\d"))


def test_several_runs_give_medians(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    open_compare(page, spoken_digits)
    result = compared(page, "run-often")
    expect(result).to_contain_text("Compute time, median of 5 runs")
    report = json.loads(downloaded(page, "json")[1])
    assert report["rounds"]["count"] == 5
    for side in ("left", "right"):
        runs = report["rounds"][f"{side}_s"]
        assert report["time"][f"{side}_s"] == sorted(runs)[2]
    expect(page.locator("#lv-compare-run")).to_be_enabled()


def test_a_run_can_be_cancelled_and_the_next_one_goes_through(open_page: Callable[..., Any], spoken_digits: Path, long_wav: Path) -> None:
    page = open_page()
    open_compare(page, long_wav)
    page.locator("#lv-compare-run-often").click()
    cancel = page.locator("#lv-compare-cancel")
    cancel.wait_for(state="visible")
    expect(page.locator("#lv-compare-run")).to_be_disabled()
    cancel.click()
    expect(page.locator(".toast-wrap")).to_contain_text("Cancelled")
    cancel.wait_for(state="hidden")
    expect(page.locator("#lv-comparison .lv-comparison")).to_have_count(0)
    page.locator("#lv-compare-audio").get_by_role("button", name=re.compile("Clear|Remove")).click()
    open_compare(page, spoken_digits)
    expect(compared(page)).to_contain_text("Compute time")


def test_a_recording_without_speech_is_an_answer(open_page: Callable[..., Any], quiet_wav: Path) -> None:
    page = open_page(locale="zh-CN")
    open_compare(page, quiet_wav)
    page.locator("#lv-reference textarea").fill("没有人说话")
    result = compared(page)
    expect(result).to_contain_text("两侧均未检测到语音")
    expect(result).to_contain_text("没有可对比的片段")
    expect(page.locator("#lv-reference-scores")).to_contain_text("漏 5")


def test_the_same_variant_twice_says_what_that_shows(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    open_compare(page, spoken_digits)
    choose(page, "lv-right", "FP32")
    result = compared(page)
    expect(result).to_contain_text("Both sides are the same variant")
    expect(result).to_contain_text("FP32 (2)")
    expect(result).to_contain_text("Both variants wrote the same text")


def test_no_recording_says_so_and_the_buttons_come_back(open_page: Callable[..., Any]) -> None:
    page = open_page()
    show(page, "Compare")
    page.locator("#lv-compare-run").click()
    expect(page.locator(".toast-wrap")).to_contain_text("Choose or record something first")
    expect(page.locator("#lv-compare-run")).to_be_enabled()
    expect(page.locator("#lv-compare-cancel")).to_be_hidden()


@pytest.mark.parametrize("color_scheme", ["light", "dark"])
def test_a_phone_never_scrolls_sideways_and_keeps_the_switch_in_sight(
    open_page: Callable[..., Any], spoken_digits: Path, color_scheme: str
) -> None:
    page = open_page(width=390, height=780, color_scheme=color_scheme)
    open_compare(page, spoken_digits)
    page.locator("#lv-reference textarea").fill(REFERENCE)
    compared(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    page.evaluate("window.scrollTo(0, document.documentElement.scrollHeight)")
    assert page.evaluate("window.scrollY") > 500
    bar = page.locator("#lv-light-bar").bounding_box()
    assert 0 <= bar["y"] < 10
    assert bar["x"] >= 0
    assert bar["x"] + bar["width"] <= 390
    page.locator("#lv-light-switch input").click()
    expect(page.locator("#lv-light-status")).to_contain_text("On:")
