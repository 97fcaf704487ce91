"""Segments in a language whose text a bundle was never taught: tagged rightly, and their text means nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.tags import LANGUAGE_CHOICES, Language
from engine.transcript import Segment

#: What a request names that leaves the language to the model.
AUTO = LANGUAGE_CHOICES[0]


def untaught_warnings(segments: Iterable[Segment], *, taught: Collection[str], asked: str = AUTO) -> tuple[ReadingWarning, ...]:
    """One warning where segments are in other languages than ``taught`` (codes as bundle.json lists them), else none.

    ``asked`` is the language that the request names: the model then reads all segments as if they were in it, however it tags them.
    """
    if asked not in (AUTO, Language.NOSPEECH) and asked not in taught:
        segments = [replace(segment, language=Language(asked)) for segment in segments]
    count = sum(segment.language not in taught and segment.language != Language.NOSPEECH for segment in segments)
    return (ReadingWarning(type=WarningType.NOT_TAUGHT, values={"segments": count}),) if count else ()
