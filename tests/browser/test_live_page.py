"""The Live tab in real Chromium: the fake microphone speaks digits, over and over."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.formats import FORMATS
from tests.browser.conftest import run_server
from tests.browser.live_steps import go_live, heard, segments, stop
from tests.browser.steps import new_context, show, unfold

expect = pytest.importorskip("playwright.sync_api").expect

#: Never resolved by anybody else; the browser is told that it is this machine, and does not hold it for secure.
ELSEWHERE = "lightvoice.test"


def test_text_follows_speech_and_ends_in_segments_with_tags(open_page: Callable[..., Any]) -> None:
    page = open_page()
    go_live(page)
    expect(page.locator("#lv-live-partial")).to_contain_text(re.compile(r"\w{2,}"))
    heard(page, 2)
    status = page.locator("#lv-live-status")
    for words in ("runs in FP32", "text so far after", "final text after"):
        expect(status).to_contain_text(words)
    stop(page)
    for family in ("lv-language", "lv-emotion", "lv-event"):
        expect(segments(page).first.locator(f".{family}")).to_be_visible()
    assert re.search(r"\w{2,}", segments(page).first.locator(".lv-text").inner_text())
    expect(page.locator("#lv-live-partial")).to_be_empty()


def test_what_was_said_is_downloaded_and_copied(open_page: Callable[..., Any]) -> None:
    page = open_page()
    go_live(page)
    expect(page.locator("#lv-live-tools")).to_be_hidden()
    heard(page, 1)
    stop(page)
    words = page.locator("#lv-live-segments .lv-text:not(:has(.lv-muted))").all_inner_texts()  # a cough has no words
    assert words
    for name in FORMATS:
        with page.expect_download() as download:
            page.locator(f"[data-live-format={name}]").click()
        assert re.fullmatch(rf"live [\d-]+ [\d.]+\.{name}", download.value.suggested_filename)
        content = Path(download.value.path()).read_text(encoding="utf-8")
        assert all(word in content for word in words)
        if name == "json":
            assert [segment["text"] for segment in json.loads(content)["segments"] if segment["text"]] == words
    page.locator("[data-live-copy]").click()
    expect(page.locator("#lv-live-copied")).to_have_text("Copied")


def test_stop_brings_the_words_that_were_being_said(open_page: Callable[..., Any]) -> None:
    page = open_page()
    go_live(page)
    expect(page.locator("#lv-live-partial")).to_contain_text(re.compile(r"\w{2,}"))
    before = segments(page).count()
    stop(page)
    assert segments(page).count() > before
    expect(page.locator("#lv-live-start")).to_be_visible()


def test_the_next_segment_follows_the_lightweight_switch(open_page: Callable[..., Any]) -> None:
    page = open_page()
    go_live(page)
    heard(page, 1)
    page.locator("#lv-light-switch input").click()
    expect(page.locator("#lv-live-status")).to_contain_text("runs in INT8")
    heard(page, 3)
    stop(page)
    with page.expect_download() as download:
        page.locator("[data-live-format=json]").click()
    assert json.loads(Path(download.value.path()).read_text(encoding="utf-8"))["precision"] == "fp32+int8"


def test_two_people_speak_at_once_and_neither_reads_the_other(open_page: Callable[..., Any]) -> None:
    first, second = open_page(), open_page(locale="zh-CN")
    go_live(first)
    heard(first, 1)
    go_live(second)
    expect(second.locator("#lv-live-start")).to_be_hidden()
    assert segments(second).count() < segments(first).count()
    heard(second, 1)
    heard(first, 2)
    for page in (first, second):
        stop(page)
    expect(second.locator("#lv-live-state")).to_have_text("已停止")


def test_a_page_that_goes_away_in_the_middle_lets_the_server_go_on(open_page: Callable[..., Any]) -> None:
    page = open_page()
    go_live(page)
    expect(page.locator("#lv-live-partial")).to_contain_text(re.compile(r"\w"))
    page.reload()
    page.locator("#lv-light-switch input").click()
    # Nobody holds FP32 any more: the switch closes it at once.
    expect(page.locator("#lv-resources .lv-sessions")).not_to_contain_text("FP32")


def test_starting_again_begins_a_new_transcript(open_page: Callable[..., Any]) -> None:
    page = open_page()
    go_live(page)
    heard(page, 1)
    stop(page)
    first = segments(page).first.element_handle()
    page.locator("#lv-live-start").click()
    page.wait_for_function("(first) => !first.isConnected && !document.getElementById('lv-live-tools').checkVisibility()", arg=first)
    stop(page)


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_the_live_tab_fits_a_phone_and_speaks_the_readers_language(open_page: Callable[..., Any], locale: str) -> None:
    page = open_page(width=390, height=800, locale=locale)
    go_live(page)
    heard(page, 1)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    chinese = re.search("[\u4e00-\u9fff]", page.locator("#lv-live-status").inner_text()) is not None
    assert chinese is (locale == "zh-CN")
    stop(page)


def test_the_keyboard_alone_starts_and_stops(open_page: Callable[..., Any]) -> None:
    page = open_page()
    show(page, 1)
    page.locator("#lv-live-start").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#lv-live-state[data-state=listening]")).to_be_visible()
    expect(page.locator("#lv-live-stop")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible()
    expect(page.locator("#lv-live-start")).to_be_focused()


def test_without_https_the_page_says_what_to_do(browser: Any, chromium_path: str, server: str) -> None:
    flags = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1"]
    other = browser.browser_type.launch(executable_path=chromium_path, args=flags)
    try:
        page = new_context(other, locale="en-US").new_page()
        page.goto(re.sub(r"127\.0\.0\.1|localhost", ELSEWHERE, server))
        show(page, 1)
        remedy = page.locator(".lv-mic-remedy")
        expect(remedy).to_be_visible()
        expect(remedy).to_contain_text("--ssl-self-signed")
        expect(remedy).to_contain_text("--ssl-certfile")
        page.locator("#lv-live-start").click()
        expect(page.locator("#lv-live-state")).to_contain_text("only over HTTPS")
        expect(page.locator("#lv-live-start")).to_be_visible()
    finally:
        other.close()


def test_with_a_self_signed_certificate_there_is_a_microphone_elsewhere(
    browser: Any, chromium_path: str, microphone_wav: Path, tmp_path: Path
) -> None:
    fake = ["--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={microphone_wav}"]
    flags = ["--no-sandbox", "--disable-gpu", f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1", *fake]
    other = browser.browser_type.launch(executable_path=chromium_path, args=flags)
    try:
        with run_server(tmp_path, "--ssl-self-signed", XDG_CACHE_HOME=str(tmp_path / "cache")) as address:
            assert address.startswith("https://")
            context = new_context(other, locale="en-US", permissions=["microphone"], ignore_https_errors=True)  # the person said: go on
            page = context.new_page()
            page.goto(address.replace("127.0.0.1", ELSEWHERE))
            go_live(page)
            expect(page.locator(".lv-mic-remedy")).to_be_hidden()
            heard(page, 1)
            stop(page)
            context.close()
    finally:
        other.close()


def test_on_this_machine_the_page_does_not_speak_of_https(open_page: Callable[..., Any]) -> None:
    page = open_page()
    show(page, 1)
    expect(page.locator("#lv-live-start")).to_be_visible()
    expect(page.locator(".lv-mic-remedy")).to_be_hidden()


def open_options(page: Any) -> None:
    show(page, 1)
    unfold(page, ".lv-options:visible")


def test_the_browser_remembers_the_options(open_page: Callable[..., Any]) -> None:
    page = open_page()
    open_options(page)
    page.locator("#lv-live-ban input").check()
    expect(page.locator("#lv-live-ban input")).to_be_checked()
    page.wait_for_function("Object.keys(localStorage).some((key) => key.includes('lightvoice-live-options'))")
    page.reload()
    open_options(page)
    expect(page.locator("#lv-live-ban input")).to_be_checked()
