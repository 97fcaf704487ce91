"""Item 1: mutated bundle files, with their sums corrected so that they are opened; a typed error each, and no crash.

ONNX Runtime parses graphs in native code, so each batch runs in a process of its own, whose death is counted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import multiprocessing
import random
import resource
import shutil
import tempfile
import time
from collections import Counter
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.waveform import Waveform
from engine.bundle import Bundle, survey_bundles
from engine.errors import LightVoiceError
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from tests.tiny_graphs import write_tiny_bundle
from tests.trust.mutations import mutated

HANG_S = 10.0
MOST_MB = 2_000
RECORDING = Waveform((np.sin(np.arange(24_000) * 0.2) * 0.3).astype(np.float32))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=7)


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(Path(folder), files=arguments.files, seed=arguments.seed)


def fuzz(folder: Path, *, files: int, seed: int) -> dict[str, Any]:
    """Open and run so many mutants: the figures. AssertionError for an untyped error or a hang; crashes are listed."""
    whole = write_tiny_bundle(folder / "whole")
    outcomes: Counter[str] = Counter()
    crashed: list[str] = []
    slowest_s = 0.0
    number = 0
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.trust.bundles"])
    started = time.monotonic()
    while number < files:
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_open_mutants, args=(whole, folder, seed, number, files, sender))
        process.start()
        sender.close()
        try:
            while True:
                assert receiver.poll(HANG_S + 20), f"mutant {number} hangs"
                outcome, took_s = receiver.recv()
                assert not outcome.startswith("untyped"), f"mutant {number}: {outcome}"
                assert took_s < HANG_S, f"mutant {number} took {took_s:.1f} s"
                outcomes[outcome] += 1
                slowest_s = max(slowest_s, took_s)
                number += 1
        except EOFError:
            process.join()
        if process.exitcode:
            crashed.append(f"{number}: exit {process.exitcode}")
            outcomes["crash of the process"] += 1
            number += 1
    return {
        "files": files,
        "outcomes": dict(outcomes.most_common()),
        "slowest_s": round(slowest_s, 2),
        "took_s": round(time.monotonic() - started, 1),
        "crashed": crashed,
    }


def _open_mutants(whole: Path, folder: Path, seed: int, first: int, end: int, sender: Connection) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MB << 20, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for number in range(first, end):
        started = time.monotonic()
        outcome = open_mutant(whole, folder / "mutant", random.Random(f"{seed}:{number}"))
        sender.send((outcome, time.monotonic() - started))


def open_mutant(whole: Path, place: Path, rng: random.Random) -> str:
    """Change one file of a copy, correct its sum, and use the bundle: what came of it in a word."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(whole, place)
    name = rng.choice(sorted(path.name for path in place.iterdir()))
    path = place / name
    others = [other.read_bytes() for other in sorted(whole.iterdir())]
    path.write_bytes(mutated(path.read_bytes(), others, rng))
    if name != "bundle.json":
        manifest = json.loads((place / "bundle.json").read_text(encoding="utf-8"))
        content = path.read_bytes()
        manifest["files"][name] = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        (place / "bundle.json").write_text(json.dumps(manifest), encoding="utf-8")
    return use(place)


def use(place: Path) -> str:
    """Load a bundle and transcribe with both precisions: "used", the name of a typed error, or "untyped: …"."""
    try:
        survey_bundles([place])
        engine = Engine(Bundle.load(place), threads=1)
        try:
            for precision in ("fp32", "int8"):
                engine.transcribe(RECORDING, TranscribeOptions(precision=precision))
        finally:
            engine.close()
    except LightVoiceError as error:
        return type(error).__name__ if "\n" not in str(error) else f"untyped: several lines: {error}"
    except Exception as error:  # noqa: BLE001 - this is what the fuzzer looks for
        return f"untyped: {type(error).__name__}: {error}"[:300]
    return "used"
