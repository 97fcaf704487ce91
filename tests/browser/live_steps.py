"""What tests do on the Live tab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.steps import show

expect = pytest.importorskip("playwright.sync_api").expect


def go_live(page: Any) -> None:
    show(page, 1)
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-state[data-state=listening]")).to_be_visible()


def stop(page: Any) -> None:
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible()


def segments(page: Any) -> Any:
    return page.locator("#lv-live-segments .lv-segment")


def heard(page: Any, count: int) -> None:
    """Wait until this many segments have come. It may be more: on a busy machine several come at once."""
    expect(segments(page).nth(count - 1)).to_be_visible()
