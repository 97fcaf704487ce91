"""The figures of long transcripts are counted on a real page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.shown_transcripts import shown_transcripts
from benchmarks.viewer import measure
from tests.ui.fake_engine import FakeEngine, InProcessDecoder


def test_elements_height_and_times_are_measured(browser: Any, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    with shown_transcripts(FakeEngine(), InProcessDecoder(), files) as shown:
        figures = measure(shown, browser, [0.1, 1.0], rounds=1)
    assert figures["1"]["segments"] == 900 == 10 * figures["0.1"]["segments"]
    assert figures["1"]["viewer_nodes"] < 1.5 * figures["0.1"]["viewer_nodes"]
    assert all(one[name] > 0 for one in figures.values() for name in ("select_s", "page_height_px", "longest_frame_ms"))
