"""Transcripts as JSON that loses nothing, unlike the rounded JSON contract: what travels between machines and lies in a job's folder."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from engine.audio.reading.reading_warnings import warnings_from_wire, warnings_to_wire
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Token, Transcript


def segment_to_wire(segment: Segment) -> dict[str, Any]:
    """A segment as plain values; enums are strings by themselves."""
    values = asdict(segment)
    values["probabilities"] = {family: dict(shares) for family, shares in segment.probabilities.items()}
    return values


def segment_from_wire(values: Mapping[str, Any]) -> Segment:
    """The segment that was written; KeyError, TypeError or ValueError for what is none."""
    return Segment(
        start_ms=values["start_ms"],
        end_ms=values["end_ms"],
        text=values["text"],
        language=Language(values["language"]),
        emotion=Emotion(values["emotion"]),
        event=Event(values["event"]),
        confidence=TagConfidence(**values["confidence"]),
        channel=values.get("channel"),
        tokens=tuple(Token(**token) for token in values["tokens"]),
        probabilities=values["probabilities"],
    )


def transcript_to_wire(transcript: Transcript) -> dict[str, Any]:
    """A transcript as plain values, the speech track as base64 of little-endian float32."""
    return {
        "file": transcript.file,
        "duration_s": transcript.duration_s,
        "bundle": transcript.bundle,
        "precision": transcript.precision,
        "segments": [segment_to_wire(segment) for segment in transcript.segments],
        "timing": asdict(transcript.timing),
        "warnings": warnings_to_wire(transcript.warnings),
        "speech_track": base64.b64encode(transcript.speech_track.astype("<f4").tobytes()).decode("ascii"),
    }


def transcript_from_wire(values: Mapping[str, Any]) -> Transcript:
    """The transcript that was written; KeyError, TypeError or ValueError for what is none."""
    return Transcript(
        file=values["file"],
        duration_s=values["duration_s"],
        bundle=values["bundle"],
        precision=values["precision"],
        segments=tuple(segment_from_wire(segment) for segment in values["segments"]),
        timing=Timing(**values["timing"]),
        warnings=warnings_from_wire(values.get("warnings", ())),
        speech_track=np.frombuffer(base64.b64decode(values.get("speech_track", "")), "<f4").astype(np.float32),
    )
