"""Takes the READMEs' pictures of the page into docs/screenshots: ``python -m tests.browser.take_screenshots [NAME …]``."""

from __future__ import annotations

import io
import re
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from engine.audio.waveform import load_audio
from tests.browser.conftest import CHROMIUM_NAMES, FLAGS, ROOT, run_server
from tests.browser.steps import PATIENCE_MS, compare, finish_a_transcript, refreshed, show
from tests.starter_facts import DIGITS

FOLDER = ROOT / "docs" / "screenshots"
#: The page has few colours; a palette makes a picture a third of its size.
COLOURS = 128
LARGEST_BYTES = 150_000
#: Chromium's own name for its fake microphone says nothing to a reader.
NAME_THE_MICROPHONE = """
const devices = navigator.mediaDevices.enumerateDevices.bind(navigator.mediaDevices);
const named = ({deviceId, groupId, kind}) => ({deviceId, groupId, kind, label: "Microphone"});
navigator.mediaDevices.enumerateDevices = async () => (await devices()).map(named);
"""


@dataclass(frozen=True)
class Picture:
    """What is shown, how the browser is set, and the picture's height in CSS pixels."""

    prepare: Callable[[Any], None]
    height: int
    width: int = 1200
    locale: str = "en-US"
    color_scheme: str = "light"


def _transcript(page: Any) -> None:
    finish_a_transcript(page, DIGITS)
    refreshed(page)  # the resource panel has seen it


def _transcript_in_sight(page: Any) -> None:
    _transcript(page)
    bar_px = page.locator("#lv-light-bar").bounding_box()["height"]
    top_px = page.locator("#lv-shown").bounding_box()["y"] - bar_px - 16
    page.evaluate("(top) => window.scrollBy({top, behavior: 'instant'})", top_px)


def _speaking(page: Any) -> None:
    """Two segments are final, the third one is being said."""
    show(page, 1)
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-segments .lv-segment")).to_have_count(2, timeout=PATIENCE_MS)
    expect(page.locator("#lv-live-partial")).to_contain_text(re.compile(r"\w{3,} \w{3,}"), timeout=PATIENCE_MS)


def _comparison(page: Any) -> None:
    page.get_by_role("tab").nth(2).click()
    page.locator("#lv-compare-audio input[type=file]").set_input_files(DIGITS)
    page.locator("#lv-reference textarea").fill("31415 92653")
    compare(page)
    refreshed(page)  # the resource panel has seen it


def _models(page: Any) -> None:
    show(page, 3)
    page.locator("#lv-models .lv-model").first.wait_for()
    page.locator("#lv-fetch > button").click()
    refreshed(page)  # the resource panel has seen it


PICTURES = {
    "transcribe": Picture(_transcript, 1000),
    "transcribe-dark": Picture(_transcript, 1000, color_scheme="dark"),
    "transcribe-zh": Picture(_transcript, 1000, locale="zh-CN"),
    "live": Picture(_speaking, 800),
    "compare": Picture(_comparison, 1400),
    "models": Picture(_models, 1000),
    "phone": Picture(_transcript_in_sight, 844, width=390),
}


def take(browser: Any, address: str, name: str) -> int:
    """Take one picture; how many bytes it has. Above the limit it is an error."""
    picture = PICTURES[name]
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(locale=picture.locale, viewport=size, color_scheme=picture.color_scheme, permissions=["microphone"])
    context.set_default_timeout(PATIENCE_MS)
    context.add_init_script(NAME_THE_MICROPHONE)
    page = context.new_page()
    page.goto(address)
    page.locator("#lv-transcript .lv-empty").wait_for()
    picture.prepare(page)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    image = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    path = FOLDER / f"{name}.png"
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    context.close()
    size_bytes = path.stat().st_size
    if size_bytes > LARGEST_BYTES:
        raise SystemExit(f"{path} has {size_bytes} bytes, more than {LARGEST_BYTES}; make it lower")
    return size_bytes


def main(names: list[str]) -> None:
    """Start a server and Chromium, whose microphone plays the digits; take the pictures named, or all."""
    chromium = next(path for name in CHROMIUM_NAMES if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder, run_server(Path(folder)) as address, sync_playwright() as playwright:
        microphone = Path(folder) / "digits.wav"
        soundfile.write(microphone, load_audio(DIGITS).samples, 16_000, subtype="PCM_16")
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"])
        for name in names or PICTURES:
            sys.stderr.write(f"{name}.png: {take(browser, address, name)} bytes\n")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
