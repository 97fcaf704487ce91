"""What workers say of a file: the rows that travel through a job."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from engine.audio.reading.reading_warnings import ReadingWarning, warnings_from_wire, warnings_to_wire
from engine.cluster.wire import segment_from_wire, segment_to_wire
from engine.errors import LightVoiceError
from engine.transcript import Segment


@dataclass(frozen=True, kw_only=True)
class SearchedRecording:
    """A recording after decoding and VAD: its content, its length, and how many pieces of speech it was cut into."""

    sha256: str
    duration_s: float
    pieces: int
    decode_s: float = 0.0
    features_s: float = 0.0
    vad_s: float = 0.0
    warnings: tuple[ReadingWarning, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {**asdict(self), "warnings": warnings_to_wire(self.warnings)}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> SearchedRecording:
        """What :meth:`to_dict` made."""
        return cls(**{**values, "warnings": warnings_from_wire(values.get("warnings", ()))})


@dataclass(frozen=True, kw_only=True)
class PieceOf:
    """One piece of a recording: which one, its spans in milliseconds from the recording's start, and the channel that they lie in.

    The channel is None where the channels are mixed.
    """

    recording: SearchedRecording
    number: int
    spans_ms: tuple[tuple[int, int], ...]
    channel: int | None = None


@dataclass(frozen=True, kw_only=True)
class Recognized:
    """One piece of a recording with its text."""

    recording: SearchedRecording
    number: int
    segments: tuple[Segment, ...]
    asr_s: float


@dataclass(frozen=True, kw_only=True)
class Known:
    """A recording whose result an earlier run has left."""

    sha256: str


@dataclass(frozen=True, kw_only=True)
class Failed:
    """A recording that cannot be transcribed, and why."""

    error: str
    message: str


@dataclass(frozen=True, kw_only=True)
class Undone:
    """A recording that this worker cannot do and another one can: the worker is at fault, and why."""

    worker: str
    message: str


Note = SearchedRecording | PieceOf | Recognized | Known | Failed | Undone
_KINDS: dict[str, Callable[..., Note]] = {kind.__name__: kind for kind in (SearchedRecording, PieceOf, Recognized, Known, Failed, Undone)}


def failed(error: Exception) -> Failed:
    """Why a recording failed: our own errors say it; of others the type is part of the sentence."""
    if isinstance(error, LightVoiceError):
        return Failed(error=type(error).__name__, message=str(error))
    said = " ".join(str(error).split())
    return Failed(error=type(error).__name__, message=said or type(error).__name__)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a job: the recording's place in the list, what is said of it, and the frames (T, 80) float32 of a piece."""

    file: int
    note: Note
    frames: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """As Ray Data carries it."""
        return {"file": self.file, "note": json.dumps(_note_to_wire(self.note), ensure_ascii=False), "frames": self.frames}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Row:
        """The row that Ray Data carried."""
        return cls(file=int(values["file"]), note=_note_from_wire(json.loads(values["note"])), frames=values["frames"])


def _note_to_wire(note: Note) -> dict[str, Any]:
    values = {name: getattr(note, name) for name in (field.name for field in fields(note))}
    if isinstance(note, PieceOf | Recognized):
        values["recording"] = note.recording.to_dict()
    if isinstance(note, SearchedRecording):
        values = note.to_dict()
    if isinstance(note, Recognized):
        values["segments"] = [segment_to_wire(segment) for segment in note.segments]
    return {"kind": type(note).__name__, **values}


def _note_from_wire(values: dict[str, Any]) -> Note:
    kind = _KINDS[values.pop("kind")]
    if "recording" in values:
        values["recording"] = SearchedRecording.of(values["recording"])
    if "segments" in values:
        values["segments"] = tuple(segment_from_wire(segment) for segment in values["segments"])
    if kind is SearchedRecording:
        return SearchedRecording.of(values)
    if "spans_ms" in values:
        values["spans_ms"] = tuple((start_ms, end_ms) for start_ms, end_ms in values["spans_ms"])
    return kind(**values)
