"""What the tests of the transcript's viewer do on the page: open a long transcript, read the sent edits, play."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.long_transcript import made_sound, made_transcript
from benchmarks.shown_transcripts import OPEN_THE_QUEUE, Shown, shown_transcripts
from engine.transcript import Transcript
from tests.browser.steps import new_context
from tests.ui.fake_engine import FakeEngine, InProcessDecoder
from ui.scheduling.recording_queue import Entry

expect = pytest.importorskip("playwright.sync_api").expect
PLAYER_MS = "document.getElementById('lv-player').currentTime * 1000"


class Viewers:
    """The page over transcripts that were never spoken."""

    def __init__(self, shown: Shown, browser: Any, folder: Path) -> None:
        self.shown, self._browser, self._folder = shown, browser, folder
        self.thrown: list[str] = []
        self._contexts: list[Any] = []
        self._sounds = 0

    def open(self, transcript: Transcript | None = None, *, minutes: float = 30, sound: bool = True, **context: Any) -> tuple[Any, Entry]:
        """A fresh page that shows the transcript (30 minutes of English unless given)."""
        made = transcript or made_transcript(minutes * 60)
        self._sounds += 1
        playback = made_sound(self._folder / f"{self._sounds}.flac", made.duration_s) if sound else None
        entry = self.shown.add(made, playback)
        self.shown.queue.select(entry.id)
        return self.page(**context), entry

    def page(self, *, locale: str = "en-US", width: int = 1280, height: int = 900, color_scheme: str = "light") -> Any:
        context = new_context(self._browser, locale=locale, viewport={"width": width, "height": height}, color_scheme=color_scheme)
        context.add_init_script(OPEN_THE_QUEUE)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.thrown.append(str(error)))
        page.goto(self.shown.address)
        page.locator("#lv-list .lv-segment").first.wait_for()
        return page

    def close(self) -> None:
        for context in self._contexts:
            context.close()
        self._contexts.clear()


@contextmanager
def serve_viewers(browser: Any, folder: Path) -> Iterator[Viewers]:
    """Serve the page for :class:`Viewers` until the block ends."""
    files = folder / "files"
    files.mkdir()
    with shown_transcripts(FakeEngine(), InProcessDecoder(), files) as shown:
        yield Viewers(shown, browser, folder)


def item(page: Any, number: int) -> Any:
    """The segment with this number, counted from 1."""
    return page.locator(f'#lv-list .lv-segment[data-index="{number - 1}"]')


def saved(page: Any, change: Callable[[], object]) -> None:
    """Do something that changes the transcript, and wait until the server has it."""
    with page.expect_response("**/edits?*") as answer:
        change()
    assert answer.value.status == 200, answer.value.text()


def exported(viewers: Viewers, entry: Entry) -> list[dict[str, Any]]:
    """The segments of the JSON export as they are on the server now."""
    found = viewers.shown.queue.find(entry.id)
    assert found is not None and found.result is not None
    segments: list[dict[str, Any]] = json.loads(json.dumps(found.result.edited().to_dict()))["segments"]
    return segments
