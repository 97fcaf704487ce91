"""The moment in which a run ends, in real Chromium: from its newest segments to the transcript, with nothing between."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.shown_transcripts import OPEN_THE_QUEUE, shown_transcripts
from tests.browser.steps import drawn, drop, new_context, run
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from tests.waiting import until
from ui.scheduling.recording_queue import EntryState

#: Notes each change of the page in which a transcript is shown, and how many segments it has then.
WATCH = """window.counts = [];
new MutationObserver(() => {
  if (document.getElementById("lv-viewer")) window.counts.push(document.querySelectorAll("#lv-list .lv-segment").length);
}).observe(document, { childList: true, subtree: true });"""


def test_a_run_that_ends_between_two_questions_of_the_page_shows_no_empty_transcript(
    browser: Any, tmp_path: Path, spoken_digits: Path
) -> None:
    engine = FakeEngine()
    engine.hold.clear()
    (tmp_path / "files").mkdir()
    with shown_transcripts(engine, InProcessDecoder(), tmp_path / "files") as shown:
        context = new_context(browser, locale="en-US")
        context.add_init_script(OPEN_THE_QUEUE)
        context.add_init_script(WATCH)
        page = context.new_page()
        ended = []

        def answered_late(route: Any) -> None:
            """The page was told that it runs, and asks what to show of it: by then it has ended."""
            (entry,) = shown.queue.entries()
            if entry.state is EntryState.RUNNING and not ended:
                engine.hold.set()
                until(lambda: shown.queue.entries()[0].state is EntryState.DONE)
                ended.append(entry.id)
            route.continue_()

        page.route("**/result", answered_late)
        page.goto(shown.address)
        page.locator("#lv-queue").wait_for()
        drop(page, spoken_digits)
        run(page)
        drawn(page)
        assert len(ended) == 1
        page.wait_for_function("document.querySelector('.lv-row').dataset.state === 'done'")
        counts = page.evaluate("window.counts")
        context.close()
    assert counts and min(counts) > 0
