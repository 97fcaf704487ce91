"""What tests do on the Live tab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.steps import PATIENCE_MS, show

expect = pytest.importorskip("playwright.sync_api").expect


def go_live(page: Any) -> None:
    show(page, 1)
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-state[data-state=listening]")).to_be_visible(timeout=PATIENCE_MS)


def stop(page: Any) -> None:
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible(timeout=PATIENCE_MS)


def segments(page: Any) -> Any:
    return page.locator("#lv-live-segments .lv-segment")
