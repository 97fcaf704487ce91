"""One transcript of the history as a row of its table, and what a person wants kept."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ui.history.search import searchable


class Keep(StrEnum):
    """What a person has kept of a run."""

    NOTHING = "nothing"
    TEXT = "text"
    SOUND = "sound"


@dataclass(frozen=True, kw_only=True)
class KeptTranscript:
    """One row: ``kind`` is where it came from (file, microphone, live), ``text`` its words, ``content`` what ``kept_result.py`` reads."""

    id: str
    kind: str
    name: str
    made_s: float
    duration_s: float
    text: str
    content: bytes = b""
    sound: bool = False
    #: Its place in the order of the history; later ones have higher numbers.
    number: int = 0


#: The beginning of every question for rows; ``, content`` may follow.
SELECTED = "SELECT number, id, kind, name, made_s, duration_s, words, sound"


def row_words(name: str, text: str) -> str:
    """What is searched: the name on its first line, then the text."""
    return f"{searchable(name)}\n{searchable(text)}"


def kept_row(row: tuple[Any, ...]) -> KeptTranscript:
    """A row of the table: :data:`SELECTED`, and the content where it was asked for."""
    number, transcript_id, kind, name, made_s, duration_s, words, sound, *content = row
    return KeptTranscript(
        number=number,
        id=transcript_id,
        kind=kind,
        name=name,
        made_s=made_s,
        duration_s=duration_s,
        text=words.partition("\n")[2],
        sound=bool(sound),
        content=content[0] if content else b"",
    )
