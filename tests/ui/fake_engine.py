"""An Engine without weights, behind the same names: the seam of the page's unit tests. Speech is wherever it is loud."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from engine.audio.containers import Probe, probe
from engine.audio.read_options import ReadOptions
from engine.audio.waveform import AudioStream, Look, Waveform, load_audio
from engine.compare.compare import Variant
from engine.errors import UnknownPrecisionError
from engine.runtime.session_pool import VAD_AS_REQUEST, ClosedSession, Closing, ToggleEffects
from engine.runtime.speed import Speed
from engine.speech.endpointing import VadOptions
from engine.tags import Emotion, Event, Language, parse_language
from engine.transcript import Segment, TagConfidence, Timing, Token, Transcript

FRAME_MS = 10
LOUD = 0.02
WORDS = ("three one four", "one five nine", "two six five", "three five")
EMOTIONS = (Emotion.NEUTRAL, Emotion.HAPPY, Emotion.ANGRY, Emotion.EMO_UNKNOWN)
RSS_MB = {False: 320.0, True: 210.0}


@dataclass(frozen=True, kw_only=True)
class FakeBundle:
    folder: Path = Path(__file__).parent
    name: str = "fake"
    version: str = "0.0.1"
    kind: str = "starter"
    title: str = "A bundle of nothing <but> words"
    description: str = "Says the same digits whatever it hears; it is only here for the tests of the page."
    source: str = "made up by the tests"
    licence: str = "Apache-2.0"
    languages: tuple[str, ...] = ("en", "zh")
    variants: tuple[str, ...] = ("fp32", "int8")

    def described_in(self, language: str) -> str:
        return {"zh": "听到什么都说同样的数字"}.get(language, self.description)

    def size_mb(self, precision: str) -> float:
        return {"fp32": 11.2, "int8": 3.1}[precision]


@dataclass(frozen=True, kw_only=True)
class FakeReport:
    precision: str
    freed_mb: float
    rss_mb: float

    def to_dict(self) -> dict[str, Any]:
        return {"precision": self.precision, "freed_mb": self.freed_mb, "rss_mb": self.rss_mb}


@dataclass(frozen=True)
class FakeSide:
    transcript: Transcript


@dataclass(frozen=True)
class FakeComparison:
    values: dict[str, Any]
    left: FakeSide
    right: FakeSide

    def to_dict(self) -> dict[str, Any]:
        return self.values


def _whole(audio: str | Path | Waveform | AudioStream) -> Waveform:
    if isinstance(audio, AudioStream):
        return Waveform(np.concatenate(list(audio.blocks())), name=audio.name, warnings=audio.warnings)
    return audio if isinstance(audio, Waveform) else load_audio(audio)


class FakeEngine:
    """Implements what ``ui`` uses of ``engine.pipeline.Engine``."""

    #: Where the models run; None for this process.
    address: str | None = None

    def __init__(self) -> None:
        self.bundle = FakeBundle()
        self.lightweight = False
        self.calls: list[dict[str, Any]] = []
        #: The VAD options of each call.
        self.vads: list[tuple[VadOptions | None, str]] = []
        #: How each recording was to be read.
        self.reads: list[ReadOptions] = []
        self.error: Exception | None = None
        self.hold = threading.Event()
        self.hold.set()
        #: Waited for after the first segment; ``late_error`` is raised there.
        self.between = threading.Event()
        self.between.set()
        self.late_error: Exception | None = None
        self._last_rtf: float | None = None
        self.toggle_effects: ToggleEffects | None = None
        self.measured: dict[str, Speed] = {}

    @property
    def precisions(self) -> tuple[str, ...]:
        return self.bundle.variants

    @property
    def precision(self) -> str:
        return "int8" if self.lightweight else "fp32"

    def load(
        self, source: str | Path, *, max_duration_s: float | None = None, look: Look | None = None, read: ReadOptions | None = None
    ) -> Waveform:
        return load_audio(source, max_duration_s=max_duration_s, look=look, read=read)

    def open_recording(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        look: Look | None = None,
        watch: Callable[[np.ndarray], None] | None = None,
        read: ReadOptions | None = None,
    ) -> AudioStream:
        self.reads.append(read or ReadOptions())
        waveform = load_audio(source, max_duration_s=max_duration_s, look=look, read=read)
        parts = (part for part in [waveform.samples])
        return AudioStream(parts, name=waveform.name, expected_s=waveform.duration_s, watch=watch, warnings=waveform.warnings)

    def probe(self, source: str | Path) -> Probe | None:
        return probe(Path(source))

    def transcribe(
        self,
        audio: str | Path | Waveform | AudioStream,
        *,
        language: str = "auto",
        itn: bool = True,
        precision: str = "current",
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        vad_precision: str = VAD_AS_REQUEST,
        file: str | None = None,
        progress: Callable[[float, str], None] | None = None,
        on_segment: Callable[[Segment], None] | None = None,
    ) -> Transcript:
        language = parse_language(language)
        self.vads.append((vad, vad_precision))
        self.calls.append({"language": language, "itn": itn, "precision": precision, "ban_emo_unknown": ban_emo_unknown})
        if self.error is not None:
            raise self.error
        if precision not in ("current", *self.precisions):
            raise UnknownPrecisionError(precision=precision, known=self.precisions)
        waveform = _whole(audio)
        for fraction, stage in ((0.1, "features"), (0.3, "vad"), (0.5, "asr")):
            if progress is not None:
                progress(fraction, stage)
        for _ in range(400):
            if self.hold.wait(0.05):
                break
            if progress is not None:
                progress(0.5, "asr")  # where a run that is no longer wanted ends
        assert self.hold.is_set()
        segments = tuple(self._segment(number, span, ban_emo_unknown) for number, span in enumerate(self._loud_spans(waveform)))
        for number, segment in enumerate(segments):
            if number:
                assert self.between.wait(20)
                if self.late_error is not None:
                    raise self.late_error
            if on_segment is not None:
                on_segment(segment)
        self._last_rtf = 0.0123
        chosen = self.precision if precision == "current" else precision
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
        audio: str | Path | Waveform,
        *,
        language: str = "auto",
        itn: bool = True,
        left: str | Variant = "fp32",
        right: str | Variant = "int8",
        rounds: int = 1,
        file: str | None = None,
        progress: Callable[[float, str], None] | None = None,
    ) -> FakeComparison:
        names = [side.precision if isinstance(side, Variant) else side for side in (left, right)]
        runs = [self.transcribe(audio, language=language, itn=itn, precision=name, file=file, progress=progress) for name in names]
        first, second = (run.to_dict() for run in runs)
        tags = [{key: segment[key] for key in ("language", "emotion", "event")} for segment in first["segments"]]
        count = len(tags)
        whole = {"agree": count, "of": count}
        likelihoods = {
            "confidence": {side: {"language": 0.998, "emotion": 0.71, "event": 0.93} for side in ("left", "right")},
            "margin": {side: {"language": 0.996, "emotion": 0.51, "event": None} for side in ("left", "right")},
        }
        return FakeComparison(
            {
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
            *(FakeSide(run) for run in runs),
        )

    def set_lightweight(self, on: bool) -> FakeReport:
        freed = RSS_MB[False] - RSS_MB[True] if on and not self.lightweight else 0.0
        if on != self.lightweight:
            closed = tuple(ClosedSession(model, "fp32", mb) for model, mb in (("asr", 100.0), ("vad", 8.0)))
            self.toggle_effects = ToggleEffects(on, (Closing(closed, RSS_MB[False], RSS_MB[True]),) if on else ())
        self.lightweight = on
        return FakeReport(precision=self.precision, freed_mb=freed, rss_mb=RSS_MB[on])

    @property
    def is_open(self) -> bool:
        return self._last_rtf is not None

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
        }

    def _loudness(self, waveform: Waveform) -> np.ndarray:
        """Mean absolute sample of each 10 ms frame: (N,) -> (T,)."""
        frame = 160
        count = waveform.samples.size // frame
        return np.abs(waveform.samples[: count * frame]).reshape(count, frame).mean(axis=1)

    def _loud_spans(self, waveform: Waveform) -> list[tuple[int, int]]:
        loud = self._loudness(waveform) > LOUD
        spans: list[list[int]] = []
        for index in np.flatnonzero(loud):
            if spans and index - spans[-1][1] < 40:
                spans[-1][1] = int(index) + 1
            else:
                spans.append([int(index), int(index) + 1])
        return [(start * FRAME_MS, end * FRAME_MS) for start, end in spans if end - start > 10]

    def _segment(self, number: int, span: tuple[int, int], ban_emo_unknown: bool) -> Segment:
        emotion = EMOTIONS[number % len(EMOTIONS)]
        if ban_emo_unknown and emotion is Emotion.EMO_UNKNOWN:
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
        )
