"""Size, cold start, latency, CPU and memory of bundles: each precision in a fresh process, round after round.

Other work on a machine comes and goes, so a round runs every precision once, and ratios are taken within a round. What a
process measures is in :mod:`models.benchmark.child`, what the figures say in :mod:`models.benchmark.result`, tables and plots in
:mod:`models.benchmark.report`.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import msgspec
import numpy as np
from msgspec.structs import replace

from engine.bundle import Bundle
from engine.errors import OptionError, OptionRangeError, ProviderUnavailableError
from engine.files.sizes import BYTES_PER_MB
from engine.runtime.cores import default_threads
from engine.runtime.session import DEVICES
from models.benchmark.child import FIRST_S, VAD_S, WHOLE_S, Measure, Outcome, Task
from models.benchmark.clip import SYNTHETIC, clip_samples
from models.benchmark.machine import this_machine
from models.benchmark.process_meter import package_temperature_c
from models.benchmark.result import BenchmarkResult, Row
from models.jobs import progress

log = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[2]
DURATIONS_S = (3.0, 5.0, 10.0, 30.0)
REPEATS = 7
#: Medians need more than one process; with two they are means, and each further one costs a full pass.
ROUNDS = 2
#: SenseVoice-Small reads at most this much in one piece; the engine cuts at 30 s.
LONGEST_S = 60.0
CHILD_LIMIT_S = 1800.0
NO_SOAK = "no soak run was asked for"
NO_SENSOR = "this machine shows no processor temperature (psutil.sensors_temperatures)"


class NothingToMeasureError(OptionError):
    """No bundle, or none with a precision for the device."""


@dataclass
class _Target:
    """One precision of one bundle, and what has been measured of it so far."""

    bundle: Bundle
    precision: str
    rounds: list[dict[str, float]] = field(default_factory=list)
    soak: Mapping[str, float] | None = None
    soak_note: str = NO_SOAK
    error: str | None = None

    def __str__(self) -> str:
        return f"{self.bundle.name} {self.precision}"

    def size_figures(self) -> dict[str, float]:
        """Megabytes on disk: ASR, VAD, both."""
        files, sizes = self.bundle.variant(self.precision), self.bundle.sizes(self.precision)
        asr, vad = (sum(sizes.get(name, 0) for name in (graph, f"{graph}.data")) / BYTES_PER_MB for graph in (files.asr, files.vad))
        return {"asr_mb": asr, "vad_mb": vad, "both_mb": sum(sizes.values()) / BYTES_PER_MB}

    def row(self) -> Row:
        """What is known of it now."""
        return Row(
            bundle=self.bundle.name,
            folder=str(self.bundle.folder),
            precision=self.precision,
            files=self.bundle.sizes(self.precision),
            rounds=tuple(self.rounds),
            soak=self.soak,
            soak_note=self.soak_note,
            error=self.error,
        )


def benchmark(  # noqa: PLR0913 - the command's options, keyword-only
    bundles: Sequence[Path],
    *,
    precisions: Sequence[str] | None = None,
    durations_s: Sequence[float] = DURATIONS_S,
    repeats: int = REPEATS,
    rounds: int = ROUNDS,
    soak_s: float = 0.0,
    threads: int | None = None,
    device: str = "cpu",
    audio: Path | None = None,
) -> BenchmarkResult:
    """Measure ``precisions`` of each bundle (all that suit the device, if none are named), one after the other, ``rounds`` times.

    ``audio`` is what is recognized (default: :func:`models.benchmark.clip.synthetic_speech`); ``soak_s`` seconds of work in each
    precision follow where the machine has a temperature sensor. A precision that cannot be measured keeps its error, the others go
    on. Raises OptionRangeError, UnknownPrecisionError, NothingToMeasureError, and the errors of bundles and audio before anything runs.
    """
    threads = threads or default_threads()
    _check(durations_s, repeats=repeats, rounds=rounds, soak_s=soak_s, threads=threads, device=device)
    targets = _targets(bundles, precisions, device=device)
    samples = clip_samples(audio, duration_s=max(*durations_s, FIRST_S, VAD_S, WHOLE_S))
    with tempfile.TemporaryDirectory(prefix="lightvoice-benchmark-") as temporary:
        folder = Path(temporary)
        np.save(folder / "clip.npy", samples)
        common = Task(
            measure=Measure.ENGINE,
            bundle="",
            precision="",
            clip=str(folder / "clip.npy"),
            result=str(folder / "figures.json"),
            device=device,
            threads=threads,
            durations_s=tuple(float(duration) for duration in durations_s),
            repeats=repeats,
            soak_s=soak_s,
            started_s=0.0,
        )
        _measure(targets, common, rounds=rounds)
    return BenchmarkResult(
        machine=this_machine(),
        device=device,
        threads=threads,
        durations_s=common.durations_s,
        repeats=repeats,
        rounds=rounds,
        soak_s=soak_s,
        clip=SYNTHETIC if audio is None else audio.name,
        rows=tuple(target.row() for target in targets),
    )


def _check(durations_s: Sequence[float], *, repeats: int, rounds: int, soak_s: float, threads: int, device: str) -> None:
    if not durations_s:
        raise NothingToMeasureError("no durations were given; name at least one, such as 10")
    limits = [("duration", duration, 0.1, LONGEST_S) for duration in durations_s]
    limits += [("repeats", repeats, 1, 1000), ("rounds", rounds, 2, 100), ("soak", soak_s, 0, 86_400), ("threads", threads, 1, 1024)]
    for name, value, lowest, highest in limits:
        if not lowest <= value <= highest:
            raise OptionRangeError(name=name, value=value, lowest=lowest, highest=highest)
    if device not in DEVICES:
        raise ProviderUnavailableError(device=device, reason=f"choose one of {', '.join(DEVICES)}")


def _targets(bundles: Sequence[Path], precisions: Sequence[str] | None, *, device: str) -> list[_Target]:
    """Every precision to measure; bundles are read and verified here, so that no process does it."""
    targets = []
    for folder in dict.fromkeys(Path(bundle).absolute() for bundle in bundles):
        bundle = Bundle.load(folder)
        for name in dict.fromkeys(bundle.precisions_for(device) if precisions is None else precisions):
            bundle.variant(name)
            targets.append(_Target(bundle, name))
    if not targets:
        raise NothingToMeasureError("nothing to measure; name at least one bundle folder and one of its precisions")
    return targets


def _measure(targets: Sequence[_Target], common: Task, *, rounds: int) -> None:
    """Run all processes; what they found is noted in the targets."""
    steps: list[tuple[str, Callable[[], None]]] = []
    for number in range(1, rounds + 1):
        steps += [(f"{target}, round {number} of {rounds}", partial(_round, target, common)) for target in targets]
    if common.soak_s > 0:
        steps += [(f"{target}, soak", partial(_soak, target, common)) for target in targets]
    started_s = time.monotonic()
    for index, (text, step) in enumerate(steps):
        left_s = (time.monotonic() - started_s) / index * (len(steps) - index) if index and not common.soak_s else None
        progress.report(index / len(steps), text, left_s)
        step()
    progress.report(1.0, "measured")


def _round(target: _Target, common: Task) -> None:
    """Both measures of a precision once; a precision that failed is not tried again."""
    figures = target.size_figures()
    for measure in (Measure.ENGINE, Measure.VAD):
        if target.error is None:
            found, target.error = _run(target, common, measure)
            figures |= found
    if target.error is None:
        target.rounds.append(figures)


def _soak(target: _Target, common: Task) -> None:
    if package_temperature_c() is None:
        target.soak_note = NO_SENSOR
    elif target.error is None:
        found, error = _run(target, common, Measure.SOAK)
        target.soak, target.soak_note = (found, "") if error is None else (None, error)


def _run(target: _Target, common: Task, measure: Measure) -> tuple[dict[str, float], str | None]:
    """One process: its figures, or why there are none."""
    result = Path(common.result)
    result.unlink(missing_ok=True)
    task = replace(common, measure=measure, bundle=str(target.bundle.folder), precision=target.precision, started_s=time.monotonic())
    command = [sys.executable, "-m", "models.benchmark.child", msgspec.json.encode(task).decode()]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))}
    limit_s = CHILD_LIMIT_S + common.soak_s
    try:
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", errors="replace", check=False, timeout=limit_s, env=environment
        )
    except subprocess.TimeoutExpired:
        return {}, f"it did not finish within {limit_s:.0f} s"
    outcome = msgspec.json.decode(result.read_bytes(), type=Outcome) if result.exists() else Outcome()
    if done.returncode == 0 and outcome.figures is not None:
        return outcome.figures, None
    lines = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    how = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with {done.returncode}"
    error = outcome.error or f"its process {how}: {lines[-1] if lines else 'it wrote nothing'}"
    log.warning("%s: %s", target, error)
    return {}, error
