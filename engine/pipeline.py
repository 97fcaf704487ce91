"""Engine: one bundle, its sessions, and the way of a recording through them. Orchestration only.

A request keeps one lease on its precision's sessions from its first block to its last segment (:mod:`engine.recording_run`).
A graph run takes one segment: dynamic INT8 has one activation scale per tensor, and a loud neighbour in a
batch would cost accuracy, while a CPU gains nothing from it. Several runs compute side by side (:mod:`engine.runtime.core_plan`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from engine.audio.waveform import SAMPLE_RATE_HZ, Recording, Waveform
from engine.bundle import Bundle
from engine.compare.compare import Comparison, Contender, Variant, compare_sides
from engine.live import LiveStream
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.recording_run import OnSegment, Progress, RecordingRun, no_progress
from engine.runtime.bundle_slot import BundleSlot, OpenBundle, SwitchReport
from engine.runtime.core_plan import CorePlan
from engine.runtime.planned_cores import PlannedCores
from engine.runtime.resources import ResourceMeter
from engine.runtime.session_pool import OpenSession, Precision, SessionSet, ToggleEffects, ToggleReport, carried_over, open_session
from engine.runtime.speed import Speed, SpeedLog
from engine.speech.endpointing import SpeechSpan
from engine.speech.features import fbank
from engine.speech.parts import Parts
from engine.speech.speech_stream import find_spans
from engine.speech.text_warnings import text_warnings
from engine.speech_engine import SpeechEngine
from engine.transcript import Timing, Transcript


class Engine(SpeechEngine):
    """The runtime of one bundle in this process; safe to use from many threads.

    ``precision`` is what requests that name none run in: FP32 unless told, or what a bundle without it has.
    """

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str | None = None,
        device: str = "cpu",
        threads: int | None = None,
        opener: OpenSession | None = None,
    ) -> None:
        # One processor, whatever is open on it: the sessions of all bundles and precisions share its slots.
        self._cores = PlannedCores(threads=threads)
        opener = opener or partial(open_session, slots=self._cores.slots)
        precision = precision or carried_over(Precision.FP32, bundle.variants)
        self._device = device
        self._slot = BundleSlot(bundle, precision=precision, device=device, threads=threads, opener=opener)
        self._meter = ResourceMeter()
        self._last_rtf: float | None = None
        self._speeds = SpeedLog()

    @property
    def address(self) -> str | None:
        """None: the models run in this process."""
        return None

    @property
    def bundle(self) -> Bundle:
        """The bundle that is open."""
        return self._slot.current.parts.bundle

    @property
    def precisions(self) -> tuple[str, ...]:
        """The variants of the bundle."""
        return tuple(self.bundle.variants)

    @property
    def precision(self) -> str:
        """The precision of a request that names none."""
        return self._slot.current.pool.current

    @property
    def lightweight(self) -> bool:
        """Whether lightweight mode is on."""
        return self._slot.current.pool.lightweight

    @property
    def threads(self) -> int:
        """Threads of each session."""
        return self._slot.current.pool.threads

    @property
    def recordings_at_once(self) -> int:
        """As many as run side by side, and one more, which is read and searched meanwhile; on a GPU one, whose spans share batches."""
        runs = self._cores.plan.runs if self._device == "cpu" else 1
        return runs + 1 if runs > 1 else 1

    @property
    def core_plan(self) -> CorePlan:
        """How the processor is divided among the runs."""
        return self._cores.plan

    def transcribe(
        self,
        recording: Recording,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        file: str | None = None,
        progress: Progress | None = None,
        on_segment: OnSegment | None = None,
    ) -> Transcript:
        """Transcribe one recording; ``file`` is its name in the transcript, where that is not its own.

        ``progress`` gets a fraction in [0, 1] and a stage (open where the sessions have to be opened first, decode, features, vad,
        asr); ``on_segment`` gets each segment as soon as it is recognized; what either of them raises ends the run. Silence gives a
        transcript without segments. Raises the errors of :mod:`engine.errors`.
        """
        return self._transcribe(self._slot.current, recording, options, file=file, progress=progress or no_progress, on_segment=on_segment)

    def _transcribe(
        self,
        opened: OpenBundle,
        recording: Recording,
        options: TranscribeOptions,
        *,
        file: str | None,
        progress: Progress,
        on_segment: OnSegment | None = None,
    ) -> Transcript:
        """One recording on one bundle, whatever takes its place meanwhile."""
        started = time.perf_counter()
        options.check(opened.parts.bundle.variants)
        self._cores.refresh()
        precision = opened.pool.resolve(options.precision)
        # A Waveform was decoded before this call; its share is counted all the same.
        outside_s = recording.decode_s if isinstance(recording, Waveform) else 0.0
        if not opened.pool.is_open(precision):
            progress(0.0, "open")  # at full size this takes seconds
        with opened.pool.lease(precision) as leased, opened.pool.with_vad(leased, options.vad_precision) as sessions:
            run = RecordingRun(opened.parts, sessions, options, progress=progress, on_segment=on_segment, workers=self._cores.workers)
            segments = run.segments(recording)
        total_s = time.perf_counter() - started + outside_s
        rtf = total_s / recording.duration_s
        spent_s = run.spent_s
        compute_s = recording.decode_s + sum(spent_s.values())  # without opening the sessions, which only a first run does
        self._last_rtf = compute_s / recording.duration_s
        if segments:  # silence takes no recognition, and says nothing about its speed
            self._speeds.add(opened.parts.bundle.name, sessions.precision, compute_s=compute_s, duration_s=recording.duration_s)
        return Transcript(
            file=file or recording.name,
            duration_s=recording.duration_s,
            bundle=opened.parts.bundle.name,
            precision=sessions.precision,
            segments=segments,
            timing=Timing(
                decode_s=recording.decode_s,
                features_s=spent_s["features"],
                vad_s=spent_s["vad"],
                asr_s=spent_s["asr"],
                total_s=total_s,
                rtf=rtf,
            ),
            warnings=(
                *recording.warnings,
                *text_warnings(segments, taught=opened.parts.bundle.languages, asked=options.language),
                *run.warnings,
            ),
            speech_track=run.speech_track,
        )

    def compare(
        self,
        waveform: Waveform,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        left: str | Variant = "fp32",
        right: str | Variant = "int8",
        rounds: int = 1,
        file: str | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Run one recording through two variants, one after the other; several rounds give medians.

        Each side's sessions are warmed with a moment of silence before its clock starts, so that neither pays for being opened.
        A side may be a variant of another bundle, which is opened for the comparison and closed after it; ``options.precision`` has
        no effect. ``progress`` may raise :class:`~engine.compare.compare.StoppedEarly`: the rounds that are complete then count.
        """
        with ExitStack() as beside:
            sides = []
            for side in (left, right):
                variant = side if isinstance(side, Variant) else Variant(side)
                opened = beside.enter_context(self._slot.beside(variant.bundle))
                own = replace(options, precision=opened.pool.resolve(variant.precision))
                sides.append(_contender(opened, own.precision, partial(self._transcribe, opened, waveform, own, file=file)))
            return compare_sides(*sides, rounds=rounds, progress=progress or no_progress)

    def warm_up(self) -> None:
        """Open the current precision's sessions and run them once, so that the first request finds them ready."""
        _warm_up(self._slot.current)

    def switch(self, bundle: Bundle) -> SwitchReport:
        """Let another bundle, or the same one with new variants, take the place of the open one: running requests end on theirs.

        Precision and lightweight mode are kept as far as the bundle has them. Raises BundleError or SessionError where the
        bundle cannot be opened and run; the open one then stays.
        """
        report = self._slot.switch(bundle, warm_up=_warm_up)
        self._last_rtf = None
        return report

    def detect(self, recording: Recording, options: TranscribeOptions = DEFAULT_OPTIONS) -> tuple[SpeechSpan, ...]:
        """Speech spans alone, without recognition."""
        opened = self._slot.current
        with opened.pool.lease(options.precision) as sessions:
            return find_spans(recording, opened.parts.detector(sessions), options.vad)

    def live(self, options: TranscribeOptions = DEFAULT_OPTIONS) -> LiveStream:
        """A stream for audio that is still being spoken; each segment runs in the precision and on the bundle in force as it begins.

        The options' precisions and ``read`` have no effect.
        """
        return LiveStream(lambda: self._slot.current, options)

    def set_lightweight(self, on: bool) -> ToggleReport:
        """Switch lightweight mode for the whole server."""
        return self._slot.set_lightweight(on)

    @property
    def toggle_effects(self) -> ToggleEffects | None:
        """What the last switch of lightweight mode led to; None until somebody switched."""
        return self._slot.current.pool.effects

    def speeds(self) -> dict[str, Speed]:
        """How fast the open bundle's variants ran since the process started; a variant that has not run is not in it."""
        return self._speeds.read(self.bundle.name)

    def resources(self) -> dict[str, Any]:
        """CPU, memory, threads, open sessions, last RTF, GPU, and how the processor is divided."""
        slots = self._cores.slots
        cores = {**asdict(self._cores.plan), "running": slots.running(), "waiting": slots.waiting()}
        return {**self._meter.read(self._slot.sessions(), last_rtf=self._last_rtf), "cores": cores}

    @property
    def is_open(self) -> bool:
        """Whether any session is open; unlike :meth:`resources` it measures nothing."""
        return bool(self._slot.sessions())

    def close(self) -> None:
        """Close the sessions and give their memory back."""
        self._slot.close()


def _warm_up(opened: OpenBundle) -> None:
    with opened.pool.lease() as sessions:
        _warm(opened.parts, sessions)


def _warm(parts: Parts, sessions: SessionSet) -> None:
    RecordingRun(parts, sessions).warm(fbank(np.zeros(SAMPLE_RATE_HZ, np.float32)), duration_ms=1000)


def _contender(opened: OpenBundle, precision: str, transcribe: Callable[..., Transcript]) -> Contender:
    @contextmanager
    def ready() -> Iterator[float]:
        with opened.pool.lease(precision) as sessions:
            _warm(opened.parts, sessions)
            yield sessions.asr.mb + sessions.vad.mb

    return Contender(ready=ready, run=lambda progress: transcribe(progress=progress), file_mb=opened.parts.bundle.size_mb(precision))
