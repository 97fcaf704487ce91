"""Engine: one bundle, its sessions, and the way of a recording through them. Orchestration only.

A request decodes once, computes the fbank once, and keeps one lease on its precision's sessions from VAD to the last
segment. Segments are recognized one at a time: dynamic INT8 has one activation scale per tensor, and a loud neighbour in a
batch would cost accuracy, while a CPU gains nothing from it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.asr import Recognizer
from engine.audio import Waveform, load_audio
from engine.bundle import Bundle
from engine.compare import Comparison, Side
from engine.errors import GraphContractError
from engine.features import FBANK_BINS, FRAME_SHIFT_MS, Cmvn, FrameStack, Frontend, fbank
from engine.precision import CURRENT, OpenSession, SessionPool, SessionSet, ToggleReport, open_session
from engine.resources import ResourceMeter
from engine.segments import SpeechSpan, VadOptions
from engine.tags import Language, parse_language
from engine.transcript import Segment, Timing, Transcript
from engine.vad import SpeechDetector
from engine.vocabulary import Vocabulary

Floats = NDArray[np.float32]
Progress = Callable[[float, str], None]

#: Shares of a run that its stages are shown to take: decoding, features, VAD; the rest is recognition.
_STAGES = {"decode": (0.0, 0.05), "features": (0.05, 0.15), "vad": (0.15, 0.25), "asr": (0.25, 1.0)}


#: A segment tagged nospeech with at least this probability is left out even where it was given text.
SURE_OF_NO_SPEECH = 0.5


def _silent(fraction: float, stage: str) -> None:
    del fraction, stage


def _report(progress: Progress, stage: str, share: float) -> None:
    first, last = _STAGES[stage]
    progress(first + (last - first) * share, stage)


@dataclass(frozen=True)
class Parts:
    """What every request of a bundle shares besides its sessions."""

    bundle: Bundle
    vocabulary: Vocabulary
    frontend: Frontend

    @classmethod
    def load(cls, bundle: Bundle) -> Parts:
        """Read vocabulary and CMVN of a bundle."""
        return cls(bundle, Vocabulary.load(bundle.tokens_path), Frontend(asr=_stack(bundle, "asr"), vad=_stack(bundle, "vad")))

    def detector(self, sessions: SessionSet) -> SpeechDetector:
        """A speech detector on a lease's VAD session."""
        return SpeechDetector(sessions.vad, self.frontend, silence_ids=self.bundle.silence_ids)


@dataclass(frozen=True, kw_only=True)
class Wishes:
    """What one request asks of the recognizer."""

    language: str = "auto"
    itn: bool = True
    ban_emo_unknown: bool = False


