"""The switch in Chromium: what it did is shown with measured memory, two tabs agree, a running request keeps its sessions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.steps import megabytes, refreshed, show
from tests.waiting import until

expect = pytest.importorskip("playwright.sync_api").expect

RSS = "#lv-resources [data-metric=rss] strong"


def compare_digits(page: Any, *, often: bool = False) -> None:
    """Run the example in both variants: both session sets are open afterwards; often enough, and their speed is known."""
    show(page, re.compile("Compare|对比"))
    page.locator("#lv-compare-example-digits-en").click()
    page.locator("#lv-compare-audio .waveform-container").wait_for()
    page.locator("#lv-compare-run-often" if often else "#lv-compare-run").click()
    expect(page.locator("#lv-comparison .lv-comparison")).to_be_visible()


def test_the_switch_closes_sessions_and_memory_falls_in_the_panel(open_page: Callable[..., Any]) -> None:
    page = open_page()
    compare_digits(page, often=True)
    sessions = page.locator("#lv-resources .lv-sessions")
    expect(sessions).to_contain_text("FP32")
    page.locator("#lv-light-switch input").click()
    effects = page.locator("#lv-effects")
    expect(effects).to_contain_text(re.compile(r"Closed: FP32 ASR \([\d.]+ MB\), FP32 VAD \([\d.]+ MB\)"))
    shown_before, shown_after = (megabytes(text) for text in effects.locator(".lv-bar-row > :last-child").all_inner_texts())
    assert shown_after < shown_before
    expect(page.locator("#lv-light-status")).to_contain_text("given back")
    expect(sessions).not_to_contain_text("FP32")
    expect(sessions).to_contain_text("INT8")
    # The panel is drawn every two seconds: soon it shows less than there was when the switch was flipped.
    page.wait_for_function(f"parseFloat(document.querySelector('{RSS}').innerText) < {shown_before}")
    # The speed to expect is what this process measured.
    expect(effects).to_contain_text(re.compile(r"INT8 is (\d+\.\d× as fast as FP32 \(|\d+\.\d to \d+\.\d× as fast as FP32 here so far)"))
    expect(effects).to_contain_text(re.compile(r"FP32 RTF [\d.]+, mostly .* \(runs: \d+\) · INT8 RTF [\d.]+, mostly .* \(runs: \d+\)"))


def test_two_tabs_toggling_against_each_other_end_in_one_state(open_page: Callable[..., Any]) -> None:
    pages = [open_page(), open_page(locale="zh-CN")]
    for turn in range(7):
        pages[turn % 2].locator("#lv-light-switch input").click()
    refreshed(*pages)
    until(lambda: len({*switches(pages), *told(pages)}) == 1)  # the last answers are drawn a moment after they came
    shown = switches(pages)
    refreshed(*pages)
    assert switches(pages) == shown


def switches(pages: list[Any]) -> list[bool]:
    return [page.locator("#lv-light-switch input").is_checked() for page in pages]


def told(pages: list[Any]) -> list[bool]:
    return [page.locator("#lv-light-status .lv-light-status").get_attribute("data-on") == "true" for page in pages]


def test_the_resource_panel_draws_the_last_two_minutes(open_page: Callable[..., Any]) -> None:
    page = open_page()
    line = page.locator("#lv-resources [data-metric=rss] .lv-spark path")
    expect(line).to_have_attribute("d", re.compile(r"L[\d.]+,[\d.]+"))  # two readings at least
    expect(page.locator("#lv-resources [data-metric=queue] strong")).to_have_text("0")
    label = page.locator("#lv-resources [data-metric=cpu] .lv-spark").get_attribute("aria-label")
    assert re.fullmatch(r"CPU over the last two minutes, at most \d+ %", label)
