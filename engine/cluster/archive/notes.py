"""The workers' notes on a recording: the rows that travel through a job."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.errors import LightVoiceError
from engine.transcript import Segment
from engine.wire import decoded, encoded


class SearchedRecording(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A recording after decoding and VAD: its content, its length, and how many pieces of speech it was cut into."""

    sha256: str
    duration_s: float
    pieces: int
    decode_s: float = 0.0
    features_s: float = 0.0
    vad_s: float = 0.0
    warnings: tuple[ReadingWarning, ...] = ()


class PieceOf(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One piece of a recording: which one, its spans in milliseconds from the recording's start, and the channel that they lie in.

    The channel is None where the channels are mixed.
    """

    recording: SearchedRecording
    number: int
    spans_ms: tuple[tuple[int, int], ...]
    channel: int | None = None


class Recognized(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """One piece of a recording with its text."""

    recording: SearchedRecording
    number: int
    segments: tuple[Segment, ...]
    asr_s: float
    #: What of the options had no effect.
    warnings: tuple[ReadingWarning, ...] = ()
    #: The languages that the bundle was taught to write.
    taught: tuple[str, ...] = ()


class Known(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A recording whose result an earlier run has left."""

    sha256: str


class Failed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A recording that cannot be transcribed, and why."""

    error: str
    message: str


class Undone(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A recording that this worker cannot do and another one can: the worker is at fault, and why."""

    worker: str
    message: str


Note = SearchedRecording | PieceOf | Recognized | Known | Failed | Undone


def failed(error: Exception) -> Failed:
    """Why a recording failed: the type and the message of an error on one line."""
    if isinstance(error, LightVoiceError):
        return Failed(error=type(error).__name__, message=str(error))
    said = " ".join(str(error).split())
    return Failed(error=type(error).__name__, message=said or type(error).__name__)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One row of a job: the recording's place in the list, a note on it, and the frames (T, 80) float32 of a piece."""

    file: int
    note: Note
    frames: bytes = b""

    def to_dict(self) -> dict[str, Any]:
        """As Ray Data carries it."""
        return {"file": self.file, "note": encoded(self.note), "frames": self.frames}

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Row:
        """The row that Ray Data carried."""
        return cls(file=int(values["file"]), note=decoded(values["note"], Note), frames=values["frames"])
