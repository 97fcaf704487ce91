"""Item 1: thousands of mutated recordings through the decoder that the server uses; no crash of it, no hang, bounded memory.

A worker process may crash: that is what it is for, and how often it happens is a figure. The files that made it crash are kept
with ``--keep``.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from engine.audio import Waveform
from engine.decoder import Decoder
from engine.errors import AudioDecodeError, AudioError, DecoderCrashedError, DecoderLimitError
from tests.trust.corpus import write_corpus
from tests.trust.mutations import mutated

HANG_S = 10.0
#: Longest recording that a file of the fuzzer's may decode to.
LONGEST_S = 600.0
#: The server's own memory may grow by this much: one recording of LONGEST_S, and what the allocator keeps.
MOST_GROWTH_MB = 100.0


@dataclass
class Tally:
    """What came of the files so far."""

    outcomes: Counter[str] = field(default_factory=Counter)
    unforeseen: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    worker_mb: float = 0.0
    crashed: list[str] = field(default_factory=list)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="keep files here that crashed a worker or hit a limit")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(Path(folder), files=arguments.files, seed=arguments.seed, keep=arguments.keep)


def fuzz(folder: Path, *, files: int, seed: int, keep: Path | None = None) -> dict[str, Any]:
    """Decode so many mutants: the figures. AssertionError for a hang, an untyped error or memory out of bounds."""
    seeds = write_corpus(folder / "corpus")
    contents = [path.read_bytes() for path in seeds]
    decoder, tally = Decoder(), Tally()
    for path in seeds:
        assert isinstance(decoder.load(path), Waveform), path
    decoder.load(seeds[0])
    server = psutil.Process()
    before_mb = server.memory_info().rss / 1e6
    started = time.monotonic()
    for number in range(files):
        rng = random.Random(f"{seed}:{number}")
        which = rng.randrange(len(seeds))
        # Also under a name that promises something else.
        name = seeds[which].name if rng.random() < 0.8 else rng.choice(seeds).name
        path = folder / f"{number}-{name}"
        path.write_bytes(mutated(contents[which], contents, rng))
        try_one(decoder, path, tally)
        if keep is not None and path.name in tally.crashed:
            keep.mkdir(parents=True, exist_ok=True)
            path.rename(keep / path.name)
        path.unlink(missing_ok=True)
    grown_mb = server.memory_info().rss / 1e6 - before_mb
    decoder.close()
    assert grown_mb < MOST_GROWTH_MB, f"the server grew by {grown_mb:.0f} MB"
    assert tally.worker_mb < decoder.limits.memory_mb
    return {
        "files": files,
        "seeds": len(seeds),
        "outcomes": dict(tally.outcomes.most_common()),
        "unforeseen": dict(tally.unforeseen),
        "slowest_s": round(tally.slowest_s, 2),
        "worker_peak_mb": round(tally.worker_mb, 1),
        "server_grew_mb": round(grown_mb, 1),
        "took_s": round(time.monotonic() - started, 1),
        "crashed": tally.crashed,
    }


def try_one(decoder: Decoder, path: Path, tally: Tally) -> None:
    """Decode one file and note what came of it; anything but a waveform or an AudioError is raised."""
    started = time.monotonic()
    try:
        outcome = "decoded" if decoder.load(path, max_duration_s=LONGEST_S).duration_s <= LONGEST_S else "too long"
    except AudioError as error:
        outcome = type(error).__name__
        message = str(error)
        assert path.name in message or "no such" in message, f"{outcome} does not name the file: {message}"
        assert "\n" not in message
        if isinstance(error, DecoderCrashedError | DecoderLimitError):
            tally.crashed.append(path.name)
        elif type(error) is AudioDecodeError and "the decoder failed with" in message:
            tally.unforeseen[message.partition("failed with ")[2].partition(")")[0]] += 1
    took_s = time.monotonic() - started
    tally.outcomes[outcome] += 1
    tally.slowest_s = max(tally.slowest_s, took_s)
    assert took_s < HANG_S, f"{path.name} took {took_s:.1f} s"
    for child in psutil.Process().children():
        try:
            tally.worker_mb = max(tally.worker_mb, child.memory_info().rss / 1e6)
        except psutil.NoSuchProcess:
            continue  # it has just crashed
