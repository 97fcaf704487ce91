"""The page as a person uses it, in real Chromium over a real server: the main path of issue and README."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.formats import FORMATS
from tests.browser.steps import SOME_WORDS, downloaded, drawn, megabytes, record, refreshed, show, words_come

expect = pytest.importorskip("playwright.sync_api").expect


def chosen(page: Any, tab: str = "transcribe") -> Any:
    """The queue's last recording; elsewhere the player that stands in the audio box once a recording is there."""
    if tab == "transcribe":
        return page.locator("#lv-queue-rows .lv-row").last
    return page.locator(f"#lv-{tab}-audio .audio-container :is(.waveform-container, audio:not(.hidden))").first


def choose(page: Any, file: Path, *, tab: str = "transcribe") -> None:
    page.locator(f"#lv-{tab}-audio input[type=file]").set_input_files(file)
    chosen(page, tab).wait_for()


def transcribe(page: Any) -> Any:
    page.locator("#lv-transcribe-run").click()
    return page.locator("#lv-transcript .lv-transcript")


def test_an_uploaded_recording_is_transcribed_with_tags_segments_and_a_timeline(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    choose(page, spoken_digits)
    transcribe(page)
    words_come(page)
    segments = page.locator("#lv-transcript .lv-segment")
    expect(segments).to_have_count(2)  # two strings of digits, a pause longer than the end silence between them
    for family in ("lv-language", "lv-emotion", "lv-event"):
        expect(segments.first.locator(f".{family}")).to_be_visible()
    expect(page.locator("#lv-segments tbody tr")).to_have_count(2)
    expect(page.locator("#lv-timeline .lv-wave-segment")).to_have_attribute("d", re.compile(r"^[^M]*M[^M]*M[^M]*$"))  # two boxes
    assert len(page.locator("#lv-timeline .lv-wave-speech").get_attribute("d")) > 100
    expect(page.locator("#lv-transcript .lv-summary")).to_contain_text("FP32")


def test_probabilities_show_on_hover_and_on_keyboard_focus(open_page: Callable[..., Any]) -> None:
    page = open_page()
    page.get_by_role("button", name="Numbers").first.click()
    chosen(page).wait_for()
    expect(transcribe(page)).to_be_visible()
    tip = page.locator("#lv-transcript .lv-tip").first
    expect(tip).to_be_hidden()
    page.locator("#lv-transcript .lv-tags").first.hover()
    expect(tip).to_be_visible()
    expect(tip).to_contain_text("%")
    page.mouse.move(0, 0)
    expect(tip).to_be_hidden()
    page.locator("#lv-transcript .lv-tags").first.focus()
    expect(tip).to_be_visible()


def test_the_downloads_hold_the_transcript_in_every_format(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    expect(page.locator("#lv-downloads")).to_be_hidden()
    choose(page, spoken_digits)
    transcribe(page)
    drawn(page)
    contents = {}
    for name in FORMATS:
        file_name, content = downloaded(page, name)
        assert file_name == f"digits-en.{name}"
        contents[name] = content.decode()
    parsed = json.loads(contents["json"])
    assert parsed["file"] == "digits-en.flac"
    words = page.locator("#lv-transcript .lv-text").all_inner_texts()
    assert [segment["text"] for segment in parsed["segments"]] == words
    assert contents["vtt"].startswith("WEBVTT")
    for name in ("srt", "vtt"):
        assert contents[name].count("-->") == len(words)
    for word in words:
        assert all(word in contents[name] for name in FORMATS)


def test_a_recording_from_the_microphone_is_transcribed(open_page: Callable[..., Any]) -> None:
    page = open_page()
    record(page, 4)
    chosen(page).wait_for()
    transcribe(page)
    words_come(page)


def test_a_video_file_is_transcribed(open_page: Callable[..., Any], tmp_path: Path, spoken_digits: Path) -> None:
    page = open_page()
    choose(page, film(tmp_path / "film.mp4", spoken_digits))
    transcribe(page)
    words_come(page)


def film(path: Path, sound: Path) -> Path:
    """A short mp4 with a picture and the given sound."""
    av = pytest.importorskip("av")
    import numpy as np

    with av.open(str(path), "w") as target, av.open(str(sound)) as source:
        picture = target.add_stream("mpeg4", rate=5)
        picture.width = picture.height = 64
        picture.pix_fmt = "yuv420p"
        voice = target.add_stream("aac", rate=16_000)
        for _ in range(10):
            target.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        target.mux(picture.encode())
        for frame in source.decode(audio=0):
            target.mux(voice.encode(frame))
        target.mux(voice.encode())
    return path


def test_lightweight_mode_says_what_it_did_and_runs_in_int8(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    choose(page, spoken_digits)
    expect(transcribe(page)).to_be_visible()
    switch, status = page.locator("#lv-light-switch input"), page.locator("#lv-light-status")
    expect(switch).not_to_be_checked()
    expect(status).to_contain_text("Off: requests run in FP32")
    switch.click()
    expect(switch).to_be_checked()
    expect(status).to_contain_text("On: requests run in INT8")
    expect(status).to_contain_text(re.compile(r"given back|nothing to give back"))
    assert 20 < megabytes(page.locator("#lv-resources [data-metric=rss] strong").inner_text()) < 2000
    transcribe(page)
    expect(page.locator("#lv-transcript .lv-summary")).to_contain_text("INT8")
    sessions = page.locator("#lv-resources .lv-sessions")
    expect(sessions).to_contain_text("INT8")
    expect(sessions).not_to_contain_text("FP32")


def test_every_open_page_shows_the_same_switch_and_none_undoes_it(open_page: Callable[..., Any]) -> None:
    first, second = open_page(), open_page(locale="zh-CN")
    first.locator("#lv-light-switch input").click()
    expect(second.locator("#lv-light-switch input")).to_be_checked()
    expect(second.locator("#lv-light-status")).to_contain_text("已开启")
    refreshed(first, second)  # neither switches it back
    for page in (first, second):
        expect(page.locator("#lv-light-switch input")).to_be_checked()
    second.locator("#lv-light-switch input").click()
    expect(first.locator("#lv-light-switch input")).not_to_be_checked()
    expect(first.locator("#lv-light-status")).to_contain_text("Off")


def test_a_page_opened_later_shows_the_switch_as_it_stands(open_page: Callable[..., Any]) -> None:
    first = open_page()
    first.locator("#lv-light-switch input").click()
    expect(first.locator("#lv-light-status")).to_contain_text("On:")
    later = open_page()
    expect(later.locator("#lv-light-switch input")).to_be_checked()


def test_comparing_shows_text_tags_time_and_memory(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    choose(page, spoken_digits)
    show(page, "Compare")
    # The recording chosen before is there already.
    chosen(page, "compare").wait_for()
    page.locator("#lv-compare-run").click()
    result = page.locator("#lv-comparison .lv-comparison")
    expect(result).to_be_visible()
    for words in ("Text", "Compute time", "Memory of the sessions", "Model files", "Tag agreement", "RTF", "FP32", "INT8"):
        expect(result).to_contain_text(words)
    expect(result.locator(".lv-diff")).to_contain_text(SOME_WORDS)
    expect(result.locator(".lv-bar-row")).to_have_count(8)
    expect(result.locator("tbody tr")).to_have_count(2)


def test_the_resource_panel_lives(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    panel = page.locator("#lv-resources")
    expect(panel.locator("[data-metric=rss]")).to_contain_text(re.compile(r"\d+ MB"))
    expect(panel.locator("[data-metric=cpu]")).to_contain_text("%")
    assert int(panel.locator("[data-metric=threads] strong").inner_text()) >= 1
    before = panel.locator("[data-metric=rtf] strong").inner_text()
    choose(page, spoken_digits)
    expect(transcribe(page)).to_be_visible()
    # Nothing was clicked in the panel: its own timer brings the new figure and the sessions.
    rtf = panel.locator("[data-metric=rtf] strong")
    expect(rtf).to_have_text(re.compile(r"0\.\d+"))
    expect(rtf).not_to_have_text(before)
    expect(panel.locator(".lv-sessions")).to_contain_text("ASR")
    expect(panel.locator(".lv-sessions")).to_contain_text("CPU")


def test_silence_is_an_answer(open_page: Callable[..., Any], quiet_wav: Path) -> None:
    page = open_page()
    choose(page, quiet_wav)
    expect(transcribe(page)).to_contain_text("No speech was found")
    expect(page.locator("#lv-segments table")).to_have_count(0)


def test_a_bad_file_says_why_and_the_page_goes_on(open_page: Callable[..., Any], tmp_path: Path, spoken_digits: Path) -> None:
    page = open_page()
    bad = tmp_path / "not audio.wav"
    bad.write_bytes(b"RIFF, and then nothing that makes sense " * 20)
    choose(page, bad)
    transcribe(page)
    for place in (".lv-row-reason >> nth=0", "#lv-shown .lv-empty"):
        reason = page.locator(place)
        expect(reason).to_contain_text("cannot read not audio.wav as audio")
        expect(reason).to_contain_text("convert it to WAV")
        assert "Traceback" not in reason.inner_text()
    page.get_by_role("button", name="Numbers").first.click()
    expect(page.locator(".lv-row")).to_have_count(2)
    transcribe(page)
    words_come(page)


def test_a_file_name_is_never_markup(open_page: Callable[..., Any], tmp_path: Path) -> None:
    page = open_page()
    bad = tmp_path / "<img src=x onerror=window.stung=1> ${window.stung=1} {{x}}.wav"
    bad.write_bytes(b"no audio")
    choose(page, bad)
    transcribe(page)
    expect(page.locator(".lv-row-reason").first).to_contain_text("cannot read")
    assert page.evaluate("window.stung") is None


def test_pressing_the_button_without_a_recording_says_so(open_page: Callable[..., Any]) -> None:
    page = open_page(locale="zh-CN")
    page.locator("#lv-transcribe-run").click()
    expect(page.locator(".toast-wrap")).to_contain_text("请先选择文件或录音")


def test_the_page_speaks_the_browsers_language(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    chinese, english, german = open_page(locale="zh-CN"), open_page(locale="en-GB"), open_page(locale="de-DE")
    expect(chinese.get_by_role("tab", name="对比")).to_be_visible()
    expect(chinese.locator("#lv-transcribe-run")).to_have_text("开始转写")
    expect(chinese.locator("#lv-light-switch")).to_contain_text("轻量模式")
    assert chinese.evaluate("document.documentElement.lang") == "zh-CN"
    for page in (english, german):
        expect(page.get_by_role("tab", name="Compare")).to_be_visible()
        expect(page.locator("#lv-transcribe-run")).to_have_text("Transcribe")
    choose(chinese, spoken_digits)
    expect(transcribe(chinese)).to_be_visible()
    expect(chinese.locator("#lv-transcript .lv-summary")).to_contain_text("FP32")
    expect(chinese.locator("#lv-segments")).to_contain_text("语音片段")
    visible = chinese.locator("body").inner_text()
    assert "__i18n__" not in visible
    assert not re.search(r"\b(form|light|compare|tag|error)\.[a-z_]+\b", visible)


def open_tab(page: Any, name: str) -> None:
    """Show a tab; the narrowest phones have some behind the dots."""
    tab = page.get_by_role("tab", name=name)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text=name)
    tab.click()


@pytest.mark.parametrize("width", [320, 390, 768])
def test_a_phone_never_scrolls_sideways(open_page: Callable[..., Any], spoken_digits: Path, width: int) -> None:
    page = open_page(width=width, height=720)

    def fits() -> bool:
        # What sticks out is clipped, which no scroll width tells.
        return bool(
            page.evaluate(
                """() => document.documentElement.scrollWidth <= innerWidth
                  && [...document.querySelectorAll('.column, .lv-card, .lv-segment, #lv-player')]
                    .every((one) => !one.checkVisibility() || one.getBoundingClientRect().right <= innerWidth)"""
            )
        )

    assert fits()
    choose(page, spoken_digits)
    expect(transcribe(page)).to_be_visible()
    assert fits()
    page.locator("#lv-transcript .lv-tags").first.hover()
    assert fits()
    open_tab(page, "Compare")
    chosen(page, "compare").wait_for()
    page.locator("#lv-compare-run").click()
    expect(page.locator(".lv-comparison")).to_be_visible()
    assert fits()
    open_tab(page, "Live")
    expect(page.locator("#lv-live-start")).to_be_visible()
    assert fits()
    open_tab(page, "Models")
    page.locator("#lv-models .lv-model").first.wait_for()
    page.evaluate("document.querySelectorAll('#lv-models details').forEach((one) => { one.open = true; })")
    for accordion in page.locator("#lv-models-forms button.label-wrap:visible").all():
        accordion.click()
    assert fits()


def test_the_keyboard_alone_reaches_the_switch_and_the_buttons(open_page: Callable[..., Any]) -> None:
    page = open_page()
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("(document.activeElement.closest('[id^=lv-]') || document.activeElement).id"))
    wanted = {"lv-banner", "lv-light-switch", "lv-transcribe-run", "lv-transcribe-example-digits-en", "lv-transcribe-language", "lv-ban"}
    assert wanted <= reached
    page.locator("#lv-light-switch input").focus()
    page.keyboard.press("Space")
    expect(page.locator("#lv-light-status")).to_contain_text("On:")


def test_every_control_has_a_name(open_page: Callable[..., Any]) -> None:
    page = open_page()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll('#lv-top input, #lv-top button, .tabs input, .tabs button')]
          .filter((control) => control.offsetParent && control.type !== 'file')
          .filter((control) => !(control.getAttribute('aria-label') || control.title || control.innerText.trim()
            || control.labels?.length && [...control.labels].some((label) => label.innerText.trim())
            || control.closest('label')?.innerText.trim()))
          .map((control) => control.outerHTML.slice(0, 160))"""
    )
    assert nameless == []


def test_dark_mode_is_dark_and_the_text_can_be_read(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page(color_scheme="dark")
    choose(page, spoken_digits)
    expect(transcribe(page)).to_be_visible()
    for light_page in (False, True):
        if light_page:
            page = open_page(color_scheme="light")
        background = luminance(page, "body", "backgroundColor")
        assert (background > 0.5) is light_page
        for selector in (".lv-header p", ".lv-banner p >> nth=1", ".lv-light-status", ".lv-tile span >> nth=0"):
            text = luminance(page, selector, "color")
            contrast = (max(text, background) + 0.05) / (min(text, background) + 0.05)
            assert contrast >= 4.5, selector


def luminance(page: Any, selector: str, which: str) -> float:
    """Relative luminance (WCAG 2) of a colour of an element."""
    colour = page.locator(selector).first.evaluate(f"(element) => getComputedStyle(element).{which}")
    channels = [float(value) / 255 for value in re.findall(r"[\d.]+", colour)[:3]]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_the_hint_about_https_shows_only_where_it_is_needed(open_page: Callable[..., Any]) -> None:
    page = open_page()
    hint = page.locator(".lv-mic-hint").first
    expect(hint).to_be_hidden()
    page.evaluate("document.documentElement.classList.add('lv-insecure')")
    expect(hint).to_be_visible()
    expect(hint).to_contain_text("HTTPS")


def test_the_browser_refuses_to_ask_another_machine(open_page: Callable[..., Any]) -> None:
    page = open_page()
    blocked = page.evaluate(
        """() => new Promise((tell) => {
          document.addEventListener('securitypolicyviolation', (event) => tell(event.blockedURI), {once: true});
          fetch('https://example.invalid/statistics').then(() => tell('sent'), () => {});
        })"""
    )
    assert blocked.startswith("https://example.invalid")
