"""A run whose page was closed, in real Chromium: it goes on and is found in the History tab, where it can be cancelled too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.shown_transcripts import shown_transcripts
from tests.browser.history_steps import history, visit
from tests.browser.steps import drop, run
from tests.browser.violations import serious_violations
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.waiting import until
from ui.history.options import HistoryOptions
from ui.scheduling import queue_runner

expect = pytest.importorskip("playwright.sync_api").expect


@contextmanager
def closed_while_it_runs(browser: Any, folder: Path, recording: Path, *, kept: bool = True) -> Iterator[tuple[str, Any, FakeEngine]]:
    """A server on which a run is held whose page was closed: its address, the browser's cookies, and the engine."""
    (folder / "files").mkdir()
    engine = FakeEngine()
    engine.hold.clear()
    options = HistoryOptions(folder=folder / "history") if kept else None
    with shown_transcripts(engine, InProcessDecoder(), folder / "files", history=options) as shown:
        try:
            with visit(browser, shown.address) as page:
                drop(page, recording)
                run(page)
                expect(page.locator('.lv-row[data-state="running"]')).to_have_count(1)
                state = page.context.storage_state()
            yield shown.address, state, engine
        finally:
            engine.hold.set()


def test_a_run_whose_page_was_closed_comes_into_the_history(
    browser: Any, tmp_path: Path, spoken_digits: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_runner, "LEFT_S", 0.1)
    with closed_while_it_runs(browser, tmp_path, spoken_digits) as (address, state, engine):
        with visit(browser, address, state=state) as page:
            rows, note = history(page), page.locator("#lv-history-note")
            until(lambda: "Still being transcribed" in note.inner_text() or history_again(page))
            expect(note).to_contain_text(spoken_digits.name)
            expect(rows).to_have_count(0)
            assert serious_violations(page) == []
            engine.hold.set()
            expect(rows).to_have_count(1)
            expect(rows.first).to_contain_text("three one four")
            expect(note).to_be_empty()
        with visit(browser, address) as page:  # somebody else
            expect(history(page)).to_have_count(0)


def history_again(page: Any) -> bool:
    """Ask for the rows once more: the page before was closed a moment ago."""
    page.evaluate("window.lightvoiceHistory.look()")
    return False


def test_it_can_be_cancelled_from_the_history(browser: Any, tmp_path: Path, spoken_digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue_runner, "LEFT_S", 0.1)
    with (
        closed_while_it_runs(browser, tmp_path, spoken_digits) as (address, state, engine),
        visit(browser, address, state=state, locale="zh-CN") as page,
    ):
        rows, note = history(page), page.locator("#lv-history-note")
        until(lambda: "仍在转写" in note.inner_text() or history_again(page))
        note.get_by_role("button", name="取消转写").click()
        expect(note).to_be_empty()
        engine.hold.set()
        page.evaluate("window.lightvoiceHistory.look()")
        expect(rows).to_have_count(0)
