"""What tests do on the Live tab."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.steps import PATIENCE_MS

expect = pytest.importorskip("playwright.sync_api").expect


def go_live(page: Any) -> None:
    page.get_by_role("tab").nth(1).click()
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-state[data-state=listening]")).to_be_visible(timeout=PATIENCE_MS)


def stop(page: Any) -> None:
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible(timeout=PATIENCE_MS)


def segments(page: Any) -> Any:
    return page.locator("#lv-live-segments .lv-segment")
