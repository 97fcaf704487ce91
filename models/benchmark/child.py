"""The measured process: one precision of one bundle, opened once, in a Python that has loaded nothing but the engine.

``python -m models.benchmark.child TASK`` with a :class:`Task` as JSON; the figures go to the file that the task names. Started by
:mod:`models.benchmark.benchmark`, which gives the moment it did so: process start, imports and opening are part of a cold start.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime  # noqa: F401 - the engine loads it with the first session; here its 0.2 s are to count as import, not as opening

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform
from engine.bundle import Bundle
from engine.errors import LightVoiceError
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.resources import ResourceMeter
from engine.runtime.session import Session, release_memory, rss_mb
from engine.runtime.session_pool import open_session
from engine.speech.detector import SpeechDetector
from engine.speech.endpointing import VadOptions
from engine.speech.features import fbank
from engine.speech.frame_stream import FrameStream
from engine.speech.parts import Parts
from engine.speech.recognizer import Recognizer
from engine.speech.speech_stream import find_spans, spans_in
from models.benchmark.process_meter import package_temperature_c, peak_rss_mb

#: What is recognized first after opening, for the cold start.
FIRST_S = 3
#: The recording of the whole path.
WHOLE_S = 30
#: What VAD alone is measured on.
VAD_S = 10
Figures = dict[str, float]


class Measure(StrEnum):
    """What a process measures."""

    ENGINE = "engine"
    VAD = "vad"
    SOAK = "soak"


@dataclass(frozen=True, kw_only=True)
class Task:
    """One process's work: ``clip`` is an .npy of float32 samples at 16 kHz, ``started_s`` the ``time.monotonic()`` at its start.

    That clock is the same for all processes of a system.
    """

    measure: Measure
    bundle: str
    precision: str
    clip: str
    result: str
    device: str
    threads: int
    durations_s: tuple[float, ...]
    repeats: int
    soak_s: float
    started_s: float

    def to_json(self) -> str:
        """As the command line takes it."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Task:
        """Back from the command line."""
        fields = json.loads(text)
        return cls(**{**fields, "measure": Measure(fields["measure"]), "durations_s": tuple(fields["durations_s"])})

    def open(self, bundle: Bundle, model: str) -> Session:
        """One of the bundle's graphs, as the engine opens it."""
        return open_session(bundle, model=model, precision=self.precision, device=self.device, threads=self.threads)

    def samples(self, duration_s: float) -> np.ndarray:
        """The first ``duration_s`` of the clip: (N,) float32."""
        clip: np.ndarray = np.load(self.clip, mmap_mode="r")
        return clip[: round(duration_s * SAMPLE_RATE_HZ)].astype(np.float32)


def time_ms(work: Callable[[], object], *, repeats: int) -> list[float]:
    """Wall-clock of each of ``repeats`` runs in ms, after one that is not counted."""
    work()
    taken = []
    for _ in range(repeats):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return taken


def percentiles(name: str, taken_ms: list[float], suffix: str) -> Figures:
    """``{name}_p50_ms_{suffix}`` and ``{name}_p95_ms_{suffix}`` (linear interpolation)."""
    p50, p95 = np.percentile(taken_ms, [50, 95])
    return {f"{name}_p50_ms_{suffix}": float(p50), f"{name}_p95_ms_{suffix}": float(p95)}


class _Start:
    """The clock of a cold start, stage by stage: imports since the process began, opening, the first clip."""

    def __init__(self, task: Task) -> None:
        self._at_s = time.monotonic()
        self.figures: Figures = {"import_s": self._at_s - task.started_s}

    def restart(self) -> None:
        """Begin a stage: what lay before it is not counted."""
        self._at_s = time.monotonic()

    def stage(self, name: str) -> None:
        """End a stage."""
        self.figures[name] = time.monotonic() - self._at_s

    def total_s(self) -> float:
        """All stages together."""
        return sum(self.figures.values())


