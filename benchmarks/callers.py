"""Several callers on one engine: how long a clip takes each, with the sessions sharing one FIFO lock and without.

    python -m benchmarks.callers BUNDLE --audio FILE [--precision int8] [--callers 8] [--threads N] [--rounds 3] [--json FILE]

The ways of sharing alternate, round after round, in one process. One caller alone is measured beside them in every round.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.command_line import figures_parser, print_bar, write_figures
from benchmarks.peers.child import run_callers
from engine.audio.waveform import Waveform, load_audio
from engine.bundle import Bundle
from engine.options import VAD_OFF, TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.core_slots import CoreSlots
from engine.runtime.cores import default_threads
from engine.runtime.session_pool import open_session
from models.benchmark.machine import this_machine

CLIP_S = 10
CALLS_EACH = 4
MOST_RATIO = 8.8
#: Ways of sharing, by name: how many runs at once, None for as many as there are callers.
WAYS: Mapping[str, int | None] = {"one at a time": 1, "two at a time": 2, "all at once": None}


def measure(bundle: Path, audio: Path, *, precision: str, callers: int, threads: int, rounds: int) -> dict[str, dict[str, float]]:
    """By way of sharing: medians over the rounds of milliseconds, of the ratio p95 to one caller, and of audio seconds a second."""
    loaded = Bundle.load(bundle)
    waveform = Waveform(load_audio(audio).samples[: CLIP_S * 16_000])
    found: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    engines = {}

    def transcribe(engine: Engine) -> None:
        engine.transcribe(waveform, TranscribeOptions(vad_precision=VAD_OFF))

    for way, at_once in WAYS.items():
        opener = open_session if at_once is None else partial(open_session, slots=CoreSlots(at_once))
        engines[way] = Engine(loaded, precision=precision, threads=threads, opener=opener)
        transcribe(engines[way])
    for _ in range(rounds):
        for way, engine in engines.items():
            alone_s = statistics.median(run_callers(partial(transcribe, engine), callers=1, calls=CALLS_EACH)[0])
            taken, whole_s = run_callers(partial(transcribe, engine), callers=callers, calls=CALLS_EACH)
            found[way].append((alone_s, float(np.percentile(taken, 95)), callers * CALLS_EACH * CLIP_S / whole_s))
    return {
        way: {
            "one_caller_ms": 1000 * statistics.median(alone for alone, _, _ in seen),
            "p95_ms": 1000 * statistics.median(p95 for _, p95, _ in seen),
            "ratio": statistics.median(p95 / alone for alone, p95, _ in seen),
            "audio_s_per_s": statistics.median(speed for _, _, speed in seen),
        }
        for way, seen in found.items()
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("callers", __doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--audio", type=Path, required=True, help="a recording with ten seconds of speech")
    parser.add_argument("--precision", default="int8")
    parser.add_argument("--callers", type=int, default=8)
    parser.add_argument("--threads", type=int, default=default_threads())
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    figures = measure(
        arguments.bundle,
        arguments.audio,
        precision=arguments.precision,
        callers=arguments.callers,
        threads=arguments.threads,
        rounds=arguments.rounds,
    )
    for way, values in figures.items():
        print(f"{way:15}" + "  ".join(f"{name} {value:8.2f}" for name, value in values.items()))
    print_bar(f"p95 of {arguments.callers} callers over one", figures["one at a time"]["ratio"], MOST_RATIO)
    conditions = {"machine": str(this_machine()), "precision": arguments.precision, "threads": arguments.threads}
    write_figures(arguments.json, {**conditions, "ways": figures})


if __name__ == "__main__":
    main()
