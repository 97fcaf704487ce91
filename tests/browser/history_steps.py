"""What the tests of a page with a history do in a browser: come as somebody, and open the tab."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.browser.steps import new_context

expect = pytest.importorskip("playwright.sync_api").expect


@contextmanager
def visit(browser: Any, address: str, *, state: Any = None, **options: Any) -> Iterator[Any]:
    """A browser with cookies of its own, or those of an earlier one, on the page."""
    context = new_context(browser, storage_state=state, permissions=["microphone"], **{"locale": "en-US", **options})
    page = context.new_page()
    page.on("dialog", lambda dialog: dialog.accept())
    page.goto(address)
    page.locator("#lv-queue").wait_for()
    yield page
    context.close()


def history(page: Any) -> Any:
    """Open the tab: -> its rows."""
    page.locator("#lv-tab-history-button").click()
    expect(page.locator("#lv-history-who")).not_to_be_empty()
    return page.locator(".lv-kept")
