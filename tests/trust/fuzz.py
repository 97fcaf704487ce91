"""Item 1: thousands of mutated recordings through the decoder that the server uses; no crash of it, no hang, bounded memory.

A worker process may crash: that is what it is for, and how often it happens is a figure. The files that made it crash are kept
with ``--keep``. What is refused is given to the ``ffmpeg`` of this machine, where there is one: nothing may be refused of which
it reads nearly all.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform
from engine.errors import AudioDecodeError, AudioError, AudioTooLongError, DecoderCrashedError, DecoderLimitError, SampleRateError
from tests.trust.corpus import SEED_S, write_corpus
from tests.trust.mutations import mutated

HANG_S = 10.0
#: How much of a seed's length the reference must make of a file to have read it: far more is noise, from another format.
NEARLY_ALL, TOO_MUCH = 0.9, 4
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
    warned: Counter[str] = field(default_factory=Counter)
    #: Refused, and how much of them the reference reads.
    refused: list[str] = field(default_factory=list)
    compared: int = 0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--keep", type=Path, help="keep files here that crashed a worker, hit a limit, or were refused and are readable")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return fuzz(Path(folder), files=arguments.files, seed=arguments.seed, keep=arguments.keep)


def fuzz(folder: Path, *, files: int, seed: int, keep: Path | None = None) -> dict[str, Any]:
    """Decode so many mutants: the figures. AssertionError for a hang, an untyped error or memory out of bounds."""
    seeds = write_corpus(folder / "corpus")
    contents = [path.read_bytes() for path in seeds]
    reference = shutil.which("ffmpeg")
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
        error = try_one(decoder, path, tally)
        if error is not None and reference is not None:
            compare(reference, path, error, tally)
        if keep is not None and path.name in (*tally.crashed, *tally.refused):
            keep.mkdir(parents=True, exist_ok=True)
            path.rename(keep / path.name)
        path.unlink(missing_ok=True)
    grown_mb = server.memory_info().rss / 1e6 - before_mb
    decoder.close()
    assert grown_mb < MOST_GROWTH_MB, f"the server grew by {grown_mb:.0f} MB"
    assert tally.worker_mb < decoder.limits.memory_mb
    figures = {
        "files": files,
        "seeds": len(seeds),
        "outcomes": dict(tally.outcomes.most_common()),
        "unforeseen": dict(tally.unforeseen),
        "warned": dict(tally.warned.most_common()),
        "refused_compared": tally.compared,
        "refused_but_readable": tally.refused,
        "slowest_s": round(tally.slowest_s, 2),
        "worker_peak_mb": round(tally.worker_mb, 1),
        "server_grew_mb": round(grown_mb, 1),
        "took_s": round(time.monotonic() - started, 1),
        "crashed": tally.crashed,
    }
    assert not tally.refused, f"refused, though nearly all of them can be read: {figures}"
    return figures


def _sound_s(content: bytes) -> float:
    """How long samples of 16 bits are not nothing but zeros: a decoder that fails may hand out the buffer that it did not fill."""
    size = SAMPLE_RATE_HZ // 100
    samples = np.frombuffer(content[: len(content) // (2 * size) * 2 * size], "<i2").reshape(-1, size)
    return float(np.count_nonzero(samples.any(axis=1))) / 100


def try_one(decoder: Decoder, path: Path, tally: Tally) -> AudioError | None:
    """Decode one file and note what came of it: -> why it was refused; anything but a waveform or an AudioError is raised."""
    started = time.monotonic()
    refusal = None
    try:
        waveform = decoder.load(path, max_duration_s=LONGEST_S)
        outcome = "decoded" if waveform.duration_s <= LONGEST_S else "too long"
        tally.warned.update({warning.type.value for warning in waveform.warnings} or {"nothing"})
    except AudioError as error:
        refusal = error
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
    return refusal


def compare(reference: str, path: Path, error: AudioError, tally: Tally) -> None:
    """Note a refused file of which the reference reads nearly all; limits that we set on purpose are no such refusals."""
    if isinstance(error, SampleRateError | AudioTooLongError):
        return
    tally.compared += 1
    command = [reference, "-nostdin", "-v", "quiet", "-t", str(LONGEST_S), "-i", str(path), "-map", "0:a:0"]
    with suppress(subprocess.TimeoutExpired):
        done = subprocess.run([*command, "-f", "s16le", "-ac", "1", "-ar", "16000", "-"], capture_output=True, timeout=HANG_S, check=False)
        if NEARLY_ALL * SEED_S <= _sound_s(done.stdout) <= TOO_MUCH * SEED_S:
            tally.refused.append(path.name)
