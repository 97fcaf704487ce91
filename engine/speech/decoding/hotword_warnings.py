"""What a transcript says about hotwords that had no effect."""

from __future__ import annotations

from collections.abc import Sequence

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType

#: Characters of the phrases that are named; the others are counted.
MOST_NAMED_CHARACTERS = 400
MORE = "…"


def left_out_warnings(bundle: str) -> tuple[ReadingWarning, ...]:
    """That a bundle's graph answers the best token alone."""
    return (ReadingWarning(type=WarningType.HOTWORDS_LEFT_OUT, values={"bundle": bundle[:MOST_NAMED_CHARACTERS]}),)


def unwritable_warnings(phrases: Sequence[str]) -> tuple[ReadingWarning, ...]:
    """That phrases cannot be written in the vocabulary; none where there are no such phrases."""
    if not phrases:
        return ()
    named, length = [], 0
    for phrase in phrases:
        length += len(phrase) + 2
        if length > MOST_NAMED_CHARACTERS:
            named.append(MORE)
            break
        named.append(phrase)
    return (ReadingWarning(type=WarningType.HOTWORDS_UNWRITABLE, values={"count": len(phrases), "phrases": ", ".join(named)}),)
