"""A real server process and a real Chromium, for tests that click."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from engine.audio.waveform import load_audio
from tests.browser.steps import new_context
from tests.browser.viewer_steps import Viewers, serve_viewers
from tests.starter_facts import DIGITS

sync_api = pytest.importorskip("playwright.sync_api", reason="the browser tests need playwright (requirements-test.txt)")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
START_S = 240
#: Each window makes a page for the suggestions under its address bar, which costs as much as a small page of ours. The switch replaces
#: Playwright's own, whose names stand here as well.
FEATURES_OFF = """
    WebUIOmniboxPopup WebUIOmniboxAimPopup AimEnabled DestroyProfileOnBrowserClose HttpsFirstBalancedModeAutoEnable HttpsUpgrades
    LensOverlay MediaRouter OptimizationHints PaintHolding PreconnectToSearch ThirdPartyStoragePartitioning
"""
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    f"--disable-features={','.join(FEATURES_OFF.split())}",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test in this folder is a browser test."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)
    # Last: Playwright keeps an event loop running in this thread, and tests that call asyncio.run() cannot run beside it.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Chromium on PATH (Debian's package), or LIGHTVOICE_CHROMIUM."""
    own = os.environ.get("LIGHTVOICE_CHROMIUM")
    found = own or next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("no Chromium on PATH; install Debian's package `chromium`, or set LIGHTVOICE_CHROMIUM")
    return found


@pytest.fixture(scope="session")
def spoken_digits() -> Path:
    """The English example: two strings of digits with a pause between them."""
    return DIGITS


@pytest.fixture(scope="session")
def microphone_wav(spoken_digits: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same clip as Chromium's fake microphone takes it: 16-bit WAV."""
    path = tmp_path_factory.mktemp("microphone") / "digits.wav"
    waveform = load_audio(spoken_digits)
    soundfile.write(path, waveform.samples, 16_000, subtype="PCM_16")
    return path


@pytest.fixture(scope="session")
def quiet_wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of nothing."""
    path = tmp_path_factory.mktemp("quiet") / "quiet.wav"
    soundfile.write(path, np.zeros(32_000, np.float32), 16_000)
    return path


@contextmanager
def run_server(files: Path, *arguments: str, **variables: str) -> Iterator[str]:
    """``app.py`` as a person starts it, with these arguments and environment variables: its address."""
    # Of the bundles that this machine or an earlier test has installed, none.
    environment = {
        **os.environ,
        "GRADIO_TEMP_DIR": str(files),
        "LIGHTVOICE_BUNDLES": str(files / "bundles"),
        "XDG_DATA_HOME": str(files / "data"),
        **variables,
    }
    command = [sys.executable, "app.py", "--port", "0", *arguments]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    said: list[str] = []
    address: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:  # to the end, or the pipe fills up and the server stands still
            said.append(line)
            found = re.search(r"https?://[\w.\[\]:]+:\d+", line)
            if found and not address:
                address.append(found.group(0))
                ready.set()
        ready.set()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    ready.wait(START_S)
    try:
        assert address, "app.py did not come up:\n" + "".join(said)
        yield address[0]
    finally:
        process.terminate()
        process.wait(120)
        reader.join(60)
        assert process.stdout is not None
        process.stdout.close()
    if "Traceback" in "".join(said):
        pytest.fail("the server logged a traceback:\n" + "".join(said))  # the whole log, which an assertion would cut short


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``app.py`` on the embedded bundle."""
    with run_server(tmp_path_factory.mktemp("gradio")) as address:
        yield address


@pytest.fixture(scope="package")
def browser(chromium_path: str, microphone_wav: Path) -> Iterator[Any]:
    """One Chromium for all tests; its microphone plays the digits.

    Closed when this folder is done: while it is open Playwright keeps an event loop in this thread, and whatever calls
    ``asyncio.run`` in a later test fails.
    """
    with sync_api.sync_playwright() as playwright:
        flags = [*FLAGS, f"--use-file-for-fake-audio-capture={microphone_wav}"]
        chromium = playwright.chromium.launch(executable_path=chromium_path, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser: Any, server: str) -> Iterator[Callable[..., Any]]:
    """``open_page(locale=…, width=…)``: a fresh page on the server; its errors and its requests are watched.

    At the end of the test the server is in FP32 again, no page threw, and nothing was asked of another machine.
    """
    contexts: list[Any] = []
    thrown: list[str] = []
    outside: list[str] = []

    def watch(request: Any) -> None:
        if not request.url.startswith((server, "data:", "blob:")):
            outside.append(request.url)

    def make(*, locale: str = "en-US", width: int = 1280, height: int = 900, color_scheme: str = "light") -> Any:
        context = new_context(
            browser, locale=locale, viewport={"width": width, "height": height}, color_scheme=color_scheme, permissions=["microphone"]
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: thrown.append(str(error)))
        page.on("request", watch)
        page.goto(server)
        page.locator("#lv-light-status .lv-light-status").wait_for()
        page.locator("#lv-transcript .lv-empty").wait_for()
        return page

    yield make
    for context in contexts:
        for page in context.pages:
            if page.locator("#lv-light-status [data-on=true]").count():
                page.locator("#lv-light-switch input").click()
                page.locator("#lv-light-status [data-on=false]").wait_for()
        context.close()
    assert thrown == []
    assert outside == []


@pytest.fixture(scope="module")
def served(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Viewers]:
    """A page over transcripts that were never spoken, for all tests of a file."""
    with serve_viewers(browser, tmp_path_factory.mktemp("viewers")) as viewers:
        yield viewers


@pytest.fixture
def viewers(served: Viewers) -> Iterator[Viewers]:
    """The same for one test, whose pages are closed behind it; no script may have thrown."""
    yield served
    served.close()
    assert served.thrown == []
