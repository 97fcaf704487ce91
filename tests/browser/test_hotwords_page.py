"""Hotwords in real Chromium: a name that is wrong comes out right, in Transcribe, Live and Compare, and the browser keeps the list."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.browser.conftest import run_server
from tests.browser.steps import new_context, rows_in, run, show, transcribed, unfold
from tests.named_recording import NAME, RIGHT, WRONG, write_bundle, write_recording
from tests.starter_facts import NAMES
from ui.transcribe.form import STORAGE_KEY

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hotwords")
    write_bundle(folder / "bundle")
    write_recording(folder / "name.wav")
    return folder


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    with run_server(folder / "files", "--bundle", str(folder / "bundle")) as address:
        yield address


@pytest.fixture
def page(browser: Any, address: str) -> Iterator[Any]:
    context = new_context(browser, locale="en-US", permissions=["microphone"])
    page = context.new_page()
    page.goto(address)
    page.locator("#lv-transcript .lv-empty").wait_for()
    yield page
    context.close()


def text_of(page: Any) -> Any:
    return page.locator("#lv-shown .lv-segment .lv-text")


def test_a_name_comes_out_right_and_the_list_is_kept(page: Any, folder: Path) -> None:
    transcribed(page, folder / "name.wav")
    expect(text_of(page)).to_have_text(WRONG)
    expect(page.locator(".lv-readings")).to_have_count(0)
    page.locator("#lv-transcribe-hotwords textarea").fill(f"{NAME} 2.0\n王五")
    page.locator("#lv-n-best input[type=number]").fill("2")
    page.locator("#lv-n-best input[type=number]").blur()
    transcribed_again(page, folder)
    expect(text_of(page)).to_have_text(RIGHT)
    expect(page.locator("#lv-shown .lv-reading-notes")).to_contain_text("王五")
    page.reload()
    expect(page.locator("#lv-transcribe-hotwords textarea")).to_have_value(f"{NAME} 2.0\n王五")


def test_what_is_pasted_or_deleted_is_kept_as_well(page: Any) -> None:
    memory = f"localStorage.getItem('{STORAGE_KEY}')"
    box = page.locator("#lv-transcribe-hotwords textarea")
    for kept in ("王五\n李四", ""):
        before = page.evaluate(memory)
        box.press("Control+A")
        box.press("Delete")
        page.keyboard.insert_text(kept)  # without a key for each character, as a clipboard or an input method does it
        box.blur()
        page.wait_for_function(f"(before) => {memory} !== before", arg=before)
        page.reload()
        page.locator("#lv-transcript .lv-empty").wait_for()
        expect(box).to_have_value(kept)


def transcribed_again(page: Any, folder: Path) -> None:
    """The recording once more, with the options as they are now."""
    page.locator("#lv-transcribe-audio input[type=file]").set_input_files([str(folder / "name.wav")])
    expect(page.locator(".lv-row")).to_have_count(2)
    run(page)
    expect(rows_in(page, "done")).to_have_count(2)
    page.locator(".lv-row-name").last.click()
    expect(page.locator("#lv-shown .lv-readings")).to_have_count(1)


def test_a_click_on_a_word_shows_other_readings_and_one_of_them_becomes_the_text(page: Any, folder: Path) -> None:
    page.locator("#lv-n-best input[type=number]").fill("2")
    page.locator("#lv-n-best input[type=number]").blur()
    transcribed(page, folder / "name.wav")
    readings = page.locator(".lv-readings button")
    expect(readings.first).to_be_hidden()
    page.locator("#lv-shown .lv-word").first.click()
    expect(readings).to_have_text([WRONG, RIGHT])
    readings.last.click()
    expect(text_of(page)).to_have_text(RIGHT)
    expect(readings.last).to_be_focused()
    page.locator('[data-action="restore"]').click()
    expect(text_of(page)).to_have_text(WRONG)
    page.locator(".lv-readings summary").focus()
    page.keyboard.press("Enter")  # without a mouse
    expect(readings.last).to_be_visible()


def test_a_weight_out_of_range_is_said(page: Any, folder: Path) -> None:
    page.locator("#lv-transcribe-hotwords textarea").fill(f"{NAME} 99.0")
    page.locator("#lv-transcribe-audio input[type=file]").set_input_files([str(folder / "name.wav")])
    expect(page.locator(".lv-row")).to_have_count(1)
    run(page)
    expect(page.get_by_text(re.compile("it must lie between 0.1 and 10"))).to_be_visible()
    page.locator("#lv-transcribe-hotwords textarea").fill(NAME)
    run(page)
    expect(text_of(page)).to_have_text(RIGHT)


#: In place of the microphone: the recording over and over, without the browser's noise suppression, which takes tones for noise.
MICROPHONE = """navigator.mediaDevices.getUserMedia = async () => {
  const context = new AudioContext();
  await context.resume();
  const content = Uint8Array.from(atob("%s"), (character) => character.charCodeAt(0));
  const source = new AudioBufferSourceNode(context, { buffer: await context.decodeAudioData(content.buffer), loop: true });
  const target = context.createMediaStreamDestination();
  source.connect(target);
  source.start();
  return target.stream;
};"""


def test_live(page: Any, folder: Path) -> None:
    page.evaluate(MICROPHONE % base64.b64encode((folder / "name.wav").read_bytes()).decode())
    show(page, 1)
    unfold(page, ".lv-options:visible")
    page.locator("#lv-live-hotwords textarea").fill(f"{NAME} 2.0\n王五")
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-segments .lv-text").first).to_have_text(RIGHT)
    expect(page.locator("#lv-live-notes")).to_contain_text("王五")
    page.locator("#lv-live-stop").click()
    expect(page.locator("#lv-live-state[data-state=stopped]")).to_be_visible()
    page.reload()
    page.locator("#lv-transcript .lv-empty").wait_for()
    show(page, 1)
    unfold(page, ".lv-options:visible")
    expect(page.locator("#lv-live-hotwords textarea")).to_have_value(f"{NAME} 2.0\n王五")


def test_both_sides_of_a_comparison_have_them_and_the_list_is_kept(page: Any, folder: Path) -> None:
    show(page, 2)
    page.locator("#lv-compare-audio input[type=file]").set_input_files(folder / "name.wav")
    page.locator("#lv-compare-audio .audio-container :is(.waveform-container, audio:not(.hidden))").first.wait_for()
    page.locator("#lv-compare-run").click()
    both = page.locator("#lv-comparison .lv-diff span")
    expect(both).to_have_text([" ".join(WRONG)])
    page.locator("#lv-compare-hotwords textarea").press_sequentially(f"{NAME} 2.0")
    page.locator("#lv-compare-run").click()
    expect(both).to_have_text([RIGHT])
    page.reload()
    page.locator("#lv-transcript .lv-empty").wait_for()
    show(page, 2)
    expect(page.locator("#lv-compare-hotwords textarea")).to_have_value(f"{NAME} 2.0")
    expect(page.locator("#lv-transcribe-hotwords textarea")).to_have_value("")  # each tab has its own


@pytest.mark.parametrize("precision", ["FP32", "INT8"])
@pytest.mark.parametrize("path", NAMES, ids=lambda path: path.stem)
def test_a_name_that_the_starter_writes_wrong_comes_out_right(open_page: Callable[..., Any], path: Path, precision: str) -> None:
    page = open_page()
    if precision == "INT8":
        page.locator("#lv-light-switch input").click()
        expect(page.locator("#lv-light-status .lv-light-status")).to_have_attribute("data-on", "true")
    name, line = NAMES[path]
    transcribed(page, path)
    expect(text_of(page)).to_have_text(re.compile(r"\S"))
    expect(text_of(page)).not_to_contain_text(name)
    page.locator("#lv-transcribe-hotwords textarea").fill(line)
    page.locator("#lv-transcribe-audio input[type=file]").set_input_files([str(path)])
    expect(page.locator(".lv-row")).to_have_count(2)
    run(page)
    expect(rows_in(page, "done")).to_have_count(2)
    page.locator(".lv-row-name").last.click()
    expect(text_of(page)).to_contain_text(name)
    expect(page.locator("#lv-transcript")).to_contain_text(precision)
