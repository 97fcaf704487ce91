"""Every odd recording of the data folder on the page, in real Chromium."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.browser.steps import downloaded, drawn, drop, rows_in, run, unfold
from tests.odd_files import OddFile, every_odd_file
from ui.text.texts import read_locale

expect = pytest.importorskip("playwright.sync_api").expect


def shown_s(clock: str) -> float:
    """``1:02.5`` in seconds."""
    minutes, seconds = clock.split(":")
    return 60 * int(minutes) + float(seconds)


def warning_type(sentence: str) -> str:
    """The type of a warning as the page words it: by the words around its numbers."""
    for key, english in read_locale("en").items():
        pattern = re.sub(r"\\\{\w+\\\}", r"[\\d.]+", re.escape(english))
        if key.startswith("warning.") and re.fullmatch(pattern, sentence):
            return key.removeprefix("warning.")
    raise AssertionError(sentence)


def choose(page: Any, odd: OddFile) -> None:
    if odd.channel is not None:
        unfold(page, "#lv-advanced")
        page.locator("#lv-channel input").click()
        page.get_by_role("option", name="One speaker a channel").click()
    tracks = page.locator(".lv-row select")
    expect(tracks).to_have_count(int(odd.tracks > 1))
    if odd.tracks > 1:
        expect(tracks.locator("option:checked")).to_contain_text("default")
        expect(tracks).to_have_value("2")
    if odd.track is not None:
        tracks.select_option(str(odd.track))
        expect(tracks.locator("option:checked")).to_have_text(re.compile(f"^{odd.track}: "))


@every_odd_file
def test_on_the_page(odd: OddFile, open_page: Callable[..., Any], data_dir: Path) -> None:
    path = odd.path(data_dir)
    page = open_page()
    drop(page, path)
    choose(page, odd)
    run(page)
    expect(rows_in(page, "done")).to_have_count(1)
    segments = page.locator("#lv-transcript .lv-segment")
    expect(segments.first).to_be_visible()
    drawn(page)
    times = segments.evaluate_all("(all) => all.map((one) => [Number(one.dataset.start), Number(one.dataset.end)])")
    starts, ends = ([time / 1000 for time in of_one_kind] for of_one_kind in zip(*times, strict=True))
    odd.check(
        duration_s=shown_s(page.locator(".lv-row-length").inner_text()),
        warnings=[warning_type(note) for note in page.locator("#lv-transcript .lv-reading-notes li").all_inner_texts()],
        text=" ".join(page.locator("#lv-transcript .lv-text").all_inner_texts()),
        starts_s=starts,
        end_s=max(ends) - 0.1,  # the row shows whole tenths
    )
    speakers = page.locator("#lv-transcript .lv-segments .lv-speaker").all_inner_texts()
    assert len(speakers) == (len(starts) if odd.speakers_s else 0)
    first = {int(speaker.split()[-1]): start for speaker, start in reversed(list(zip(speakers, starts, strict=False)))}
    odd.check_speakers(first)
    subtitles = downloaded(page, "srt")[1].decode("utf-8")
    assert all(f"Speaker {channel}: " in subtitles for channel in odd.speakers_s)
