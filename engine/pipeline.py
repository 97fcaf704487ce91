"""Engine: one bundle, its sessions, and the way of a recording through them. Orchestration only.

A request keeps one lease on its precision's sessions from its first block to its last segment (:mod:`engine.recording_run`).
Segments are recognized one at a time: dynamic INT8 has one activation scale per tensor, and a loud neighbour in a
batch would cost accuracy, while a CPU gains nothing from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.containers import Probe
from engine.audio.read_options import ReadOptions
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Look, Waveform
from engine.bundle import Bundle
from engine.compare.compare import Comparison, Contender, Variant, compare_sides
from engine.live import LiveStream
from engine.recording_run import Progress, Recording, RecordingRun
from engine.runtime.bundle_slot import BundleSlot, OpenBundle, SwitchReport
from engine.runtime.fifo_lock import FifoLock
from engine.runtime.resources import ResourceMeter
from engine.runtime.session_pool import CURRENT, VAD_AS_REQUEST, OpenSession, SessionSet, ToggleEffects, ToggleReport, open_session
from engine.runtime.speed import Speed, SpeedLog
from engine.speech.endpointing import SpeechSpan, VadOptions
from engine.speech.features import fbank
from engine.speech.parts import Parts
from engine.speech.span_recognizer import Wishes
from engine.speech.untaught_languages import untaught_warnings
from engine.speech_engine import SpeechEngine
from engine.tags import parse_language
from engine.transcript import Segment, Timing, Transcript


def _silent(fraction: float, stage: str) -> None:
    del fraction, stage


class Engine(SpeechEngine):
    """The runtime of one bundle in this process; safe to use from many threads."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = "fp32",
        device: str = "cpu",
        threads: int | None = None,
        vad: VadOptions | None = None,
        opener: OpenSession | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self.vad_options = vad or VadOptions()
        # One processor, whatever is open on it: the sessions of all bundles and precisions take turns with each other.
        opener = opener or partial(open_session, lock=FifoLock())
        self._slot = BundleSlot(bundle, precision=precision, device=device, threads=threads, opener=opener)
        self._decoder = decoder or Decoder()
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

    def load(
        self, source: str | Path, *, max_duration_s: float | None = None, look: Look | None = None, read: ReadOptions | None = None
    ) -> Waveform:
        """Read a recording of anybody's, in a process that may crash: as :meth:`engine.audio.sandbox.decoder.Decoder.load`, errors too."""
        return self._decoder.load(source, max_duration_s=max_duration_s, look=look, read=read)

    def open_recording(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        look: Look | None = None,
        watch: Callable[[NDArray[np.float32]], None] | None = None,
        read: ReadOptions | None = None,
    ) -> AudioStream:
        """The same, read while it is transcribed: as :meth:`engine.audio.sandbox.decoder.Decoder.open`."""
        return self._decoder.open(source, max_duration_s=max_duration_s, look=look, watch=watch, read=read)

    def probe(self, source: str | Path) -> Probe | None:
        """What a recording's header says; None for what is no recording."""
        return self._decoder.probe(source)

    def start_decoder(self) -> None:
        """Start the decoder's process without waiting for it, so that the first recording finds it ready."""
        self._decoder.warm_up()

    def transcribe(  # noqa: PLR0913 - the page's options, keyword-only
        self,
        audio: str | Path | Recording,
        *,
        language: str = "auto",
        itn: bool = True,
        precision: str = CURRENT,
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        vad_precision: str = VAD_AS_REQUEST,
        file: str | None = None,
        progress: Progress | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        """Transcribe one recording.

        ``audio`` is a path, a Waveform or an AudioStream; ``progress`` is told a fraction in [0, 1] and a stage (open where the
        sessions have to be opened first, decode, features, vad, asr); ``on_segment`` is told each segment as soon as it is
        recognized; what either of them raises ends the run. Silence gives a transcript without segments. ``vad_precision`` is a
        variant, VAD_AS_REQUEST, or VAD_OFF, which recognizes the whole recording in pieces of ``vad.max_segment_ms``. Raises the
        errors of :mod:`engine.errors`.
        """
        language = parse_language(language)
        opened = self._slot.current
        wishes = Wishes(language=language, itn=itn, ban_emo_unknown=ban_emo_unknown, vad_precision=vad_precision, on_segment=on_segment)
        name = opened.pool.resolve(precision)
        opened.pool.check_vad(vad_precision)
        return self._transcribe(opened, name, audio, wishes, vad=vad, file=file, tell=progress or _silent)

    def _transcribe(
        self,
        opened: OpenBundle,
        precision: str,
        audio: str | Path | Recording,
        wishes: Wishes,
        *,
        vad: VadOptions | None,
        file: str | None,
        tell: Progress,
    ) -> Transcript:
        """One recording on one bundle, whatever takes its place meanwhile."""
        started = time.perf_counter()
        # A Waveform was decoded before this call; its share is counted all the same.
        outside_s = audio.decode_s if isinstance(audio, Waveform) else 0.0
        recording = audio if isinstance(audio, Waveform | AudioStream) else self.open_recording(audio)
        if not opened.pool.is_open(precision):
            tell(0.0, "open")  # at full size this takes seconds
        with opened.pool.lease(precision) as leased, opened.pool.with_vad(leased, wishes.vad_precision) as sessions:
            run = RecordingRun(opened.parts, sessions, tell=tell, wishes=wishes)
            segments = run.segments(recording, vad or self.vad_options)
        total_s = time.perf_counter() - started + outside_s
        rtf = total_s / recording.duration_s
        self._last_rtf = rtf
        spent_s = run.spent_s
        if segments:  # silence takes no recognition, and says nothing about its speed
            compute_s = recording.decode_s + sum(spent_s.values())
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
            warnings=(*recording.warnings, *untaught_warnings(segments, taught=opened.parts.bundle.languages)),
            speech_track=run.speech_track,
        )

    def compare(  # noqa: PLR0913 - the page's options, keyword-only
        self,
        audio: str | Path | Waveform,
        *,
        language: str = "auto",
        itn: bool = True,
        left: str | Variant = "fp32",
        right: str | Variant = "int8",
        rounds: int = 1,
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        file: str | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Run one recording through two variants, one after the other, decoding it once; several rounds give medians.

        Each side's sessions are warmed with a moment of silence before its clock starts, so that neither pays for being opened.
        A side may be a variant of another bundle, which is opened for the comparison and closed after it.
        ``progress`` may raise :class:`~engine.compare.compare.StoppedEarly`: the rounds that are complete then count.
        """
        language = parse_language(language)
        wishes = Wishes(language=language, itn=itn, ban_emo_unknown=ban_emo_unknown)
        tell = progress or _silent
        tell(0.0, "decode")
        waveform = audio if isinstance(audio, Waveform) else self.load(audio)
        with ExitStack() as beside:
            sides = []
            for side in (left, right):
                variant = side if isinstance(side, Variant) else Variant(side)
                opened = beside.enter_context(self._slot.beside(variant.bundle))
                name = opened.pool.resolve(variant.precision)
                sides.append(_contender(opened, name, partial(self._transcribe, opened, name, waveform, wishes, vad=vad, file=file)))
            return compare_sides(*sides, rounds=rounds, progress=tell)

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

    def detect(self, audio: str | Path | Waveform, *, precision: str = CURRENT, vad: VadOptions | None = None) -> tuple[SpeechSpan, ...]:
        """Speech spans alone, without recognition."""
        waveform = audio if isinstance(audio, Waveform) else self.load(audio)
        opened = self._slot.current
        with opened.pool.lease(precision) as sessions:
            return opened.parts.detector(sessions).detect(waveform, fbank(waveform.samples), vad or self.vad_options)

    def live(self, *, language: str = "auto", itn: bool = True, ban_emo_unknown: bool = False, vad: VadOptions | None = None) -> LiveStream:
        """A stream for audio that is still being spoken; each segment runs in the precision and on the bundle in force as it begins."""
        language = parse_language(language)
        wishes = Wishes(language=language, itn=itn, ban_emo_unknown=ban_emo_unknown)
        return LiveStream(lambda: self._slot.current, wishes=wishes, options=vad or self.vad_options)

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
        """CPU, memory, threads, open sessions, last RTF, GPU."""
        return self._meter.read(self._slot.sessions(), last_rtf=self._last_rtf)

    @property
    def is_open(self) -> bool:
        """Whether any session is open; unlike :meth:`resources` it measures nothing."""
        return bool(self._slot.sessions())

    def close(self) -> None:
        """Close the sessions, give their memory back, and end the decoder's processes."""
        self._slot.close()
        self._decoder.close()


def _warm_up(opened: OpenBundle) -> None:
    with opened.pool.lease() as sessions:
        _warm(opened.parts, sessions)


def _warm(parts: Parts, sessions: SessionSet) -> None:
    run = RecordingRun(parts, sessions, tell=_silent, wishes=Wishes())
    run.warm(fbank(np.zeros(SAMPLE_RATE_HZ, np.float32)), duration_ms=1000)


def _contender(opened: OpenBundle, precision: str, transcribe: Callable[..., Transcript]) -> Contender:
    @contextmanager
    def ready() -> Iterator[float]:
        with opened.pool.lease(precision) as sessions:
            _warm(opened.parts, sessions)
            yield sessions.asr.mb + sessions.vad.mb

    return Contender(ready=ready, run=lambda tell: transcribe(tell=tell), file_mb=opened.parts.bundle.size_mb(precision))
