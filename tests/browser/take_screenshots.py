"""Takes the READMEs' pictures of the page into docs/screenshots: ``python -m tests.browser.take_screenshots [NAME …]``."""

from __future__ import annotations

import io
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image
from playwright.sync_api import sync_playwright

from engine.audio import load_audio
from tests.browser.conftest import CHROMIUM_NAMES, EXAMPLES, FLAGS, ROOT, run_server
from tests.browser.test_accessibility import compare, finish_a_transcript, show, speak

FOLDER = ROOT / "docs" / "screenshots"
RECORDING = EXAMPLES / "digits-en.flac"
PATIENCE_MS = 120_000
#: The page has few colours; a palette makes a picture a third of its size.
COLOURS = 128
LARGEST_BYTES = 150_000


@dataclass(frozen=True)
class Picture:
    """What is shown, how the browser is set, and the picture's height in CSS pixels."""

    prepare: Callable[[Any], None]
    height: int
    width: int = 1200
    locale: str = "en-US"
    color_scheme: str = "light"


def _transcript(page: Any) -> None:
    finish_a_transcript(page, RECORDING)


def _comparison(page: Any) -> None:
    page.get_by_role("tab").nth(2).click()
    page.locator("#lv-compare-audio input[type=file]").set_input_files(RECORDING)
    page.locator("#lv-reference textarea").fill("three one four one five nine two six five three")
    compare(page)


def _models(page: Any) -> None:
    show(page, 3)
    page.locator("#lv-models .lv-model").first.wait_for()


PICTURES = {
    "transcribe": Picture(_transcript, 1000),
    "transcribe-dark": Picture(_transcript, 1000, color_scheme="dark"),
    "transcribe-zh": Picture(_transcript, 1000, locale="zh-CN"),
    "live": Picture(speak, 900),
    "compare": Picture(_comparison, 1400),
    "models": Picture(_models, 1000),
    "phone": Picture(_transcript, 1300, width=390),
}


def take(browser: Any, address: str, name: str) -> int:
    """Take one picture; how many bytes it has. Above the limit it is an error."""
    picture = PICTURES[name]
    size = {"width": picture.width, "height": picture.height}
    context = browser.new_context(locale=picture.locale, viewport=size, color_scheme=picture.color_scheme, permissions=["microphone"])
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    page.goto(address)
    page.locator("#lv-transcript .lv-empty").wait_for()
    picture.prepare(page)
    page.wait_for_timeout(3_000)  # the resource panel follows every two seconds
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
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
        soundfile.write(microphone, load_audio(RECORDING).samples, 16_000, subtype="PCM_16")
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"])
        for name in names or PICTURES:
            sys.stderr.write(f"{name}.png: {take(browser, address, name)} bytes\n")
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1:])
