"""A run's result ↔ what the history keeps of it: the transcript with all its probabilities, the person's words, the drawn waveform."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.editing.edits import Edits
from engine.transcript import Transcript
from engine.wire import decoded, encoded
from ui.history.errors import HistoryContentError
from ui.scheduling.recording_queue import Result


@dataclass(frozen=True, kw_only=True)
class KeptResult:
    """A :class:`Result` without the place of its sound: that lies where the history keeps recordings."""

    transcript: Transcript
    peaks: NDArray[np.float32]
    #: What the person made of the segments; None where nothing is changed.
    edits: Edits | None = None


def kept_content(result: Result) -> bytes:
    """A result as the history stores it: JSON, compressed with zlib."""
    kept = KeptResult(transcript=result.transcript, peaks=result.peaks, edits=result.edits)
    return zlib.compress(encoded(kept).encode("ascii"))


def kept_text(result: Result) -> str:
    """Its words, edits included: what is searched."""
    return result.edited().text


def read_content(content: bytes, *, name: str) -> Result:
    """The result that :func:`kept_content` wrote; HistoryContentError for what this version does not read."""
    try:
        kept = decoded(zlib.decompress(content), KeptResult)
    except (ValueError, zlib.error) as error:
        raise HistoryContentError(name=name) from error
    return Result(transcript=kept.transcript, peaks=kept.peaks, edits=kept.edits)
