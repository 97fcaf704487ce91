"""Several callers on one engine as it is shipped: how long a clip takes one caller alone, and how much audio all of them together get.

    python -m benchmarks.callers BUNDLE --audio FILE [--precision int8 fp32] [--callers 8] [--clip-s 10] [--threads N] [--rounds 3]
        [--json FILE]

One caller alone is measured beside them in every round. ``python -m benchmarks.beside COMMIT callers …`` measures another commit too.
"""

from __future__ import annotations

import statistics
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.command_line import figures_parser, print_bar, write_figures
from benchmarks.peers.child import run_callers
from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.options import VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.cores import default_threads
from models.benchmark.machine import this_machine

CALLS_EACH = 4
MOST_RATIO = 8.8


def measure(bundle: Path, audio: Path, *, precision: str, callers: int, clip_s: int, threads: int, rounds: int) -> dict[str, float]:
    """Medians over the rounds: milliseconds of one caller and of the slowest twentieth of all, their ratio, audio seconds a second."""
    waveform = Waveform(load_audio(audio).samples[: clip_s * SAMPLE_RATE_HZ])
    engine = Engine(Bundle.load(bundle), precision=precision, threads=threads)
    transcribe = partial(engine.transcribe, waveform, TranscribeOptions(vad_precision=VAD_OFF))
    transcribe()
    seen: list[tuple[float, float, float]] = []
    for _ in range(rounds):
        alone_s = statistics.median(run_callers(transcribe, callers=1, calls=CALLS_EACH)[0])
        taken, whole_s = run_callers(transcribe, callers=callers, calls=CALLS_EACH)
        seen.append((alone_s, float(np.percentile(taken, 95)), callers * CALLS_EACH * clip_s / whole_s))
    engine.close()
    return {
        "one_caller_ms": 1000 * statistics.median(alone for alone, _, _ in seen),
        "p95_ms": 1000 * statistics.median(p95 for _, p95, _ in seen),
        "ratio": statistics.median(p95 / alone for alone, p95, _ in seen),
        "audio_s_per_s": statistics.median(speed for _, _, speed in seen),
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("callers", __doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--audio", type=Path, required=True, help="a recording with enough speech for a clip")
    parser.add_argument("--precision", nargs="+", default=["int8"])
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--clip-s", type=int, default=10)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures = {
        precision: measure(
            arguments.bundle,
            arguments.audio,
            precision=precision,
            callers=arguments.callers,
            clip_s=arguments.clip_s,
            threads=arguments.threads,
            rounds=arguments.rounds,
        )
        for precision in arguments.precision
    }
    for precision, values in figures.items():
        print(f"{precision:15}" + "  ".join(f"{name} {value:8.2f}" for name, value in values.items()))
        print_bar(f"{precision}: p95 of {arguments.callers} callers over one", values["ratio"], MOST_RATIO)
    write_figures(arguments.json, {"machine": str(this_machine()), "threads": arguments.threads, **figures})


if __name__ == "__main__":
    main()
