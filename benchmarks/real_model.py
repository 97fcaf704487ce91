"""From the press of *Get the real model* to the first transcript, at full size: seconds beside the download's own, and memory.

    python -m benchmarks.real_model WORK --vad FOLDER --recording FILE [--python PYTHON] [--mb-per-s 50] [--json FILE]

WORK/sherpa is a random checkpoint as sherpa-onnx publishes the model (``python -m benchmarks.published_int8 WORK`` makes it), FOLDER holds
FSMN-VAD as ``funasr/fsmn-vad-onnx`` does. Both are served on loopback in the way of Hugging Face, the large file no faster than
``--mb-per-s``; the page is served by ``--python``, which may be that of a light install, and pressed in Chromium. The recording is in the
queue before the press, and is transcribed when the new model is open. The download's own time is what the hub took to send the files.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

import psutil
from playwright.sync_api import expect, sync_playwright

from benchmarks.command_line import figures_parser, print_bar, write_figures
from engine.bundle_roots import ROOT
from engine.files.sizes import BYTES_PER_MB
from models.fetch.catalog import CATALOG, Source
from tests.browser.steps import drop, run
from tests.models.fetch.hub_double import HubDouble, serve_hub

JOB_MS = 600_000
SECONDS_BAR, RSS_BAR_MB = 25.0, 1200.0


class ProcessTree:
    """The memory of a process and of its children, looked at twenty times a second."""

    def __init__(self, pid: int) -> None:
        self.peak_mb: dict[str, float] = {}
        self._process = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """No more looks."""
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.05):
            try:
                server = self._process.memory_info().rss
                jobs = sum(child.memory_info().rss for child in self._process.children(recursive=True))
            except psutil.Error:  # a child that ended between the two questions
                continue
            for name, value in (("server", server), ("children", jobs), ("together", server + jobs)):
                self.peak_mb[name] = max(self.peak_mb.get(name, 0.0), value / BYTES_PER_MB)


@contextmanager
def served(python: str, files: Path, hub: HubDouble) -> Iterator[tuple[str, int]]:
    """The page on a port of its own, its caches in ``files``: its address and its process."""
    homes = {name: str(files / "home") for name in ("HF_HOME", "MODELSCOPE_CACHE", "XDG_CACHE_HOME")}
    hubs = {"HF_ENDPOINT": hub.url, "MODELSCOPE_ENDPOINT": "http://127.0.0.1:9", "NO_PROXY": "*"}
    own = {"GRADIO_TEMP_DIR": str(files / "gradio"), "LIGHTVOICE_BUNDLES": str(files / "bundles")}
    command = [python, "app.py", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | homes | hubs | own, stderr=subprocess.PIPE, text=True)  # noqa: S603
    lines = cast("IO[str]", process.stderr)
    try:
        address = next(found.group() for line in lines if (found := re.search(r"http://[\w.:]+", line)))
        threading.Thread(target=lines.read, daemon=True).start()
        yield address, process.pid
    finally:
        process.terminate()
        process.wait(30)


def press(address: str, recording: Path, chromium: str) -> dict[str, float]:
    """Seconds from the press until the model is open, and until its first transcript is there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page: Any = browser.new_page()
        page.goto(address)
        page.locator("#lv-transcript .lv-empty").wait_for()
        drop(page, recording)
        began = time.perf_counter()
        page.locator("#lv-real-get").click()
        expect(page.locator("#lv-real .lv-job[data-state=done]")).to_be_visible(timeout=JOB_MS)
        opened = time.perf_counter()
        run(page)
        expect(page.locator("#lv-transcript .lv-summary")).to_contain_text("sensevoice-small", timeout=JOB_MS)
        answered = time.perf_counter()
        browser.close()
    return {"opened_s": opened - began, "transcript_s": answered - began}


def measure(options: argparse.Namespace) -> dict[str, float]:
    """One press on a fresh server: seconds, MB downloaded, and peak memory."""
    origin = CATALOG["sensevoice-small-int8"].origins[Source.HUGGINGFACE]
    vad = {"model.onnx": "model.onnx", "am.mvn": "am.mvn", "config.yaml": "config.yaml"}
    repositories = {
        origin.asr.repo: {name: (options.work / "sherpa" / name).read_bytes() for name in origin.asr.files},
        origin.vad.repo: {name: (options.vad / source).read_bytes() for name, source in vad.items()},
    }
    with tempfile.TemporaryDirectory() as folder, serve_hub(repositories) as hub:
        hub.mb_per_s = options.mb_per_s
        with served(options.python, Path(folder), hub) as (address, pid):
            tree = ProcessTree(pid)
            try:
                figures = press(address, options.recording, options.chromium)
            finally:
                tree.close()
        downloaded_mb = sum(len(content) for files in repositories.values() for content in files.values()) / BYTES_PER_MB
        figures |= {"downloaded_mb": downloaded_mb, "sending_s": hub.sending_s}
    figures["beside_the_download_s"] = figures["transcript_s"] - figures["sending_s"]
    return figures | {f"peak_rss_{name}_mb": value for name, value in tree.peak_mb.items()}


def main() -> None:
    """See the module."""
    parser = figures_parser("real_model", __doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--vad", type=Path, required=True, metavar="FOLDER", help="model.onnx, am.mvn and config.yaml of FSMN-VAD")
    parser.add_argument("--recording", type=Path, required=True, metavar="FILE", help="what is transcribed")
    parser.add_argument("--python", default=sys.executable, help="the interpreter that serves the page")
    parser.add_argument("--mb-per-s", type=float, default=50.0, help="how fast the hub sends")
    parser.add_argument("--chromium", default=shutil.which("chromium"), help="the browser's program")
    options = parser.parse_args()
    figures = measure(options)
    for name, value in figures.items():
        print(f"{name:26}{value:10.1f}")
    print_bar("press to first transcript without the download, s", figures["beside_the_download_s"], SECONDS_BAR)
    print_bar("peak RSS of what converts, MB", figures["peak_rss_children_mb"], RSS_BAR_MB)
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
