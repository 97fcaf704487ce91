"""The first ten seconds, and the small things that one stumbles over: in real Chromium, on a desk and on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from tests.browser.steps import PATIENCE_MS, drop, finish_a_transcript, new_context, record, rows_in, run, show, transcribed, words_come

expect = pytest.importorskip("playwright.sync_api").expect

#: Sums the layout shifts that no click caused, as web vitals count them.
WATCH_SHIFTS = """
window.shifted = 0;
new PerformanceObserver((list) => list.getEntries().forEach((one) => { if (!one.hadRecentInput) window.shifted += one.value; }))
  .observe({ type: "layout-shift", buffered: true });
"""
REFUSE_THE_MICROPHONE = "MediaDevices.prototype.getUserMedia = () => Promise.reject(new DOMException('no', 'NotAllowedError'));"
MOST_SHIFT, MOST_REQUESTS = 0.05, 40


@contextmanager
def opened(browser: Any, server: str, *, script: str = "", width: int = 1280, locale: str = "en-US") -> Iterator[Any]:
    """A page with a script that runs before its own; it has not been waited for."""
    context = new_context(browser, locale=locale, viewport={"width": width, "height": 844}, permissions=["microphone"])
    if script:
        context.add_init_script(script)
    page = context.new_page()
    try:
        page.goto(server, wait_until="commit")
        yield page
    finally:
        context.close()


def stands(page: Any) -> None:
    """Wait until the curtain is gone."""
    page.locator("#lv-light-status .lv-light-status").wait_for(state="attached")
    expect(page.locator("#lv-loading")).to_have_count(0)


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_moves_while_the_page_opens_and_few_requests_are_made(browser: Any, server: str, width: int) -> None:
    context = new_context(browser, locale="en-US", viewport={"width": width, "height": 844})
    context.add_init_script(WATCH_SHIFTS)
    page, asked = context.new_page(), list[str]()
    page.on("request", lambda request: asked.append(request.url) if request.url.startswith("http") else None)
    page.goto(server)
    stands(page)
    page.wait_for_function("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))")
    assert page.evaluate("window.shifted") < MOST_SHIFT
    assert len(asked) <= MOST_REQUESTS, asked
    context.close()


def test_the_name_is_seen_and_a_file_is_taken_before_the_scripts_have_come(browser: Any, server: str, spoken_digits: Path) -> None:
    held: list[Any] = []
    context = new_context(browser, locale="en-US")
    page = context.new_page()
    page.route("**/lightvoice-*.json", lambda route: held.append(route))  # noqa: PLW0108 - Playwright looks into the function
    page.goto(server, wait_until="commit")
    expect(page.locator("#lv-loading h1")).to_have_text("LightVoice")
    while not held:
        page.wait_for_event("request", timeout=PATIENCE_MS)
    page.locator("#lv-early-files").set_input_files(spoken_digits)
    held[0].continue_()
    expect(page.locator(".lv-row-name")).to_have_text("digits-en.flac")
    context.close()


def test_the_name_comes_first_then_one_box_and_no_jargon(open_page: Callable[..., Any]) -> None:
    page = open_page()
    top = {name: page.locator(name).bounding_box() for name in ("#lv-head h1", "#lv-light-switch", "#lv-transcribe-audio")}
    assert top["#lv-head h1"]["y"] <= top["#lv-light-switch"]["y"] + top["#lv-light-switch"]["height"] / 2
    assert top["#lv-head h1"]["x"] < top["#lv-light-switch"]["x"]
    assert top["#lv-light-switch"]["y"] < top["#lv-transcribe-audio"]["y"]
    shown = "\n".join(page.locator(place).inner_text() for place in ("#lv-light-bar", "#lv-top", "#lv-box", "#lv-transcript"))
    assert not re.search(r"avx|vnni|RTF|RSS|\bbundle\b|thread", shown, re.IGNORECASE), shown


def test_one_click_leads_from_an_example_to_its_transcript_and_a_second_one_adds_nothing(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for _ in range(2):
        page.locator("#lv-transcribe-example-digits-en").click()
        words_come(page)
    expect(page.locator(".lv-row")).to_have_count(1)


def test_transcribe_with_everything_done_adds_nothing_and_says_so(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page(locale="zh-CN")
    transcribed(page, spoken_digits)
    run(page)
    expect(page.locator(".toast-wrap")).to_contain_text("已全部转写")
    expect(page.locator(".lv-row")).to_have_count(1)
    page.locator("#lv-transcribe-itn input").click()  # another option: another transcript
    run(page)
    expect(rows_in(page, "done")).to_have_count(2)


def test_a_file_may_be_dropped_anywhere(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    show(page, 1)
    content = list(spoken_digits.read_bytes())
    page.evaluate(
        """(content) => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File([new Uint8Array(content)], "dropped.flac"));
          const place = document.querySelector("#lv-resources-card");
          for (const type of ["dragenter", "dragover", "drop"])
            place.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer }));
        }""",
        content,
    )
    expect(page.locator(".lv-row-name")).to_have_text("dropped.flac")
    expect(page.locator("#lv-transcribe-run")).to_be_visible()


def test_language_and_colours_are_chosen_and_stay(open_page: Callable[..., Any]) -> None:
    page = open_page()
    menu = page.locator("#lv-settings-menu summary")
    menu.click()
    page.locator("#lv-choose-theme").select_option("dark")
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    page.locator("#lv-choose-language").select_option("zh")
    expect(page.locator("#lv-transcribe-run")).to_have_text("开始转写")
    expect(page.locator("#lv-light-switch")).to_contain_text("轻量模式")
    expect(page.locator(".lv-light-status")).to_contain_text("已关闭")
    assert page.evaluate("document.documentElement.lang") == "zh-CN"
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    page.locator("#lv-settings-menu summary").click()
    expect(page.locator("#lv-choose-language")).to_have_value("zh")
    expect(page.locator("#lv-choose-theme")).to_have_value("dark")
    page.keyboard.press("Escape")
    expect(page.locator("#lv-choose-theme")).to_be_hidden()


def test_an_open_microphone_says_so_on_every_tab_and_its_recording_is_transcribed_at_once(open_page: Callable[..., Any]) -> None:
    page = open_page()
    sign = page.locator("#lv-mic-on")
    expect(sign).to_be_hidden()
    page.locator("#lv-record-start").click()
    for tab in (1, 2, 3, 0):
        show(page, tab)
        expect(sign).to_be_visible()
        expect(sign).to_contain_text("Microphone on")
    assert page.title().startswith("● ")
    expect(page.locator("#lv-record-time")).to_have_text(re.compile(r"0:0[3-9]"))
    page.locator("#lv-record-stop").click()
    expect(sign).to_be_hidden()
    expect(rows_in(page, "done")).to_have_count(1)
    expect(page.locator(".lv-row-name")).to_have_text(re.compile(r"Recording 1\.\w+"))
    assert not page.title().startswith("●")


def test_the_live_tabs_microphone_is_seen_elsewhere_too(open_page: Callable[..., Any]) -> None:
    page = open_page()
    show(page, 1)
    page.locator("#lv-live-start").click()
    show(page, 0)
    expect(page.locator("#lv-mic-on")).to_be_visible()
    show(page, 1)
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-mic-on")).to_be_hidden()


def test_a_refused_microphone_is_said_where_record_was_pressed(browser: Any, server: str) -> None:
    with opened(browser, server, script=REFUSE_THE_MICROPHONE) as page:
        stands(page)
        page.locator("#lv-record-start").click()
        refusal = page.locator("#lv-box .lv-mic-refused")
        expect(refusal).to_contain_text("allow it in the address bar")
        expect(page.locator("#lv-record-start")).to_be_visible()
        expect(page.locator("#lv-mic-on")).to_be_hidden()


def test_a_language_that_was_not_taught_says_so_at_the_option_and_on_the_result(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    page.locator("#lv-transcribe-language input").click()
    page.get_by_role("option", name="(ja)").wait_for()
    names = page.locator("[role=option]").all_inner_texts()
    assert [name for name in names if "not taught" in name] == [name for name in names if re.search(r"\((yue|ja|ko)\)", name)] != []
    page.get_by_role("option", name="(ja)").click()
    transcribed(page, spoken_digits)
    notes = page.locator("#lv-transcript .lv-reading-notes")
    expect(notes).to_contain_text("not taught")
    assert notes.bounding_box()["y"] < page.locator("#lv-transcript .lv-segments").bounding_box()["y"]


def test_progress_is_shown_where_the_transcript_will_be(open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path) -> None:
    samples, rate = soundfile.read(spoken_digits)
    soundfile.write(tmp_path / "long.wav", np.tile(samples, 40), rate, subtype="PCM_16")
    page = open_page()
    drop(page, tmp_path / "long.wav")
    run(page)
    expect(page.locator("#lv-shown-progress progress")).to_be_visible()
    expect(page.locator("#lv-shown-progress")).to_contain_text("%")
    page.locator("#lv-cancel-all").click()
    expect(rows_in(page, "cancelled")).to_have_count(1)
    expect(page.locator("#lv-shown-progress progress")).to_have_count(0)


def test_a_phone_has_the_box_in_the_first_screen_recording_under_the_thumb_and_the_result_first(
    open_page: Callable[..., Any], spoken_digits: Path
) -> None:
    page = open_page(width=390, height=844)
    box, recorder = page.locator("#lv-transcribe-audio").bounding_box(), page.locator("#lv-record-start").bounding_box()
    assert box["y"] + box["height"] < recorder["y"]
    assert recorder["y"] > 844 * 0.8 and recorder["height"] >= 44
    assert recorder["y"] + recorder["height"] <= 844
    expect(page.locator("#lv-transcribe-language")).to_be_hidden()
    finish_a_transcript(page, spoken_digits)
    assert page.locator("#lv-shown").bounding_box()["y"] < page.locator("#lv-transcribe-audio").bounding_box()["y"]
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    expect(page.locator("#lv-record-start")).to_be_in_viewport()
    expect(page.locator("#lv-head h1")).to_be_in_viewport()


def test_a_screen_reader_is_told_words_and_no_keys(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page(locale="zh-CN")
    page.evaluate(
        """() => {
          window.told = [];
          new MutationObserver(() => document.querySelectorAll("[aria-live], [role=status], [role=alert]").forEach(
            (one) => window.told.push(one.textContent))).observe(document.body, { childList: true, subtree: true, characterData: true });
        }"""
    )
    transcribed(page, spoken_digits)
    show(page, 2)
    page.locator("#lv-compare-audio .waveform-container").wait_for()
    page.locator("#lv-compare-run").click()
    expect(page.locator("#lv-comparison .lv-comparison")).to_be_visible()
    told = {text for text in page.evaluate("window.told") if re.search(r"\b(common|status|errors|queue|light)\.[a-z_]+\b", text)}
    assert told == set()


def test_the_recorder_takes_a_second_recording(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for number in (1, 2):
        record(page, 3)
        expect(rows_in(page, "done")).to_have_count(number)
