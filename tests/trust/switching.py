"""The lightweight switch and the bundle are changed all the time while callers ask: every answer is whole, and says what made it.

    python -m tests.trust switching [--callers 12] [--seconds 60]

Before anything is switched the recording is transcribed once on each session set (bundle and precision). Under load every answer
must be, to the last digit of its probabilities, that of the set which it names: an answer of mixed precision would be no set's.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from engine.bundle import Bundle
from engine.pipeline import Engine
from tests.starter_facts import DIGITS, STARTER
from tests.tiny_graphs import write_tiny_bundle
from ui.serve import build_app

PRECISIONS = ("fp32", "int8")
ANSWER_S = 300.0
SLOWEST = 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """How many callers, and for how long."""
    parser.add_argument("--callers", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=11)


@contextmanager
def _page_over(engine: Engine, files: Path) -> Iterator[str]:
    """The page in this process, so that the engine can be switched under it; its address."""
    os.environ["GRADIO_TEMP_DIR"] = str(files)
    server = uvicorn.Server(uvicorn.Config(build_app(engine, files=files), port=0, log_config=None, timeout_graceful_shutdown=5))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            thread.join(0.05)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(60)


def _asked(address: str, recording: bytes) -> dict[str, Any]:
    """One answer, without what differs from run to run."""
    form = {"response_format": "verbose_json"}
    answer = httpx.post(f"{address}/v1/audio/transcriptions", files={"file": ("a.flac", recording)}, data=form, timeout=ANSWER_S)
    values: dict[str, Any] = answer.raise_for_status().json()
    if answer.headers["x-lightvoice-model"] != values["model"]:
        raise AssertionError(f"header and body disagree: {answer.headers['x-lightvoice-model']}, {values['model']}")
    return values


class Callers:
    """Threads that ask until they are told to stop, and hold every answer against that of the set it names."""

    def __init__(self, address: str, expected: dict[str, dict[str, Any]]) -> None:
        self._address, self._expected = address, expected
        self.over = threading.Event()
        self._recording = DIGITS.read_bytes()
        self.answers: Counter[str] = Counter()
        self.faults: list[str] = []

    def ask(self) -> None:
        """One caller."""
        while not self.over.is_set():
            try:
                values = _asked(self._address, self._recording)
            except (httpx.HTTPError, AssertionError) as error:
                self.faults.append(f"{type(error).__name__}: {error}")
                return
            self.answers[values["model"]] += 1
            if values != self._expected[values["model"]]:
                self.faults.append(f"an answer of {values['model']} is not what that set gives")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Figures; AssertionError where a request failed or an answer was no session set's."""
    chance = random.Random(arguments.seed)
    with tempfile.TemporaryDirectory(prefix="lightvoice-switching-") as place:
        folder = Path(place)
        bundles = [Bundle.load(STARTER), Bundle.load(write_tiny_bundle(folder / "tiny"))]
        engine = Engine(bundles[0], threads=1)
        (folder / "files").mkdir()
        switches: Counter[str] = Counter()
        with _page_over(engine, folder / "files") as address:
            expected = {}
            for bundle in bundles:
                engine.switch(bundle)
                for precision in PRECISIONS:
                    engine.set_lightweight(precision == "int8")
                    values = _asked(address, DIGITS.read_bytes())
                    expected[values["model"]] = values
            callers = Callers(address, expected)
            threads = [threading.Thread(target=callers.ask) for _ in range(arguments.callers)]
            for thread in threads:
                thread.start()
            began_s = time.monotonic()
            # On a slow machine for longer: a set that nobody ran on proves nothing.
            while (past_s := time.monotonic() - began_s) < arguments.seconds or (
                len(callers.answers) < len(expected) and past_s < SLOWEST * arguments.seconds
            ):
                time.sleep(chance.uniform(0.02, 0.5))
                if chance.random() < 0.3:  # a switch of bundles takes longer
                    later = next(bundle for bundle in bundles if bundle.name != engine.bundle.name)
                    engine.switch(later)
                    switches["bundle"] += 1
                else:
                    engine.set_lightweight(not engine.lightweight)
                    switches["lightweight"] += 1
            callers.over.set()
            for thread in threads:
                thread.join(ANSWER_S)
        engine.close()
    different = len({str({**values, "model": ""}) for values in expected.values()})
    report = {
        "callers": arguments.callers,
        "seconds": arguments.seconds,
        "switches": dict(switches),
        "answers_by_set": dict(callers.answers),
        "sets_that_differ": different,
        "failed_or_mixed": len(callers.faults),
    }
    if callers.faults or different != len(bundles) * len(PRECISIONS) or len(callers.answers) != len(expected):
        raise AssertionError(f"{report} faults: {callers.faults[:5]}")
    return report