class Engine:
    """The runtime of one bundle; safe to use from many threads."""

    def __init__(
        self,
        bundle: Bundle,
        *,
        precision: str = "fp32",
        device: str = "cpu",
        threads: int | None = None,
        vad: VadOptions | None = None,
        opener: OpenSession = open_session,
    ) -> None:
        self.bundle = bundle
        self.vad_options = vad or VadOptions()
        self._pool = SessionPool(bundle, precision=precision, device=device, threads=threads, opener=opener)
        self._parts = Parts.load(bundle)
        self._meter = ResourceMeter()
        self._last_rtf: float | None = None

    @property
    def precisions(self) -> tuple[str, ...]:
        """The variants of the bundle."""
        return tuple(self.bundle.variants)

    @property
    def precision(self) -> str:
        """The precision of a request that names none."""
        return self._pool.current

    @property
    def lightweight(self) -> bool:
        """Whether lightweight mode is on."""
        return self._pool.lightweight

    @property
    def threads(self) -> int:
        """Threads of each session."""
        return self._pool.threads

    def transcribe(
        self,
        audio: str | Path | Waveform,
        *,
        language: str = "auto",
        itn: bool = True,
        precision: str = CURRENT,
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        file: str | None = None,
        progress: Progress | None = None,
    ) -> Transcript:
        """Transcribe one recording.

        ``audio`` is a path or a Waveform; ``progress`` is told a fraction in [0, 1] and a stage (decode, features, vad,
        asr). Silence gives a transcript without segments. Raises the errors of :mod:`engine.errors`.
        """
        parse_language(language)
        name = self._pool.resolve(precision)
        tell = progress or _silent
        started = time.perf_counter()
        waveform = self._load(audio, tell)
        with self._pool.lease(name) as sessions:
            wishes = Wishes(language=language, itn=itn, ban_emo_unknown=ban_emo_unknown)
            run = _Run(self._parts, sessions, waveform, tell, wishes)
            segments = run.segments(vad or self.vad_options)
        # A Waveform was decoded before this call; its share is counted all the same.
        outside_s = waveform.decode_s if isinstance(audio, Waveform) else 0.0
        total_s = time.perf_counter() - started + outside_s
        rtf = total_s / waveform.duration_s
        self._last_rtf = rtf
        timing = Timing(decode_s=waveform.decode_s, features_s=run.features_s, vad_s=run.vad_s, asr_s=run.asr_s, total_s=total_s, rtf=rtf)
        return Transcript(
            file=file or waveform.name,
            duration_s=waveform.duration_s,
            bundle=self.bundle.name,
            precision=sessions.precision,
            segments=segments,
            timing=timing,
            speech_track=run.speech_track,
        )

    def _load(self, audio: str | Path | Waveform, tell: Progress) -> Waveform:
        _report(tell, "decode", 0.0)
        return audio if isinstance(audio, Waveform) else load_audio(audio)

    def compare(  # noqa: PLR0913 - the page's options, keyword-only
        self,
        audio: str | Path | Waveform,
        *,
        language: str = "auto",
        itn: bool = True,
        left: str = "fp32",
        right: str = "int8",
        ban_emo_unknown: bool = False,
        vad: VadOptions | None = None,
        file: str | None = None,
        progress: Progress | None = None,
    ) -> Comparison:
        """Run one recording through two precisions, one after the other, decoding it once.

        Each side's sessions are warmed with a moment of silence before its clock starts, so that neither pays for being opened.
        """
        parse_language(language)
        names = self._pool.resolve(left), self._pool.resolve(right)
        tell = progress or _silent
        waveform = self._load(audio, lambda fraction, stage: tell(fraction / 2, stage))
        sides = []
        for index, name in enumerate(names):
            with self._pool.lease(name) as sessions:
                self._warm(sessions)
                transcript = self.transcribe(
                    waveform,
                    language=language,
                    itn=itn,
                    precision=name,
                    ban_emo_unknown=ban_emo_unknown,
                    vad=vad,
                    file=file,
                    progress=lambda fraction, stage, done=index: tell((done + fraction) / 2, stage),  # type: ignore[misc]
                )
                sides.append(Side(transcript=transcript, sessions_mb=sessions.asr.mb + sessions.vad.mb, file_mb=self.bundle.size_mb(name)))
        return Comparison(left=sides[0], right=sides[1])

    def _warm(self, sessions: SessionSet) -> None:
        silence = Waveform(np.zeros(16_000, np.float32), name="warm-up")
        run = _Run(self._parts, sessions, silence, _silent, Wishes())
        frames = fbank(silence.samples)
        run.detector.silence_probabilities(frames)
        run.recognizer.recognize(self._parts.frontend.asr_features(frames), duration_ms=1000)

    def warm_up(self) -> None:
        """Open the current precision's sessions and run them once, so that the first request finds them ready."""
        with self._pool.lease() as sessions:
            self._warm(sessions)

    def detect(self, audio: str | Path | Waveform, *, precision: str = CURRENT, vad: VadOptions | None = None) -> tuple[SpeechSpan, ...]:
        """Speech spans alone, without recognition."""
        waveform = audio if isinstance(audio, Waveform) else load_audio(audio)
        with self._pool.lease(precision) as sessions:
            return self._parts.detector(sessions).detect(waveform, fbank(waveform.samples), vad or self.vad_options)

    def set_lightweight(self, on: bool) -> ToggleReport:
        """Switch lightweight mode for the whole server."""
        return self._pool.set_lightweight(on)

    def resources(self) -> dict[str, Any]:
        """CPU, memory, threads, open sessions, last RTF, GPU."""
        return self._meter.read(self._pool.sessions(), last_rtf=self._last_rtf)

    def close(self) -> None:
        """Close the sessions and give their memory back."""
        self._pool.close()


