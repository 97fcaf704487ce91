"""Memory that comes back: lightweight mode switched 200 times under load, and a comparison's peak.

    python -m benchmarks.toggling BUNDLE --audio FILE [--toggles 200] [--callers 2] [--json FILE]

Callers transcribe one after another the whole time. After each switch the benchmark waits until a request of the new precision has been
answered, lets the callers pause, and reads the process's RSS. The comparison runs in a process of its own, for its peak to be its own.
"""

from __future__ import annotations

import argparse
import json
import statistics
import threading
from pathlib import Path
from typing import Any

from benchmarks.command_line import figures_parser, print_bar, run_in_process, write_figures
from engine.audio.waveform import Waveform, load_audio
from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.runtime.session import rss_mb
from models.benchmark.machine import this_machine
from models.benchmark.process_meter import peak_rss_mb

CLIP_S = 10
WAIT_S = 600.0
MOST_GROWTH = 1.05
#: What a comparison may take beside both models.
COMPARISON_MB = 300.0
_CHILD = "import json, sys; from benchmarks.toggling import compare; sys.stdout.write(json.dumps(compare(sys.argv[1], sys.argv[2])))"


class _Load:
    """Callers that transcribe until they are stopped, and pause when they are asked to."""

    def __init__(self, engine: Engine, waveform: Waveform, callers: int) -> None:
        self._engine, self._waveform = engine, waveform
        self._changed = threading.Condition()
        self._paused = self._stopped = False
        self._busy = 0
        self.answered = {"fp32": 0, "int8": 0}
        self.threads = [threading.Thread(target=self._call, daemon=True) for _ in range(callers)]
        for thread in self.threads:
            thread.start()

    def _call(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._paused or self._stopped)
                if self._stopped:
                    return
                self._busy += 1
            precision = self._engine.transcribe(self._waveform).precision
            with self._changed:
                self._busy -= 1
                self.answered[precision] += 1
                self._changed.notify_all()

    def wait_for_answer(self, precision: str) -> None:
        """Until one more request has been answered in this precision."""
        with self._changed:
            before = self.answered[precision]
            if not self._changed.wait_for(lambda: self.answered[precision] > before, WAIT_S):
                raise SystemExit(f"no answer in {precision} within {WAIT_S:.0f} s")

    def quiet_rss_mb(self) -> float:
        """RSS between two requests."""
        with self._changed:
            self._paused = True
            self._changed.wait_for(lambda: self._busy == 0)
            taken = rss_mb()
            self._paused = False
            self._changed.notify_all()
        return taken

    def stop(self) -> None:
        """Let the callers end."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        for thread in self.threads:
            thread.join()


def toggle(bundle: Path, audio: Path, *, toggles: int, callers: int) -> dict[str, Any]:
    """RSS in MB after each switch, the first one turning lightweight mode on."""
    engine = Engine(Bundle.load(bundle))
    waveform = load_audio(audio)
    load = _Load(engine, Waveform(waveform.samples[: CLIP_S * 16_000]), callers)
    load.wait_for_answer("fp32")
    seen = []
    for number in range(toggles):
        engine.set_lightweight(number % 2 == 0)
        load.wait_for_answer(engine.precision)
        seen.append(load.quiet_rss_mb())
    load.stop()
    engine.close()
    return {
        "toggles": toggles,
        "answered": load.answered,
        "rss_after_second_mb": seen[1],
        "rss_after_last_mb": seen[-1],
        "growth": seen[-1] / seen[1],
        "rss_lightweight_mb": statistics.median(seen[::2]),
        "rss_fp32_mb": statistics.median(seen[1::2]),
    }


def compare(bundle: str, audio: str) -> dict[str, float]:
    """A comparison of FP32 and INT8 in two rounds, which keeps both open: what each takes, and the process's peak, in MB."""
    engine = Engine(Bundle.load(bundle))
    before_mb = rss_mb()
    found = engine.compare(Waveform(load_audio(audio).samples[: CLIP_S * 16_000]), rounds=2).to_dict()["memory"]
    return {"before_mb": before_mb, "fp32_mb": found["left_mb"], "int8_mb": found["right_mb"], "peak_mb": peak_rss_mb()}


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Both measurements."""
    comparison = run_in_process("-c", _CHILD, arguments.bundle, arguments.audio)
    return {
        "toggling": toggle(arguments.bundle, arguments.audio, toggles=arguments.toggles, callers=arguments.callers),
        "comparison": comparison,
    }


def main() -> None:
    """Measure, print, and write JSON where asked."""
    parser = figures_parser("toggling", __doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--audio", type=Path, required=True, help="a recording with ten seconds of speech")
    parser.add_argument("--toggles", type=int, default=200)
    parser.add_argument("--callers", type=int, default=2)
    arguments = parser.parse_args()
    arguments.bundle, arguments.audio = arguments.bundle.resolve(), arguments.audio.resolve()
    figures = measure(arguments)
    print(json.dumps(figures, indent=1))
    growth, found = figures["toggling"]["growth"], figures["comparison"]
    print_bar("RSS after the last switch over after the second", growth, MOST_GROWTH)
    print_bar("peak of a comparison, MB", found["peak_mb"], found["fp32_mb"] + found["int8_mb"] + COMPARISON_MB)
    write_figures(arguments.json, {"machine": str(this_machine()), **figures})


if __name__ == "__main__":
    main()
