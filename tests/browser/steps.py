"""What the tests of several tabs do on the page, and what they wait for."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

expect = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright (requirements-test.txt)").expect

#: How long a test waits for the page; the machine may be busy.
PATIENCE_MS = 120_000
expect.set_options(timeout=PATIENCE_MS)
#: Text of any kind: what a small bundle makes of the digits is not what the page is tested for.
SOME_WORDS = re.compile(r"\w{2,} ?\w{2,}")
#: A request of the page's timer, which carries the state of the lightweight switch; the first one comes from opening the page.
REFRESH = re.compile(r'^\{"data":\[(true|false),.*"trigger_id":[1-9]')


def new_context(browser: Any, **settings: Any) -> Any:
    """A browser without cookies, which has as much time for everything as the tests."""
    context = browser.new_context(**settings)
    context.set_default_timeout(PATIENCE_MS)
    return context


def drop(page: Any, *files: Path) -> None:
    """Drop files into the Transcribe tab and wait for their rows."""
    rows = page.locator(".lv-row")
    before = rows.count()
    page.locator("#lv-transcribe-audio input[type=file]").set_input_files([str(file) for file in files])
    expect(rows).to_have_count(before + len(files))


def run(page: Any) -> None:
    """Start what the queue holds."""
    page.locator("#lv-transcribe-run").click()


#: Gradio draws what is folded, or on another tab, when it comes into view first, and a few frames later gives it its values again, over
#: what was entered meanwhile.
TEN_FRAMES = """() => new Promise((done) => {
  const count = (left) => (left ? requestAnimationFrame(() => count(left - 1)) : done());
  count(10);
})"""


def unfold(page: Any, accordion: str) -> None:
    """Open a folded part of the form, named by a CSS selector, and wait until its fields can be filled in."""
    folded = page.locator(accordion).first
    folded.locator("> button").click()
    until_it_stands(page, folded)


def until_it_stands(page: Any, part: Any) -> None:
    """Wait until the fields of a part that has just come into view are drawn and have their values."""
    part.locator(".block:visible").first.wait_for()
    page.evaluate(TEN_FRAMES)


def rows_in(page: Any, state: str) -> Any:
    """The queue's rows in this state."""
    return page.locator(f'.lv-row[data-state="{state}"]')


def transcribed(page: Any, *files: Path) -> None:
    """Drop files and wait for the first one's transcript."""
    drop(page, *files)
    run(page)
    expect(rows_in(page, "done")).to_have_count(len(files))
    drawn(page)


def words_come(page: Any) -> None:
    """Wait until a segment of the shown transcript has words."""
    texts = page.locator("#lv-transcript .lv-segment .lv-text:not(:has(.lv-muted))")
    expect(texts.filter(has_text=SOME_WORDS).first).to_be_visible()


def drawn(page: Any) -> None:
    """Wait until a transcript is shown, and not what a run has recognized so far."""
    expect(page.locator("#lv-viewer")).to_be_visible()


def downloaded(page: Any, name: str) -> tuple[str, bytes]:
    """The name and the content of the download in this format."""
    with page.expect_download() as download:
        page.locator(f"#lv-download-{name}").click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def record(page: Any, seconds: int) -> None:
    """Record from the microphone in the Transcribe tab until it shows this many seconds."""
    page.locator("#lv-record-start").click()
    expect(page.locator("#lv-record-time")).to_have_text(re.compile(rf"0:0[{seconds}-9]"))
    page.locator("#lv-record-stop").click()


def refreshed(*pages: Any, rounds: int = 2) -> None:
    """Wait until the timer of every page has brought the server's state this many times more."""
    answers = dict.fromkeys(range(len(pages)), 0)

    def count(number: int, answer: Any) -> None:
        answers[number] += bool(answer.url.endswith("/run/predict") and REFRESH.match(answer.request.post_data or ""))

    listeners = [lambda answer, number=number: count(number, answer) for number in answers]
    for page, listener in zip(pages, listeners, strict=True):
        page.on("response", listener)
    while min(answers.values()) < rounds:
        pages[0].wait_for_event("response", timeout=PATIENCE_MS)
    for page, listener in zip(pages, listeners, strict=True):
        page.remove_listener("response", listener)


def megabytes(text: str) -> float:
    """The first size in a text, in MB."""
    found = re.search(r"([\d.]+) (MB|GB)", text)
    assert found is not None, text
    return float(found.group(1)) * (1000 if found.group(2) == "GB" else 1)


def show(page: Any, tab: int | str | re.Pattern[str]) -> None:
    """Open a tab by its number or its name, and wait until its fields can be filled in."""
    (page.get_by_role("tab").nth(tab) if isinstance(tab, int) else page.get_by_role("tab", name=tab)).click()
    until_it_stands(page, page.locator("[role=tabpanel]:visible"))


def finish_a_transcript(page: Any, recording: Path) -> None:
    """Transcribe a recording whose transcript has two segments."""
    drop(page, recording)
    run(page)
    drawn(page)
    expect(page.locator("#lv-transcript .lv-segment")).to_have_count(2)


def compare(page: Any) -> None:
    """Compare the variants on the recording in the Compare tab."""
    show(page, 2)
    page.locator("#lv-compare-audio .audio-container :is(.waveform-container, audio:not(.hidden))").first.wait_for()
    page.locator("#lv-compare-run").click()
    expect(page.locator("#lv-comparison .lv-comparison")).to_be_visible()
