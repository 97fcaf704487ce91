"""What inverse text normalization (ITN) yields: a stretch of a text and what it is written as."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Change:
    """The characters ``first`` to ``last`` (exclusive) of a spoken text, and the number they are written as."""

    first: int
    last: int
    written: str
