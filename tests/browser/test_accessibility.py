"""axe-core finds nothing serious on any tab and on the slim page, light and dark; the keyboard alone is enough."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import run_server
from tests.browser.steps import compare, finish_a_transcript, new_context, show
from tests.browser.violations import serious_violations

expect = pytest.importorskip("playwright.sync_api").expect


def unfold_all(page: Any) -> None:
    """Open everything on the shown tab that can be opened."""
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    closed = page.locator("[role=tabpanel] button.label-wrap:not(.open):visible")
    while closed.count():
        closed.first.click()


def speak(page: Any) -> None:
    show(page, 1)
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-segments .lv-segment").first).to_be_visible()
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible()


def test_a_picture_without_words_and_pale_text_are_found(browser: Any) -> None:
    page = new_context(browser).new_page()
    page.set_content("<main><h1 style='color: #ccc; background: #fff'>Pale</h1><img src='data:,'></main>")
    found = serious_violations(page)
    page.context.close()
    assert {one.split()[0] for one in found} >= {"color-contrast", "image-alt"}


@pytest.mark.parametrize(("locale", "scheme"), [("en-US", "light"), ("zh-CN", "dark")])
def test_nothing_serious_on_any_tab(open_page: Callable[..., Any], spoken_digits: Path, locale: str, scheme: str) -> None:
    page = open_page(locale=locale, color_scheme=scheme)
    finish_a_transcript(page, spoken_digits)
    page.locator("#lv-transcript .lv-tags").first.focus()  # with its probabilities
    unfold_all(page)
    found = {"transcribe": serious_violations(page)}
    speak(page)
    found["live"] = serious_violations(page)
    compare(page)
    unfold_all(page)
    found["compare"] = serious_violations(page)
    show(page, 3)
    page.locator("#lv-models .lv-model").first.wait_for()
    unfold_all(page)
    found["models"] = serious_violations(page)
    assert {tab: violations for tab, violations in found.items() if violations} == {}


def test_nothing_serious_on_the_slim_page(browser: Any, microphone_wav: Path, tmp_path: Path) -> None:
    found = {}
    with run_server(tmp_path, "--slim") as address:
        for locale, scheme in (("en-US", "light"), ("zh-CN", "dark")):
            context = new_context(browser, locale=locale, color_scheme=scheme)
            page = context.new_page()
            page.goto(address)
            expect(page.locator("#slim-state")).to_contain_text("INT8")
            page.locator("#slim-file").set_input_files(microphone_wav)
            page.locator("#slim-run").click()
            expect(page.locator("#slim-result .lv-segment")).to_have_count(2)
            unfold_all(page)
            found[scheme] = serious_violations(page)
            context.close()
    assert found == {"light": [], "dark": []}


def test_the_keyboard_alone_finds_the_tabs_plays_a_segment_and_downloads(open_page: Callable[..., Any], spoken_digits: Path) -> None:
    page = open_page()
    finish_a_transcript(page, spoken_digits)
    tab_to(page, "#lv-light-switch input")
    tab_to(page, "[role=tab][aria-selected=false]")
    page.keyboard.press("Enter")
    expect(page.locator("#lv-live-start")).to_be_visible()
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#lv-transcript")).to_be_visible()
    tab_to(page, "#lv-download-srt")
    with page.expect_download() as download:
        page.keyboard.press("Enter")
    assert download.value.suggested_filename == "digits-en.srt"
    tab_to(page, ".lv-play")
    page.keyboard.press("Enter")
    expect(page.locator(".lv-segment.lv-playing")).to_have_count(1)


def tab_to(page: Any, selector: str) -> None:
    """Press Tab until this has the focus."""
    for _ in range(80):
        page.keyboard.press("Tab")
        if page.evaluate("(selector) => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab does not reach {selector}")
