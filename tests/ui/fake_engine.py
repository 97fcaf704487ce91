"""A SpeechEngine without weights, and a Decoder without processes: the seam of the page's unit tests. Speech is wherever it is loud.

mypy checks this file with the product: what the fakes are asked is what the real ones are.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.containers import Probe, probe
from engine.audio.read_options import ReadOptions
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import AudioStream, CancelCheck, Recording, Waveform, load_audio
from engine.bundle import FORMAT, SAMPLE_RATE_HZ, Bundle
from engine.compare.compare import Comparison, Side, Variant
from engine.errors import NotOfferedError
from engine.files.sizes import BYTES_PER_MB
from engine.live import LiveStream
from engine.options import CURRENT, DEFAULT_OPTIONS, TranscribeOptions
from engine.runtime.bundle_slot import SwitchReport
from engine.runtime.session_pool import ClosedSession, Closing, ToggleEffects, ToggleReport
from engine.runtime.speed import Speed
from engine.speech_engine import OnSegment, Progress, SpeechEngine
from engine.tags import Emotion, Event, Language
from engine.transcript import Alternative, Segment, TagConfidence, Timing, Token, Transcript

FRAME_MS = 10
LOUD = 0.02
WORDS = ("three one four", "one five nine", "two six five", "three five")
EMOTIONS = (Emotion.NEUTRAL, Emotion.HAPPY, Emotion.ANGRY, Emotion.EMO_UNKNOWN)
RSS_MB = {False: 320.0, True: 210.0}


def fake_bundle(**texts: str) -> Bundle:
    """A bundle of nothing but words; ``texts`` take the place of its own."""
    graphs = {f"{model}.{name}.onnx": mb / 2 for name, mb in (("fp32", 11.2), ("int8", 3.1)) for model in ("asr", "vad")}
    files = {name: {"bytes": round(mb * BYTES_PER_MB), "sha256": ""} for name, mb in graphs.items()}
    others = {name: {"bytes": 0, "sha256": ""} for name in ("tokens.txt", "asr.mvn", "vad.mvn")}
    values = {
        "format": FORMAT,
        "name": "fake",
        "kind": "starter",
        "version": "0.0.1",
        "title": "A bundle of nothing <but> words",
        "description": "Says the same digits whatever it hears; it is only here for the tests of the page.",
        "descriptions": {"zh": "听到什么都说同样的数字"},
        "source": "made up by the tests",
        "licence": "Apache-2.0",
        "languages": ["en", "zh"],
        "sample_rate": SAMPLE_RATE_HZ,
        "lfr": {"asr": {"m": 7, "n": 6}, "vad": {"m": 5, "n": 1}},
        "prompt": {"language": {"auto": 0}, "textnorm": {"withitn": 14, "woitn": 15}},
        "variants": {name: {model: f"{model}.{name}.onnx" for model in ("asr", "vad")} for name in ("fp32", "int8")},
        "tokens": "tokens.txt",
        "cmvn": {"asr": "asr.mvn", "vad": "vad.mvn"},
        "files": {**files, **others},
        **texts,
    }
    return Bundle.elsewhere(values, at=str(Path(__file__).parent))


@dataclass(frozen=True, kw_only=True)
class FakeComparison(Comparison):
    """Two sides with differences that the runs do not have."""

    values: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        return self.values


class InProcessDecoder(Decoder):
    """Reads files without a worker process: the page's tests start none for a second of sound."""

    def load(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        cancel_check: CancelCheck | None = None,
        read: ReadOptions | None = None,
    ) -> Waveform:
        return load_audio(source, max_duration_s=max_duration_s, cancel_check=cancel_check, read=read)

    def open(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        cancel_check: CancelCheck | None = None,
        watch: Callable[[NDArray[np.float32]], None] | None = None,
        read: ReadOptions | None = None,
    ) -> AudioStream:
        waveform = load_audio(source, max_duration_s=max_duration_s, cancel_check=cancel_check, read=read)
        parts = (part for part in [waveform.samples])
        return AudioStream(parts, name=waveform.name, expected_s=waveform.duration_s, watch=watch, warnings=waveform.warnings)

    def probe(self, source: str | Path) -> Probe | None:
        return probe(Path(source))

    def warm_up(self) -> None:
        """Nothing to start."""


def _readings(text: str, count: int) -> tuple[Alternative, ...]:
    """So many readings, the text first; none where no other is asked for."""
    return tuple(Alternative(" ".join([text] + ["or"] * place), 0.6 / (place + 1)) for place in range(count if count > 1 else 0))


