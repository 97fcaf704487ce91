"""Takes the pictures of the page that the READMEs and docs/page.md show into docs/screenshots.

    python -m tests.browser.take_screenshots [NAME …] [--english FOLDER] [--chinese FOLDER]

Those of half an hour of speech (``long-…``) need recordings: a folder with a ``labels.tsv`` for each language, else the page's own
examples again and again. The model transcribes each half hour once.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import soundfile
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from engine.audio.waveform import load_audio
from tests.browser.conftest import CHROMIUM_NAMES, FLAGS, ROOT, run_server
from tests.browser.long_recordings import clips, write_long_recording
from tests.browser.steps import compare, drop, finish_a_transcript, new_context, refreshed, run, show, unfold
from tests.starter_facts import DIGITS

FOLDER = ROOT / "docs" / "screenshots"
#: The page has few colours; a palette makes a picture a third of its size.
COLOURS = 128
LARGEST_BYTES = 150_000
NARROW_PX = 700
#: Half an hour of speech may take so long on a busy machine.
LONG_PATIENCE_MS = 1_800_000
LONG_NAMES = {"en": "half an hour of English.flac", "zh": "半小时普通话.flac"}
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
    #: The language of the long recording that it shows.
    long: str = ""


def _transcript(page: Any) -> None:
    finish_a_transcript(page, DIGITS)
    refreshed(page)  # the resource panel has seen it


def _transcript_in_sight(page: Any) -> None:
    _transcript(page)
    _scroll_to(page, "#lv-shown")


def _scroll_to(page: Any, place: str, *, below_px: int = 16) -> None:
    """Bring a place below the bar that stays in sight."""
    bar_px = page.locator("#lv-light-bar").bounding_box()["height"]
    top_px = page.locator(place).bounding_box()["y"] - bar_px - below_px
    page.evaluate("(top) => window.scrollBy({top, behavior: 'instant'})", top_px)


def _long_transcript(page: Any) -> None:
    """In the middle of half an hour, a segment selected, a word being looked for."""
    page.locator("#lv-find").fill("的" if page.evaluate("document.documentElement.lang").startswith("zh") else "the")
    place = page.locator("#lv-timeline .lv-wave-box")
    place.scroll_into_view_if_needed()
    box = place.bounding_box()
    place.click(position={"x": box["width"] * 0.42, "y": box["height"] / 2})
    page.locator(".lv-segment.lv-selected .lv-segment-tools").wait_for()
    page.wait_for_function("document.querySelector('#lv-strip .lv-wave-shape').getAttribute('d')")
    if page.viewport_size["width"] < NARROW_PX:
        _scroll_to(page, "#lv-viewer", below_px=2)
    else:
        _scroll_to(page, "#lv-shown")


def _speaking(page: Any) -> None:
    """Two segments are final, the third one is being said."""
    show(page, 1)
    page.locator("#lv-live-start").click()
    expect(page.locator("#lv-live-segments .lv-segment")).to_have_count(2)
    expect(page.locator("#lv-live-partial")).to_contain_text(re.compile(r"\w{3,} \w{3,}"))


def _comparison(page: Any) -> None:
    show(page, 2)
    page.locator("#lv-compare-audio input[type=file]").set_input_files(DIGITS)
    page.locator("#lv-reference textarea").fill("31415 92653")
    compare(page)
    refreshed(page)  # the resource panel has seen it


def _models(page: Any) -> None:
    show(page, 3)
    page.locator("#lv-models .lv-model").first.wait_for()
    unfold(page, "#lv-fetch")
    refreshed(page)  # the resource panel has seen it


PICTURES = {
    "transcribe": Picture(_transcript, 1000),
    "transcribe-dark": Picture(_transcript, 1000, color_scheme="dark"),
    "transcribe-zh": Picture(_transcript, 1000, locale="zh-CN"),
    "live": Picture(_speaking, 800),
    "compare": Picture(_comparison, 1400),
    "models": Picture(_models, 1000),
    "phone": Picture(_transcript_in_sight, 844, width=390),
    **{
        f"long-{language}{kind}": Picture(_long_transcript, height, width=width, locale=locale, color_scheme=scheme, long=language)
        for language, locale in (("en", "en-US"), ("zh", "zh-CN"))
        for kind, height, width, scheme in (("", 900, 1200, "light"), ("-dark", 900, 1200, "dark"), ("-phone", 844, 390, "light"))
    },
}


def transcribe_long(browser: Any, address: str, recording: Path, queue_id: str) -> None:
    """Have half an hour transcribed in a queue that every page of it then shows."""
    page = _opened(browser, address, queue_id=queue_id)
    drop(page, recording)
    run(page)
    page.locator('.lv-row[data-state="done"]').wait_for(timeout=LONG_PATIENCE_MS)
    page.context.close()


def _opened(browser: Any, address: str, *, queue_id: str = "", **settings: Any) -> Any:
    context = new_context(browser, permissions=["microphone"], **settings)
    context.add_init_script(NAME_THE_MICROPHONE)
    if queue_id:
        context.add_init_script(f"sessionStorage.setItem('lightvoice-queue', '{queue_id}')")
    page = context.new_page()
    page.goto(address)
    page.locator("#lv-loading").wait_for(state="detached")
    return page


def take(browser: Any, address: str, name: str, queues: Mapping[str, str]) -> int:
    """Take one picture; how many bytes it has. Above the limit it is an error. ``queues`` are those of long recordings, by language."""
    picture = PICTURES[name]
    size = {"width": picture.width, "height": picture.height}
    settings = {"locale": picture.locale, "viewport": size, "color_scheme": picture.color_scheme}
    page = _opened(browser, address, queue_id=queues.get(picture.long, ""), **settings)
    page.locator("#lv-list .lv-segment" if picture.long else "#lv-transcript .lv-empty").first.wait_for()
    picture.prepare(page)
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    image = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    path = FOLDER / f"{name}.png"
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
    page.context.close()
    size_bytes = path.stat().st_size
    if size_bytes > LARGEST_BYTES:
        raise SystemExit(f"{path} has {size_bytes} bytes, more than {LARGEST_BYTES}; make it lower")
    return size_bytes


def main() -> None:
    """Start a server and Chromium, whose microphone plays the digits; take the pictures named, or all."""
    parser = argparse.ArgumentParser(prog="python -m tests.browser.take_screenshots", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*PICTURES, []], metavar="NAME", help=f"of {', '.join(PICTURES)} (default: all)")
    parser.add_argument("--english", type=Path, help="a folder of English recordings")
    parser.add_argument("--chinese", type=Path, help="a folder of Mandarin recordings")
    arguments = parser.parse_args()
    names, folders = arguments.names or list(PICTURES), {"en": arguments.english, "zh": arguments.chinese}
    if not subprocess.run(["fc-list", ":charset=1f5e3", "family"], capture_output=True, check=True).stdout:
        raise SystemExit("no font has the emoji of the tags, which would be empty boxes; Debian's is fonts-noto-color-emoji")
    languages = sorted({PICTURES[name].long for name in names} - {""})
    chromium = next(path for name in CHROMIUM_NAMES if (path := shutil.which(name)))
    with tempfile.TemporaryDirectory() as folder, run_server(Path(folder)) as address, sync_playwright() as playwright:
        microphone = Path(folder) / "digits.wav"
        soundfile.write(microphone, load_audio(DIGITS).samples, 16_000, subtype="PCM_16")
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, f"--use-file-for-fake-audio-capture={microphone}"])
        queues = {language: str(number) * 32 for number, language in enumerate(languages, start=1)}
        for language, queue_id in queues.items():
            recording = write_long_recording(Path(folder) / LONG_NAMES[language], clips(language, folders[language]))
            transcribe_long(browser, address, recording, queue_id)
        for name in names:
            sys.stderr.write(f"{name}.png: {take(browser, address, name, queues)} bytes\n")
        browser.close()


if __name__ == "__main__":
    main()
