"""Item 4: kill -9 at random moments of fetch, export, quantize and batch transcription; the next run goes on from what is whole.

The jobs run in forks of a process that has imported everything, so that the moments fall into the work and not into imports.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import multiprocessing
import random
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.bundle import Bundle
from tests.starter_facts import DIGITS

ROOT = Path(__file__).resolve().parent.parent.parent
RECORDINGS = 12
#: A run that is not done by then hangs.
LIMIT_S = 300.0
PRELOAD = [
    "tests.trust.death",
    "app",
    "models.export.assemble",
    "models.fetch.fetch",
    "models.export.import_folder",
    "models.quantize.recipes",
    "onnxruntime",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=50, help="of each job (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--job", choices=sorted(JOBS), action="append", help="these alone")


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {name: survive(name, Path(folder), kills=arguments.kills, seed=arguments.seed) for name in arguments.job or sorted(JOBS)}


class Job:
    """Something to be killed; the attributes say what must hold whenever it was."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def prepare(self) -> None:
        """Once."""

    def reset(self) -> None:
        """Before a job that starts anew."""

    def work(self) -> None:
        """The job, in a process of its own."""
        raise NotImplementedError

    def check(self) -> int:
        """AssertionError for anything half under a final name: -> a measure of what is done."""
        raise NotImplementedError

    def is_done(self) -> bool:
        raise NotImplementedError


class Batch(Job):
    """``app.py transcribe`` of some files into a folder."""

    def prepare(self) -> None:
        self.recordings = [self.folder / f"{number}.flac" for number in range(RECORDINGS)]
        for path in self.recordings:
            shutil.copy(DIGITS, path)
        self.expected = ""
        self.seen: dict[str, int] = {}

    def reset(self) -> None:
        shutil.rmtree(self.folder / "out", ignore_errors=True)
        self.seen = {}

    def work(self) -> None:
        import app

        code = app.main(
            ["transcribe", *map(str, self.recordings), "--output-dir", str(self.folder / "out"), "--precision", "int8", "--format", "srt"]
        )
        assert code == 0

    def check(self) -> int:
        done = [path for path in (self.folder / "out").glob("*.srt") if not path.name.startswith(".")]
        for path in done:
            text = path.read_text(encoding="utf-8")
            self.expected = self.expected or text
            assert text == self.expected, f"{path.name} is not whole"
            now = path.stat().st_mtime_ns
            assert self.seen.setdefault(path.name, now) == now, f"{path.name} was done again"
        return len(done)

    def is_done(self) -> bool:
        return self.check() == RECORDINGS


class Quantize(Job):
    """``python -m models quantize --recipe dynamic`` of a bundle that has the variant already, or not."""

    def prepare(self) -> None:
        from tests.tiny_graphs import write_tiny_bundle

        self.whole = write_tiny_bundle(self.folder / "whole")

    def reset(self) -> None:
        shutil.rmtree(self.folder / "bundle", ignore_errors=True)
        shutil.copytree(self.whole, self.folder / "bundle")

    def work(self) -> None:
        from models.quantize.recipe_names import RecipeName
        from models.quantize.recipes import QuantizeOptions
        from models.quantize.recipes import run as quantize

        quantize(QuantizeOptions(bundle=self.folder / "bundle", recipe=RecipeName.DYNAMIC))

    def check(self) -> int:
        bundle = Bundle.load(self.folder / "bundle")  # every sum is verified
        assert "fp32" in bundle.variants
        return len(bundle.variants)

    def is_done(self) -> bool:
        bundle = Bundle.load(self.folder / "bundle")
        left = [path.name for path in bundle.folder.iterdir() if path.name.startswith(".") or path.name.endswith(".partial")]
        assert left == [], left
        return "int8" in bundle.variants and "int8" in bundle.recipes


