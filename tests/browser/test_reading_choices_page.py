"""Files that browsers know nothing of, the choice of a track, and one speaker a channel, in real Chromium."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from tests.browser.steps import downloaded, drawn, drop, rows_in, run, transcribed, unfold
from tests.two_tracks import RATE, write_two_tracks

expect = pytest.importorskip("playwright.sync_api").expect

#: Drops files onto the box as a person does with a mouse, which no file chooser's filter sees.
DROPPED = """(box, files) => {
  const carried = new DataTransfer();
  for (const [name, content] of files)
    carried.items.add(new File([Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0))], name, { type: "" }));
  for (const kind of ["dragenter", "dragover", "drop"])
    box.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="session")
def odd_files(spoken_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The digits in containers and under names that browsers give no type."""
    folder, samples = tmp_path_factory.mktemp("odd"), load_audio(spoken_digits).samples
    files = []
    named = {"talk.caf": "CAF", "talk.w64": "W64", "talk": "WAV", "talk.wav.download": "FLAC", f"{'录' * 80}.au": "AU"}
    for name, container in named.items():
        files.append(folder / name)
        soundfile.write(files[-1], samples, 16_000, format=container, subtype="PCM_16")
    av = pytest.importorskip("av")
    with av.open(str(folder / "talk.ts"), "w", format="mpegts") as target, av.open(str(spoken_digits)) as source:
        voice = target.add_stream("aac", rate=16_000)
        voice.layout = "mono"
        converter = av.AudioResampler(format="fltp", layout="mono", rate=16_000)
        for frame in [*source.decode(audio=0), None]:
            for converted in converter.resample(frame):
                target.mux(voice.encode(converted))
        target.mux(voice.encode())
    return [*files, folder / "talk.ts"]


def test_the_box_takes_what_the_engine_reads_and_content_decides(
    open_page: Callable[..., Any], odd_files: list[Path], tmp_path: Path
) -> None:
    page = open_page()
    notes = tmp_path / "notes.wav"
    notes.write_text("no audio at all", encoding="utf-8")
    assert page.locator("#lv-transcribe-audio input[type=file]").get_attribute("accept") in {None, "", "*"}
    dropped = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in (*odd_files, notes)]
    page.locator("#lv-transcribe-audio button").first.evaluate(DROPPED, dropped)
    expect(page.locator(".lv-row")).to_have_count(len(dropped))
    run(page)
    expect(rows_in(page, "done")).to_have_count(len(odd_files))
    expect(rows_in(page, "failed")).to_have_count(1)
    expect(rows_in(page, "failed")).to_contain_text("notes.wav")
    for row in rows_in(page, "done").all():
        row.locator(".lv-row-name").click()
        expect(page.locator("#lv-transcript .lv-segment")).to_have_count(2)


def test_a_track_is_chosen_in_its_row(open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path) -> None:
    loud = np.repeat(load_audio(spoken_digits).samples, RATE // 16_000)
    film = write_two_tracks(tmp_path / "film.mkv", loud * 0, loud, default=2, codec="flac")
    page = open_page()
    drop(page, film)
    choice = page.locator(".lv-row select")
    expect(choice.locator("option:checked")).to_have_text("2: The talk, chi, flac, mono · default")
    choice.select_option("1")
    expect(choice.locator("option:checked")).to_have_text("1: A <comment>, eng, flac, mono")
    run(page)
    expect(rows_in(page, "done")).to_have_count(1)
    drawn(page)
    expect(page.locator("#lv-transcript .lv-segment")).to_have_count(0)
    page.locator(".lv-row select").first.select_option("2")  # the silent track's transcript stays, the other one is a new row
    expect(page.locator(".lv-row")).to_have_count(2)
    run(page)
    expect(rows_in(page, "done")).to_have_count(2)
    expect(page.locator("#lv-transcript .lv-segment")).to_have_count(2)


def test_each_channel_s_speaker_is_named(open_page: Callable[..., Any], spoken_digits: Path, tmp_path: Path) -> None:
    samples = load_audio(spoken_digits).samples
    soundfile.write(tmp_path / "call.wav", np.stack([samples, np.roll(samples, 24_000)], axis=1), 16_000)
    page = open_page()
    unfold(page, "#lv-advanced")
    page.locator("#lv-channel input").click()
    page.get_by_role("option", name="One speaker a channel").click()
    transcribed(page, tmp_path / "call.wav")
    speakers = page.locator("#lv-transcript .lv-segments .lv-speaker")
    assert set(speakers.all_text_contents()) == {"Speaker 1", "Speaker 2"}
    assert "Speaker 2: " in downloaded(page, "srt")[1].decode("utf-8")