def _whole(recording: Recording) -> Waveform:
    if isinstance(recording, AudioStream):
        return Waveform(np.concatenate(list(recording.blocks())), name=recording.name, warnings=recording.warnings)
    return recording


class FakeEngine(SpeechEngine):
    """A :class:`SpeechEngine` that recognizes loudness."""

    address: str | None = None
    bundle = fake_bundle()
    lightweight = False
    recordings_at_once = 1
    toggle_effects: ToggleEffects | None = None

    def __init__(self) -> None:
        #: The options of each call.
        self.calls: list[TranscribeOptions] = []
        self.error: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        #: Waited for after the first segment; ``late_error`` is raised there.
        self.between = threading.Event()
        self.between.set()
        self.late_error: Exception | None = None
        self._last_rtf: float | None = None
        self.measured: dict[str, Speed] = {}

    @property
    def precisions(self) -> tuple[str, ...]:
        return tuple(self.bundle.variants)

    @property
    def precision(self) -> str:
        return "int8" if self.lightweight else "fp32"

    def transcribe(
        self,
        recording: Recording,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        file: str | None = None,
        progress: Progress | None = None,
        on_segment: OnSegment | None = None,
    ) -> Transcript:
        self.calls.append(options)
        if self.error is not None:
            raise self.error
        options.check(self.precisions)
        waveform = _whole(recording)
        for fraction, stage in ((0.1, "features"), (0.3, "vad"), (0.5, "asr")):
            if progress is not None:
                progress(fraction, stage)
        for _ in range(400):
            if self.hold.wait(0.05):
                break
            if progress is not None:
                progress(0.5, "asr")  # where a run that is no longer wanted ends
        assert self.hold.is_set()
        segments = tuple(self._segment(number, span, options) for number, span in enumerate(self._loud_spans(waveform)))
        for number, segment in enumerate(segments):
            if number:
                assert self.between.wait(20)
                if self.late_error is not None:
                    raise self.late_error
            if on_segment is not None:
                on_segment(segment)
        self._last_rtf = 0.0123
        chosen = self.precision if options.precision == CURRENT else options.precision
        slower = 1.0 if chosen == "int8" else 3.0
        timing = Timing(decode_s=0.01, features_s=0.01, vad_s=0.02, asr_s=0.02 * slower, total_s=0.04 + 0.02 * slower, rtf=0.0123 * slower)
        return Transcript(
            file=file or waveform.name,
            duration_s=waveform.duration_s,
            bundle=self.bundle.name,
            precision=chosen,
            segments=segments,
            timing=timing,
            warnings=waveform.warnings,
            speech_track=np.clip(self._loudness(waveform) * 8, 0, 1).astype(np.float32),
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
        names = [side.precision if isinstance(side, Variant) else side for side in (left, right)]
        runs = [self.transcribe(waveform, replace(options, precision=name), file=file, progress=progress) for name in names]
        first, second = (run.to_dict() for run in runs)
        tags = [{key: segment[key] for key in ("language", "emotion", "event")} for segment in first["segments"]]
        count = len(tags)
        whole = {"agree": count, "of": count}
        likelihoods = {
            "confidence": {side: {"language": 0.998, "emotion": 0.71, "event": 0.93} for side in ("left", "right")},
            "margin": {side: {"language": 0.996, "emotion": 0.51, "event": None} for side in ("left", "right")},
        }
        sides = [Side(transcript=run, sessions_mb=mb, file_mb=mb) for run, mb in zip(runs, (30.1, 9.4), strict=True)]
        return FakeComparison(
            left=sides[0],
            right=sides[1],
            values={
                "file": first["file"],
                "duration_s": first["duration_s"],
                "left": first,
                "right": second,
                "text": {
                    "unit": "word",
                    "diff": [
                        {"op": "equal", "left": "three one", "right": "three one"},
                        {"op": "replace", "left": "four", "right": "for"},
                        {"op": "delete", "left": "one", "right": ""},
                        {"op": "insert", "left": "", "right": "nine"},
                    ],
                    "edits": 3,
                    "distance": 0.3,
                    "equal": False,
                },
                "tags": {
                    "agreement": 1.0 if count else None,
                    "language": whole,
                    "emotion": whole,
                    "event": whole,
                    "segments": [
                        {"start_ms": segment["start_ms"], "end_ms": segment["end_ms"], "left": tag, "right": tag, **likelihoods}
                        for segment, tag in zip(first["segments"], tags, strict=True)
                    ],
                },
                "segments": {"left": count, "right": count, "boundaries": 2 * count, "within_10_ms": 2 * count},
                "time": {
                    "left_s": first["timing"]["total_s"],
                    "right_s": second["timing"]["total_s"],
                    "ratio": 0.6,
                    "left_rtf": first["timing"]["rtf"],
                    "right_rtf": second["timing"]["rtf"],
                },
                "memory": {"left_mb": 30.1, "right_mb": 9.4, "left_file_mb": 11.2, "right_file_mb": 3.1},
                "rounds": {"count": rounds, "left_s": [0.1] * rounds, "right_s": [0.06] * rounds},
            },
        )

    def set_lightweight(self, on: bool) -> ToggleReport:
        freed = RSS_MB[False] - RSS_MB[True] if on and not self.lightweight else 0.0
        if on != self.lightweight:
            closed = tuple(ClosedSession(model, "fp32", mb) for model, mb in (("asr", 100.0), ("vad", 8.0)))
            self.toggle_effects = ToggleEffects(on, (Closing(closed, RSS_MB[False], RSS_MB[True]),) if on else ())
        self.lightweight = on
        return ToggleReport(precision=self.precision, freed_mb=freed, rss_mb=RSS_MB[on])

    @property
    def is_open(self) -> bool:
        return self._last_rtf is not None

    def live(self, options: TranscribeOptions = DEFAULT_OPTIONS) -> LiveStream:
        raise NotOfferedError(what="live transcription", remedy="take the engine of tests/ui/live/test_live.py")

    def switch(self, bundle: Bundle) -> SwitchReport:
        self.bundle = bundle
        return SwitchReport(bundle=bundle.name, precision=self.precision, rss_before_mb=320.0, rss_mb=320.0, seconds=0.0)

    def close(self) -> None:
        """Nothing is open."""

    def warm_up(self) -> None:
        self._last_rtf = 0.01

    def speeds(self) -> dict[str, Speed]:
        return dict(self.measured)

    def resources(self) -> dict[str, Any]:
        sessions = [
            {"model": model, "precision": self.precision, "mb": 4.2, "provider": "CPUExecutionProvider"} for model in ("asr", "vad")
        ]
        return {
            "cpu_percent": 3.0,
            "rss_mb": RSS_MB[self.lightweight],
            "threads": 7,
            "sessions": sessions if self._last_rtf else [],
            "last_rtf": self._last_rtf,
            "gpu": None,
            "cores": {"cores": 2, "threads": 2, "runs": 2, "decided_by": "cores", "running": 1, "waiting": 3},
        }

    def _loudness(self, waveform: Waveform) -> np.ndarray:
        """Mean absolute sample of each 10 ms frame: (N,) -> (T,)."""
        frame = 160
        count = waveform.samples.size // frame
        loudness: np.ndarray = np.abs(waveform.samples[: count * frame]).reshape(count, frame).mean(axis=1)
        return loudness

    def _loud_spans(self, waveform: Waveform) -> list[tuple[int, int]]:
        loud = self._loudness(waveform) > LOUD
        spans: list[list[int]] = []
        for index in np.flatnonzero(loud):
            if spans and index - spans[-1][1] < 40:
                spans[-1][1] = int(index) + 1
            else:
                spans.append([int(index), int(index) + 1])
        return [(start * FRAME_MS, end * FRAME_MS) for start, end in spans if end - start > 10]

    def _segment(self, number: int, span: tuple[int, int], options: TranscribeOptions) -> Segment:
        emotion = EMOTIONS[number % len(EMOTIONS)]
        if options.ban_emo_unknown and emotion is Emotion.EMO_UNKNOWN:
            emotion = Emotion.SAD
        others = {emotion.value: 0.71, "SAD": 0.2, "SURPRISED": 0.05}
        return Segment(
            start_ms=span[0],
            end_ms=span[1],
            text=WORDS[number % len(WORDS)],
            language=Language.EN,
            emotion=emotion,
            event=Event.SPEECH,
            confidence=TagConfidence(language=0.998, emotion=0.71, event=0.93),
            tokens=(Token(text="three", start_ms=span[0], end_ms=span[1], confidence=0.9),),
            probabilities={"emotion": others, "language": {"en": 0.998, "zh": 0.002}},
            alternatives=_readings(WORDS[number % len(WORDS)], options.n_best),
        )
