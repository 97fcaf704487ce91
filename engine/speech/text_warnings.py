"""What is to be said of a transcript's words as a whole: that they mean nothing, or that many are likely wrong."""

from __future__ import annotations

from collections.abc import Collection

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.speech.unsure_results import unsure_warnings
from engine.speech.untaught_languages import untaught_warnings
from engine.transcript import Segment


def text_warnings(segments: tuple[Segment, ...], *, taught: Collection[str], asked: str) -> tuple[ReadingWarning, ...]:
    """Languages that were not ``taught``, of segments or ``asked`` for, and a result that the model is unsure of; else nothing."""
    return (*untaught_warnings(segments, taught=taught, asked=asked), *unsure_warnings(segments))