def _stack(bundle: Bundle, model: str) -> FrameStack:
    lfr = bundle.lfr[model]
    path = bundle.path(bundle.cmvn[model])
    return FrameStack(lfr_m=lfr.m, lfr_n=lfr.n, cmvn=Cmvn.load(path, expected_dim=FBANK_BINS * lfr.m))


class _Run:
    """One request's way through one session set, with its clock."""

    def __init__(self, parts: Parts, sessions: SessionSet, waveform: Waveform, tell: Progress, wishes: Wishes) -> None:
        self.detector = parts.detector(sessions)
        self.recognizer = Recognizer(sessions.asr, parts.vocabulary, parts.bundle)
        self._frontend, self._waveform, self._tell, self._wishes = parts.frontend, waveform, tell, wishes
        self._max_frames = int(sessions.asr.metadata.get("max_frames", "0"))
        self.features_s = self.vad_s = self.asr_s = 0.0
        self.speech_track: Floats = np.zeros(0, np.float32)

    def segments(self, options: VadOptions) -> tuple[Segment, ...]:
        """VAD, then every span recognized; spans without speech in them are left out."""
        clock = time.perf_counter()
        _report(self._tell, "features", 0.0)
        frames = fbank(self._waveform.samples)
        self.features_s = time.perf_counter() - clock
        clock = time.perf_counter()
        silence = self.detector.silence_probabilities(frames, progress=lambda share: _report(self._tell, "vad", share))
        spans = self.detector.detect(self._waveform, frames, options, silence=silence)
        self.speech_track = np.asarray(1.0 - silence, np.float32)
        self.vad_s = time.perf_counter() - clock
        clock = time.perf_counter()
        found = []
        for index, span in enumerate(spans):
            _report(self._tell, "asr", index / len(spans))
            segment = self._segment(span, frames)
            if segment is not None:
                found.append(segment)
        _report(self._tell, "asr", 1.0)
        self.asr_s = time.perf_counter() - clock
        return tuple(found)

    def _segment(self, span: SpeechSpan, frames: Floats) -> Segment | None:
        # Frames lie on a 10 ms grid and so do spans: these are the frames of the cut-out samples, without computing them again.
        first, last = span.start_ms // FRAME_SHIFT_MS, max(0, (span.end_ms - 25) // FRAME_SHIFT_MS + 1)
        own = frames[first : min(last, len(frames))]
        if not len(own):
            return None
        features = self._frontend.asr_features(own)
        if self._max_frames and len(features) > self._max_frames:
            reason = f"a segment of {len(features)} frames is longer than the graph's positions ({self._max_frames}); lower max_segment_ms"
            raise GraphContractError(path="asr", reason=reason)
        duration_ms = span.end_ms - span.start_ms
        wishes = self._wishes
        heard = self.recognizer.recognize(
            features, duration_ms=duration_ms, language=wishes.language, itn=wishes.itn, ban_emo_unknown=wishes.ban_emo_unknown
        )
        if heard.language is Language.NOSPEECH and (not heard.text or heard.confidence.language >= SURE_OF_NO_SPEECH):
            return None  # FSMN-VAD over-triggers on noise; the recognizer's own verdict settles it
        tokens = tuple(replace(t, start_ms=t.start_ms + span.start_ms, end_ms=t.end_ms + span.start_ms) for t in heard.tokens)
        return Segment(
            start_ms=span.start_ms,
            end_ms=span.end_ms,
            text=heard.text,
            language=heard.language,
            emotion=heard.emotion,
            event=heard.event,
            confidence=heard.confidence,
            tokens=tokens,
            probabilities=heard.probabilities,
        )
