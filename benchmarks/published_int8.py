"""Published INT8 files at full size, imported: the same answers as in their own runtime, how large, how fast, and what importing costs.

``python -m benchmarks.published_int8 WORK [--size full|tiny] [--json FILE]``

WORK gets a random checkpoint, what sherpa-onnx and FunASR would publish of it (:mod:`benchmarks.published_files`), our own INT8 of it, and
a bundle imported of each published file: 6 GB while it is made, 2.5 GB that stay; what is there already is used. Two comparisons:

* as they run: the token ids of every frame, and those of frames whose margin exceeds 1e-3. A rounding that falls the other way moves all
  that follows, so the published graph is also compared with itself, run without ONNX Runtime's optimizations: nothing can agree better.
* with float activations (``models.export.lean.float_activations``): the weights alone, nothing rounds.

Times are processor seconds of one thread, the graphs in turns in one process; only their ratios mean something on a busy machine.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.command_line import figures_parser, write_figures
from benchmarks.published_files import publish_as_funasr, publish_as_sherpa
from engine.files.sizes import BYTES_PER_MB
from engine.runtime.session import SLOW_FUSIONS, keep_int8_exact
from models.export.assemble import add_dynamic_int8, assemble
from models.export.graph_file import MARGIN, open_for_check
from models.export.lean.float_activations import write_with_float_activations
from models.export.lean.graph_source import GraphSource
from models.networks.random_checkpoint import write_random_checkpoint

ROOT = Path(__file__).resolve().parent.parent
GRAPHS = {"sherpa": "model.int8.onnx", "funasr": "model_quant.onnx"}
LENGTHS = (1, 33, 167, 500)
ROUNDS, TIMED_FRAMES = 7, 167
ANSWERS = ("token_ids", "log_probs", "tag_probs")

Run = Callable[[NDArray[np.float32]], list[NDArray[Any]]]


def prepare(work: Path, *, size: str) -> None:
    """Make what is not there yet: checkpoint, published folders, our own bundle."""
    steps: Mapping[str, Callable[[Path], object]] = {
        "checkpoint": lambda path: write_random_checkpoint(path, size=size),
        "sherpa": lambda path: publish_as_sherpa(work / "checkpoint", path),
        "funasr": lambda path: publish_as_funasr(work / "checkpoint", path),
        "own": lambda path: _own(work / "checkpoint", path),
    }
    for name, make in steps.items():
        if not (work / name).exists():
            make(work / name)


def _own(checkpoint: Path, bundle: Path) -> None:
    """Our own export of a checkpoint, and our own INT8 of it."""
    assemble(checkpoint, bundle)
    add_dynamic_int8(bundle)


def import_measured(published: Path, bundle: Path) -> dict[str, float]:
    """Import a published folder in a process of its own: seconds, processor seconds, peak RSS in MB."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    command = [sys.executable, "-m", "models", "import", str(published), "--output", str(bundle)]
    subprocess.run(command, cwd=ROOT, check=True)  # noqa: S603 - our own program
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "seconds": time.perf_counter() - began,
        "processor_s": after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        "peak_rss_mb": after.ru_maxrss * 1024 / BYTES_PER_MB,  # of the largest child until now: the first import's is its own
    }


def published_run(session: Any) -> Run:
    """Logits of a published graph: (T, 560) -> [(1, T + 4, V)]."""
    names = [entry.name for entry in session.get_inputs()]

    def run(speech: NDArray[np.float32]) -> list[NDArray[Any]]:
        values = (speech[None], np.array([len(speech)], np.int32), np.array([4], np.int32), np.array([15], np.int32))
        return [session.run(None, dict(zip(names, values, strict=True)))[0]]

    return run


def bundle_run(session: Any) -> Run:
    """Answers of a bundle's graph: (T, 560) -> [token ids, log probabilities, tag probabilities]."""

    def run(speech: NDArray[np.float32]) -> list[NDArray[Any]]:
        fed = {"speech": speech[None], "language": np.array([4], np.int32), "textnorm": np.array([15], np.int32)}
        return list(session.run(ANSWERS, fed))

    return run


