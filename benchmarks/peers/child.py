"""The measured process: one runtime, one model, in a Python that has loaded nothing else.

``python -m benchmarks.peers.child TASK`` with a :class:`Task` as JSON; the figures go to the file it names. Run by our Python or the
peers', so it needs the standard library and numpy alone.
"""

from __future__ import annotations

import json
import sys
import threading
import time
import wave
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from engine.files.sizes import BYTES_PER_MB

if TYPE_CHECKING:
    from benchmarks.peers.adapters import Runtime

BYTES_PER_KIB = 1024
FIRST_S, LATENCIES_S, CALLER_S = 3, (3, 10, 30), 10
CALLS_EACH = 3
Figures = dict[str, float]


@dataclass(frozen=True, kw_only=True)
class Task:
    """One process's work: paths as text, ``started_s`` the ``time.monotonic()`` at its start; ``file`` is empty to leave it out."""

    folder: str
    adapter: str
    model: str
    threads: int
    repeats: int
    callers: int
    file: str
    result: str
    started_s: float

    def to_json(self) -> str:
        """As the command line takes it."""
        return json.dumps(asdict(self))


def _clip(folder: Path, duration_s: int) -> np.ndarray:
    with wave.open(str(folder / "audio" / f"{duration_s}s.wav")) as handle:
        return np.frombuffer(handle.readframes(handle.getnframes()), np.int16).astype(np.float32) / 32768


def _memory_mb(name: str) -> float:
    """``VmRSS`` or ``VmHWM`` of this process in MB, as Linux counts them."""
    for line in Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1]) * BYTES_PER_KIB / BYTES_PER_MB
    raise RuntimeError(f"/proc/self/status has no {name}; this benchmark needs Linux")


def _time_s(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def run_callers(work: Callable[[], object], *, callers: int, calls: int) -> tuple[list[float], float]:
    """Threads that each do the work ``calls`` times: -> seconds of every call, and of all together. Raises what the work raises."""
    start = threading.Barrier(callers + 1)

    def call() -> list[float]:
        start.wait()
        return [_time_s(work) for _ in range(calls)]

    with ThreadPoolExecutor(callers) as threads:
        answers = [threads.submit(call) for _ in range(callers)]
        start.wait()
        whole_s = _time_s(lambda: wait(answers))
    return [taken_s for answer in answers for taken_s in answer.result()], whole_s


def measure(task: Task) -> Figures:
    """Everything of one process, in the order in which memory grows."""
    folder = Path(task.folder)
    clips = {duration_s: _clip(folder, duration_s) for duration_s in LATENCIES_S}
    runtime: Runtime = import_module(f"benchmarks.peers.adapters.{task.adapter}").open_runtime(
        folder, model=task.model, threads=task.threads
    )
    runtime.recognize(clips[FIRST_S])
    figures: Figures = {"cold_start_s": time.monotonic() - task.started_s}
    for duration_s in LATENCIES_S:
        clip = clips[duration_s]
        runtime.recognize(clip)  # the first run of a length allocates for it
        computing_s = time.process_time()
        taken = [_time_s(partial(runtime.recognize, clip)) for _ in range(task.repeats)]
        figures[f"latency_ms_{duration_s}s"] = 1000 * float(np.median(taken))
        if duration_s == CALLER_S:
            # What it costs all cores together, which a busy machine changes less than the clock on the wall.
            figures["cpu_ms_10s"] = 1000 * (time.process_time() - computing_s) / task.repeats
            figures["rss_mb"] = _memory_mb("VmRSS")
    if task.callers:
        taken_s, whole_s = run_callers(partial(runtime.recognize, clips[CALLER_S]), callers=task.callers, calls=CALLS_EACH)
        figures["callers_audio_s_per_s"] = task.callers * CALLS_EACH * CALLER_S / whole_s
        figures["callers_p95_ms"] = 1000 * float(np.percentile(taken_s, 95))
    if task.file:
        with wave.open(task.file) as handle:
            duration = handle.getnframes() / handle.getframerate()
        started = time.perf_counter()
        figures["file_segments"] = float(runtime.transcribe(Path(task.file)))
        figures["file_rtf"] = (time.perf_counter() - started) / duration
    return figures | {"rss_peak_mb": _memory_mb("VmHWM")}


def main() -> int:
    """Measure and write: 0, or 1 with the reason in the result file."""
    task = Task(**json.loads(sys.argv[1]))
    try:
        outcome: dict[str, object] = {"figures": measure(task)}
    except Exception as error:  # noqa: BLE001 - a runtime that cannot is a row with its reason, whatever it raised
        outcome = {"error": " ".join(f"{type(error).__name__}: {error}".split())[:300]}
    Path(task.result).write_text(json.dumps(outcome), encoding="utf-8")
    return 1 if "error" in outcome else 0


if __name__ == "__main__":
    sys.exit(main())