class Export(Job):
    """``python -m models export`` of a small random checkpoint."""

    def prepare(self) -> None:
        from models.networks.random_checkpoint import write_random_checkpoint

        write_random_checkpoint(self.folder / "checkpoint", size="tiny")

    @property
    def bundle(self) -> Path:
        return self.folder / "bundles" / "made"

    def reset(self) -> None:
        shutil.rmtree(self.folder / "bundles", ignore_errors=True)

    def work(self) -> None:
        import torch

        from models.export.assemble import add_dynamic_int8, assemble

        torch.set_num_threads(1)
        if not self.bundle.exists():
            assemble(self.folder / "checkpoint", self.bundle)
        add_dynamic_int8(self.bundle)

    def check(self) -> int:
        return len(Bundle.load(self.bundle).variants) if self.bundle.exists() else 0

    def is_done(self) -> bool:
        done = self.check() == 2
        left = [path.name for path in self.bundle.parent.iterdir() if path != self.bundle] if done else []
        assert left == [], left
        return done


class Fetch(Job):
    """A download from a hub on loopback that sends slowly."""

    CONTENT = random.Random(3).randbytes(3_000_000)
    PIECE = 100_000

    def reset(self) -> None:
        shutil.rmtree(self.folder / "downloads", ignore_errors=True)
        self.most = 0

    @property
    def target(self) -> Path:
        return self.folder / "downloads" / "model.pt"

    def work(self) -> None:
        from models.fetch.resumable import bring

        @contextlib.contextmanager
        def open_at(place: int):
            def pieces():
                for start in range(place, len(self.CONTENT), self.PIECE):
                    time.sleep(0.01)
                    yield self.CONTENT[start : start + self.PIECE]

            yield place, pieces()

        bring(open_at, self.target, size_bytes=len(self.CONTENT), version="v1", on_bytes=lambda _: None, lost=(ConnectionError,))

    def check(self) -> int:
        if self.target.exists():
            assert hashlib.sha256(self.target.read_bytes()).digest() == hashlib.sha256(self.CONTENT).digest()
            return len(self.CONTENT)
        held = sum(path.stat().st_size for path in self.target.parent.glob("*.partial")) if self.target.parent.exists() else 0
        assert held >= self.most, "what had come was lost"
        self.most = held
        return held

    def is_done(self) -> bool:
        return self.target.exists()


JOBS: dict[str, type[Job]] = {"batch": Batch, "quantize": Quantize, "export": Export, "fetch": Fetch}


def _in_a_process(work: Callable[[], None]) -> None:
    with contextlib.redirect_stderr(io.StringIO()):
        work()


def survive(name: str, folder: Path, *, kills: int, seed: int) -> dict[str, Any]:
    """Kill a job so many times, checking after each, and let it come to its end whenever it does: the figures."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOAD)
    job = JOBS[name](folder / name)
    job.folder.mkdir()
    job.prepare()
    job.reset()
    rng = random.Random(f"{seed}:{name}")
    _whole(context, job)  # the first one also waits for the imports
    job.reset()
    took_s = _whole(context, job)
    job.check()
    killed = finished = resumed = 0
    job.reset()
    while killed < kills:
        before = job.check() if name != "quantize" else 0
        process = context.Process(target=_in_a_process, args=(job.work,))
        process.start()
        process.join(rng.uniform(0, took_s))
        if process.exitcode is None:
            process.kill()
            killed += 1
        process.join()
        assert process.exitcode in (0, -9), f"{name} failed after a kill with {process.exitcode}"
        job.check()
        resumed += bool(before)
        if process.exitcode == 0:
            assert job.is_done(), f"{name} ended without its result"
            finished += 1
            job.reset()
    _whole(context, job)
    return {"kills": killed, "runs_to_the_end": finished + 1, "runs_that_found_something": resumed, "one_run_s": round(took_s, 2)}


def _whole(context: Any, job: Job) -> float:
    started = time.monotonic()
    process = context.Process(target=_in_a_process, args=(job.work,))
    process.start()
    process.join(LIMIT_S)
    assert process.exitcode == 0, f"{type(job).__name__} ended with {process.exitcode}"
    assert job.is_done()
    return time.monotonic() - started
