"""The frozen results that leave the engine: Token, Alternative, Segment, Timing, Transcript."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.tags import Emotion, Event, Language

CONFIDENCE_DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One vocabulary piece with the time it was spoken and the model's confidence in [0, 1]."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True)
class Alternative:
    """One reading of a segment with its share, in [0, 1], among those that were kept to the end."""

    text: str
    probability: float


@dataclass(frozen=True, slots=True, kw_only=True)
class TagConfidence:
    """Probability in [0, 1] of each tag that was chosen."""

    language: float
    emotion: float
    event: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One stretch of speech: its text, its tags and its tokens; times count from the start of the recording."""

    start_ms: int
    end_ms: int
    text: str
    language: Language
    emotion: Emotion
    event: Event
    confidence: TagConfidence
    tokens: tuple[Token, ...] = ()
    #: The channel that it was spoken in, counting from 1, where every channel was recognized on its own.
    channel: int | None = None
    #: The name that a person gave the channel's speaker.
    speaker_name: str | None = None
    #: All probabilities by family, e.g. ``{"emotion": {"HAPPY": 0.7, …}}``; shown on hover, compared between precisions.
    probabilities: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    #: Readings with their probabilities, the best first, which is the text; none where they were not asked for.
    alternatives: tuple[Alternative, ...] = ()

    @property
    def speaker(self) -> str | None:
        """The speaker's name or label: one speaker a channel; None where the channels were not recognized apart."""
        return None if self.channel is None else self.speaker_name or f"Speaker {self.channel}"

    def to_dict(self) -> dict[str, Any]:
        """The segment as the JSON contract writes it.

        ``channel`` and ``speaker`` where the channels were recognized apart, ``alternatives`` where they were asked for.
        """
        readings = [{"text": one.text, "probability": round(one.probability, CONFIDENCE_DIGITS)} for one in self.alternatives]
        return {
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            **({} if self.channel is None else {"channel": self.channel, "speaker": self.speaker}),
            "text": self.text,
            "language": self.language.value,
            "emotion": self.emotion.value,
            "event": self.event.value,
            "confidence": {family: round(share, CONFIDENCE_DIGITS) for family, share in asdict(self.confidence).items()},
            "tokens": [{**asdict(token), "confidence": round(token.confidence, CONFIDENCE_DIGITS)} for token in self.tokens],
            **({"alternatives": readings} if readings else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Wall-clock seconds of each stage of one run.

    Segments are recognized while the next ones are read and searched: ``asr_s`` is how long the run then still waited for them.
    """

    decode_s: float
    features_s: float
    vad_s: float
    asr_s: float
    total_s: float
    rtf: float

    def to_dict(self) -> dict[str, float]:
        """The timing as the JSON contract writes it."""
        return {name: round(value, 5 if name == "rtf" else 4) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What one recording became in one precision of one bundle."""

    file: str
    duration_s: float
    bundle: str
    precision: str
    segments: tuple[Segment, ...]
    timing: Timing
    #: What of the recording could not be read as it was meant.
    warnings: tuple[ReadingWarning, ...] = ()
    #: Probability of speech per 10 ms frame, (T,) float32, for a plot; not part of the JSON contract.
    speech_track: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32), compare=False, repr=False)

    @property
    def text(self) -> str:
        """The segments' texts in order, joined by a space; empty for silence."""
        return " ".join(segment.text for segment in self.segments if segment.text)

    def to_dict(self) -> dict[str, Any]:
        """The transcript as the JSON contract writes it: one object, ready for ``json.dumps``."""
        return {
            "file": self.file,
            "duration_s": round(self.duration_s, 3),
            "bundle": self.bundle,
            "precision": self.precision,
            "text": self.text,
            "segments": [segment.to_dict() for segment in self.segments],
            "timing": self.timing.to_dict(),
            "warnings": [warning.to_dict() for warning in self.warnings],
        }
