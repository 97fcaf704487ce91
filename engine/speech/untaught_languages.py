"""Segments in a language whose text a bundle was never taught: tagged rightly, and their text means nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.tags import Language
from engine.transcript import Segment


def untaught_warnings(segments: Iterable[Segment], *, taught: Collection[str]) -> tuple[ReadingWarning, ...]:
    """One warning where segments are in other languages than ``taught`` (codes as bundle.json lists them), else none."""
    count = sum(segment.language not in taught and segment.language != Language.NOSPEECH for segment in segments)
    return (ReadingWarning(type=WarningType.NOT_TAUGHT, values={"segments": count}),) if count else ()