class _Opened:
    """Both graphs of a precision, and what the engine puts around them."""

    def __init__(self, task: Task) -> None:
        # Files are not hashed here: an installed bundle's sums are remembered, and hashing would count as loading.
        self.bundle = Bundle.load(task.bundle, verify=False)
        self.sessions = {model: task.open(self.bundle, model) for model in ("asr", "vad")}
        self.parts = Parts.load(self.bundle)
        self.recognizer = Recognizer(self.sessions["asr"], self.parts.vocabulary, self.bundle)
        self.detector = SpeechDetector(self.sessions["vad"], self.parts.frontend, silence_ids=self.bundle.silence_ids)

    def recognize(self, samples: np.ndarray) -> None:
        """Features, speech probabilities and text of a clip, whether or not there is speech in it."""
        frames = fbank(samples)
        self.detector.silence_between(frames, 0, len(frames))
        self.recognizer.recognize(self.parts.frontend.asr_features(frames), duration_ms=1000 * len(samples) // SAMPLE_RATE_HZ)

    def engine(self, task: Task) -> Engine:
        """The whole path on the graphs that are open already."""
        sessions = self.sessions

        def opener(bundle: Bundle, *, model: str, **_: object) -> Session:
            del bundle
            return sessions[model]

        return Engine(self.bundle, precision=task.precision, device=task.device, threads=task.threads, opener=opener)


def measure_engine(task: Task) -> Figures:
    """Cold start, ASR latency at each duration, the whole path, memory."""
    start = _Start(task)
    gpu_before_mb = _gpu_mb(task.device)
    release_memory()
    memory = {"rss_base_mb": rss_mb()}
    start.restart()
    opened = _Opened(task)
    start.stage("open_s")
    release_memory()
    memory["rss_open_mb"] = rss_mb()
    first = task.samples(FIRST_S)
    start.restart()
    opened.recognize(first)
    start.stage("first_s")
    figures = {**start.figures, "cold_start_s": start.total_s(), **memory, **_asr_latencies(opened, task), **_whole_path(opened, task)}
    gpu_after_mb = _gpu_mb(task.device)
    if gpu_before_mb is not None and gpu_after_mb is not None:
        figures["gpu_memory_mb"] = gpu_after_mb - gpu_before_mb
    release_memory()
    return figures | {"rss_used_mb": rss_mb(), "rss_peak_mb": peak_rss_mb()}


def _asr_latencies(opened: _Opened, task: Task) -> Figures:
    figures: Figures = {}
    for duration_s in task.durations_s:
        features = opened.parts.frontend.asr_features(fbank(task.samples(duration_s)))
        duration_ms = round(1000 * duration_s)
        taken = time_ms(partial(opened.recognizer.recognize, features, duration_ms=duration_ms), repeats=task.repeats)
        figures |= percentiles("asr", taken, f"{duration_s:g}s")
    return figures


def _whole_path(opened: _Opened, task: Task) -> Figures:
    waveform = Waveform(task.samples(WHOLE_S))
    engine = opened.engine(task)
    heard = engine.transcribe(waveform, TranscribeOptions(precision=task.precision))
    cpu_started_s = time.process_time()  # user and system time of all threads, as psutil's cpu_times, but finer than its 10 ms
    rtf = [engine.transcribe(waveform, TranscribeOptions(precision=task.precision)).timing.rtf for _ in range(task.repeats)]
    cpu_s = time.process_time() - cpu_started_s
    return {
        "rtf": float(np.median(rtf)),
        "cpu_s_per_audio_s": cpu_s / (task.repeats * waveform.duration_s),
        "speech_share": float(np.mean(heard.speech_track >= 0.5)),
    }


def measure_vad(task: Task) -> Figures:
    """A process that opens FSMN-VAD alone: its cold start, latency, CPU and memory."""
    start = _Start(task)
    release_memory()
    memory = {"vad_rss_base_mb": rss_mb()}
    start.restart()
    bundle = Bundle.load(task.bundle, verify=False)
    session = task.open(bundle, "vad")
    frontend = Parts.load(bundle).frontend
    detector = SpeechDetector(session, frontend, silence_ids=bundle.silence_ids)
    start.stage("open_s")
    release_memory()
    memory["vad_rss_open_mb"] = rss_mb()
    waveform, options = Waveform(task.samples(VAD_S)), VadOptions()
    start.restart()
    new = FrameStream().add(waveform.samples)
    spans_in(new, detector, options, duration_ms=waveform.duration_ms)
    start.stage("first_s")
    taken = time_ms(lambda: spans_in(new, detector, options, duration_ms=waveform.duration_ms), repeats=task.repeats)
    cpu_started_s = time.process_time()
    with_features = time_ms(lambda: find_spans(waveform, detector, options), repeats=task.repeats)
    cpu_s = time.process_time() - cpu_started_s
    release_memory()
    return {
        **{f"vad_{name}": value for name, value in start.figures.items()},
        "vad_cold_start_s": start.total_s(),
        **memory,
        **percentiles("vad", taken, f"{VAD_S}s"),
        "vad_rtf": float(np.median(with_features)) / 1000 / waveform.duration_s,
        "vad_cpu_s_per_audio_s": cpu_s / ((task.repeats + 1) * waveform.duration_s),
        "vad_rss_used_mb": rss_mb(),
        "vad_rss_peak_mb": peak_rss_mb(),
    }


def measure_soak(task: Task) -> Figures:
    """The whole path again and again for ``soak_s``, with the package's temperature before, after and at most; none without a sensor."""
    before_c = package_temperature_c()
    if before_c is None:
        return {}
    engine = _Opened(task).engine(task)
    waveform = Waveform(task.samples(WHOLE_S))
    started, seen_c = time.monotonic(), [before_c]
    rtf: list[float] = []
    while time.monotonic() - started < task.soak_s or not rtf:
        rtf.append(engine.transcribe(waveform, TranscribeOptions(precision=task.precision)).timing.rtf)
        seen_c.append(package_temperature_c() or seen_c[-1])
    figures = {"temperature_before_c": before_c, "temperature_after_c": seen_c[-1], "temperature_max_c": max(seen_c)}
    return figures | {"soak_s": time.monotonic() - started, "soak_rtf": float(np.median(rtf))}


def _gpu_mb(device: str) -> float | None:
    """What the whole GPU holds in MB, other programs' memory included; None for a run on the CPU."""
    gpu = None if device == "cpu" else ResourceMeter().read([], last_rtf=None)["gpu"]
    return None if gpu is None else float(gpu["used_mb"])


MEASURES: Mapping[Measure, Callable[[Task], Figures]] = {
    Measure.ENGINE: measure_engine,
    Measure.VAD: measure_vad,
    Measure.SOAK: measure_soak,
}


def main() -> int:
    """Measure and write: 0, or 1 with the reason in the result file."""
    task = Task.from_json(sys.argv[1])
    try:
        outcome: dict[str, Any] = {"figures": MEASURES[task.measure](task)}
    except LightVoiceError as error:
        outcome = {"error": str(error)}
    Path(task.result).write_text(json.dumps(outcome), encoding="utf-8")
    return 1 if "error" in outcome else 0


if __name__ == "__main__":
    sys.exit(main())
