"""The plan of cores as a table: what a clip costs where as many runs compute side by side as a session has threads.

    python -m benchmarks.cores BUNDLE [--precision int8] [--plans 1 2 4 8 16] [--frames 50 167] [--runs 6] [--json FILE]
    taskset -c 0 python -m benchmarks.cores BUNDLE …      the same on one core

Processor time of a clip is measured for every plan, however few cores there are: work that is split for sixteen threads and done by one of
them costs what it costs on sixteen cores, but for what those would take from each other's memory. Clips a second are a model for more
cores than there are (cores ÷ processor time), and measured for those that there are.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.command_line import figures_parser, markdown_table, write_figures
from engine.bundle import Bundle
from engine.runtime.core_plan import CorePlan
from engine.runtime.core_slots import CoreSlots
from engine.runtime.session import Session, rss_mb
from engine.runtime.session_pool import open_session
from models.benchmark.machine import this_machine

FEATURE_DIM = 560
OUTPUTS = ("token_ids", "log_probs", "tag_probs")


def clip(frames: int, bundle: Bundle) -> dict[str, Any]:
    """The inputs of one run over so many frames of noise."""
    speech = np.random.default_rng(0).normal(size=(1, frames, FEATURE_DIM)).astype(np.float32)
    rows = np.full(1, bundle.textnorm_rows["woitn"], np.int32)
    return {"speech": speech, "language": np.full(1, bundle.language_rows["auto"], np.int32), "textnorm": rows}


def measure(session: Session, feeds: dict[str, Any], *, side_by_side: int, runs: int) -> dict[str, float]:
    """Milliseconds of processor time and of the clock for a clip, with so many callers that each run ``runs`` of them."""
    session.run(OUTPUTS, feeds)

    def call() -> None:
        for _ in range(runs):
            session.run(OUTPUTS, feeds)

    callers = [threading.Thread(target=call) for _ in range(side_by_side)]
    processor_s, clock_s = time.process_time(), time.perf_counter()
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    clips = side_by_side * runs
    return {
        "processor_ms": 1000 * (time.process_time() - processor_s) / clips,
        "clock_ms": 1000 * (time.perf_counter() - clock_s) / clips,
    }


def main() -> None:
    """Measure every plan, print a table, and write JSON where asked."""
    parser = figures_parser("cores", __doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--plans", type=int, nargs="+", default=[1, 2, 4, 8, 16], metavar="CORES")
    parser.add_argument("--frames", type=int, nargs="+", default=[50, 167], help="LFR frames of a clip: 50 are 3 s (default: 3 and 10 s)")
    parser.add_argument("--runs", type=int, default=6, help="of each caller")
    arguments = parser.parse_args()
    bundle, here = Bundle.load(arguments.bundle), CorePlan.of()
    figures: dict[str, dict[str, float]] = {}
    rows = []
    for cores in arguments.plans:
        plan = CorePlan.of(cores=cores)
        slots = CoreSlots(plan.runs)
        session = open_session(bundle, model="asr", precision=arguments.precision, device="cpu", threads=plan.threads, slots=slots)
        for frames in arguments.frames:
            found = measure(session, clip(frames, bundle), side_by_side=plan.runs, runs=arguments.runs)
            modelled = 1000 * cores / found["processor_ms"]
            measured = 1000 / found["clock_ms"]
            figures[f"{cores} cores, {frames} frames"] = {**found, "modelled_clips_per_s": modelled, "rss_mb": rss_mb()}
            seen = f"{measured:.1f}" if cores == here.cores else "–"
            cells = [f"{found['processor_ms']:.0f}", f"{modelled:.1f}", seen, f"{rss_mb():.0f}"]
            rows.append([cores, f"{plan.runs} × 1", f"1 × {plan.threads}", frames, *cells])
        session.close()
    titles = ["cores", "where many wait", "a lone run", "frames", "processor ms", "clips/s, modelled", "clips/s, measured", "RSS, MB"]
    print(markdown_table(titles, rows))
    write_figures(arguments.json, {"machine": str(this_machine()), "cores": here.cores, "plans": figures})


if __name__ == "__main__":
    main()
