"""What opening a graph costs in other forms than ours: with the runtime's optimizations done beforehand, and with its weights packed too.

    python -m benchmarks.opening BUNDLE [--precisions int8 fp32] [--rounds 5] [--json FILE]

``as shipped`` is the bundle's file. ``optimized`` is what ONNX Runtime makes of it when it is opened, saved by ONNX Runtime. ``packed``
holds the weights in the order in which this processor multiplies as well: they are mapped from the file and never copied. Each opening
is a fresh process, the forms alternating; the files are in the page cache. The other forms are written to a temporary folder first.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from benchmarks.command_line import figures_parser, markdown_table, run_in_process, write_figures
from engine.files.sizes import BYTES_PER_MB
from engine.runtime.session import SLOW_FUSIONS, keep_int8_exact, rss_mb

FORMS = ("as shipped", "optimized", "packed")
MIN_EXTERNAL_BYTES = 65_536
FRAMES = 50  # 3 s


def write_form(source: Path, target: Path, *, packed: bool) -> None:
    """Save what ONNX Runtime makes of a graph, its weights in ``<name>.data``."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.optimized_model_filepath = str(target)
    options.add_session_config_entry("session.optimized_model_external_initializers_file_name", f"{target.name}.data")
    options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", str(MIN_EXTERNAL_BYTES))
    options.add_session_config_entry("session.save_external_prepacked_constant_initializers", str(int(packed)))
    onnxruntime.InferenceSession(str(source), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(SLOW_FUSIONS))


def open_once(path: Path, *, optimize: bool) -> dict[str, float]:
    """Open a graph in this process and run it once: seconds of both, and how much RSS grew."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.enable_mem_pattern = 3, False
    keep_int8_exact(options)
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    feeds = {
        "speech": np.zeros((1, FRAMES, 560), np.float32),
        "language": np.zeros(1, np.int32),
        "textnorm": np.full(1, 15, np.int32),
    }
    before, started = rss_mb(), time.perf_counter()
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(SLOW_FUSIONS))
    opened = time.perf_counter()
    session.run(None, feeds)
    return {"open_s": opened - started, "first_run_s": time.perf_counter() - opened, "rss_mb": rss_mb() - before}


def _in_a_process(path: Path, *, optimize: bool) -> dict[str, float]:
    return run_in_process("-m", "benchmarks.opening", path, "--child", *([] if optimize else ["--no-optimize"]))


def _disk_mb(path: Path) -> float:
    return sum(file.stat().st_size for file in (path, path.with_name(f"{path.name}.data")) if file.exists()) / BYTES_PER_MB


def measure(graph: Path, folder: Path, *, rounds: int) -> dict[str, dict[str, float]]:
    """Medians of every form of one graph."""
    paths = {"as shipped": graph}
    for form in FORMS[1:]:
        paths[form] = folder / f"{form}.{graph.name}"
        write_form(graph, paths[form], packed=form == "packed")
    seen: dict[str, list[dict[str, float]]] = {form: [] for form in FORMS}
    for turn in range(rounds + 1):
        for form in FORMS if turn % 2 else reversed(FORMS):
            figures = _in_a_process(paths[form], optimize=form == "as shipped")
            if turn:  # the first one fills the page cache
                seen[form].append(figures)
    return {
        form: {name: statistics.median(one[name] for one in all_of) for name in all_of[0]} | {"disk_mb": _disk_mb(paths[form])}
        for form, all_of in seen.items()
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("opening", __doc__)
    parser.add_argument("path", type=Path, metavar="BUNDLE")
    parser.add_argument("--precisions", nargs="+", default=["int8", "fp32"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--no-optimize", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        print(json.dumps(open_once(arguments.path, optimize=not arguments.no_optimize)))
        return
    every: dict[str, Any] = {}
    rows = []
    for precision in arguments.precisions:
        with tempfile.TemporaryDirectory() as folder:
            every[precision] = measure(arguments.path.resolve() / f"asr.{precision}.onnx", Path(folder), rounds=arguments.rounds)
        for form, one in every[precision].items():
            times = f"{one['open_s']:.2f}", f"{one['first_run_s']:.2f}"
            rows.append((f"{precision}, {form}", *times, f"{one['rss_mb']:.0f}", f"{one['disk_mb']:.0f}"))
    print(markdown_table(("", "open, s", "first run, s", "RSS, MB", "on disk, MB"), rows))
    write_figures(arguments.json, every)


if __name__ == "__main__":
    main()