def agreement(theirs: Run, ours: Run, *, lengths: Sequence[int] = LENGTHS) -> dict[str, float]:
    """How far two graphs agree on random features: above ``equal_above_margin`` every id is the same. ``ours`` may answer in logits too."""
    frames = equal = clear = clear_equal = 0
    worst, total, differing = 0.0, 0.0, 0.0
    for length in lengths:
        speech = np.random.default_rng(length).standard_normal((length, 560)).astype(np.float32)
        ids, log_probs, margins = _best(theirs(speech)[0])
        answers = ours(speech)
        own_ids, own_log_probs = answers[:2] if len(answers) == len(ANSWERS) else _best(answers[0])[:2]
        same, sure = ids == own_ids, margins > MARGIN
        frames, equal = frames + same.size, equal + int(same.sum())
        clear, clear_equal = clear + int(sure.sum()), clear_equal + int((same & sure).sum())
        differing = max(differing, float(margins[~same].max(initial=0.0)))
        moved = np.abs(log_probs - own_log_probs)
        worst, total = max(worst, float(moved.max())), total + float(moved.sum())
    return {
        "frames": frames,
        "equal": equal,
        "clear": clear,
        "clear_equal": clear_equal,
        "equal_above_margin": differing,
        "log_prob_mean": total / frames,
        "log_prob_worst": worst,
    }


def _best(logits: NDArray[np.float32]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Token ids, their log probabilities, and how far the second best is behind."""
    top = np.partition(logits, -2, axis=-1)[..., -2:]
    total = np.log(np.exp(logits - top[..., 1:]).sum(axis=-1))
    return logits.argmax(axis=-1), -total, top[..., 1] - top[..., 0]


def one_thread(path: Path) -> Any:
    """A session of one thread, with the engine's choice of fusions."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 3
    keep_int8_exact(options)
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(SLOW_FUSIONS))


def times(runs: Mapping[str, Run], *, base: str) -> dict[str, dict[str, float]]:
    """Processor milliseconds of ten seconds of audio, in turns, and the median ratio to ``base`` of the same round."""
    speech = np.random.default_rng(0).standard_normal((TIMED_FRAMES, 560)).astype(np.float32)
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(ROUNDS + 1):
        for name, run in runs.items():
            began = time.process_time()
            run(speech)
            if turn:  # the first run allocates
                taken[name].append((time.process_time() - began) * 1000)
    ratios = {name: [own / other for own, other in zip(values, taken[base], strict=True)] for name, values in taken.items()}
    return {name: {"ms": statistics.median(values), f"to_{base}": statistics.median(ratios[name])} for name, values in taken.items()}


def measure(work: Path, name: str) -> dict[str, Any]:
    """One published file: imported, compared, weighed and timed."""
    graph, bundle = work / name / GRAPHS[name], work / f"imported-{name}"
    row: dict[str, Any] = {}
    if not bundle.exists():
        row["import"] = import_measured(work / name, bundle)
    ours = bundle / "asr.int8.onnx"
    row["mb"] = {label: GraphSource.open(path).size_bytes / BYTES_PER_MB for label, path in (("published", graph), ("imported", ours))}
    theirs = published_run(open_for_check(graph))
    row["as_they_run"] = agreement(theirs, bundle_run(open_for_check(ours)))
    row["published_unoptimized"] = agreement(theirs, published_run(open_for_check(graph, optimized=False)))
    with tempfile.TemporaryDirectory(dir=work) as place:
        pair = [
            open_for_check(write_with_float_activations(GraphSource.open(path), Path(place) / label), optimized=False)
            for label, path in (("theirs", graph), ("ours", ours))
        ]
        row["float_activations"] = agreement(published_run(pair[0]), bundle_run(pair[1]), lengths=LENGTHS[:3])
    own = work / "own" / "asr.int8.onnx"
    row["times"] = times(
        {
            "own": bundle_run(one_thread(own)),
            "imported": bundle_run(one_thread(ours)),
            "published": published_run(one_thread(graph)),
        },
        base="own",
    )
    return row


def main() -> int:
    """Measure both published files and print what was found."""
    parser = figures_parser("published_int8", __doc__)
    parser.add_argument("work", type=Path)
    parser.add_argument("--size", choices=("full", "tiny"), default="full")
    arguments = parser.parse_args()
    os.nice(10)
    arguments.work.mkdir(parents=True, exist_ok=True)
    prepare(arguments.work, size=arguments.size)
    figures = {name: measure(arguments.work, name) for name in GRAPHS}
    for name, row in figures.items():
        print(name)
        for subject, values in row.items():
            print(f"  {subject}: {values}")
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
