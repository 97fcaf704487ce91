"""Two texts → their minimal edit distance and a diff, by words or, in scripts without spaces, by characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from engine.speech.unspaced import HAN, KANA, RADICALS_AND_MARKS, joined

_CJK = f"{RADICALS_AND_MARKS}{KANA}{HAN}"
_UNSPACED = re.compile(f"[{_CJK}]")
_UNITS = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")


@dataclass(frozen=True)
class DiffPart:
    """One stretch of the diff: ``equal``, ``replace``, ``insert`` or ``delete``, with what stands left and right."""

    op: str
    left: str
    right: str


@dataclass(frozen=True)
class TextDiff:
    """Two texts aligned: units, parts in order, number of edits, distance in [0, 1] over the longer text."""

    unit: str
    parts: tuple[DiffPart, ...]
    edits: int
    distance: float

    @property
    def equal(self) -> bool:
        """Whether the texts hold the same units."""
        return self.edits == 0


def split_units(text: str) -> list[str]:
    """Words of spaced scripts, single characters of unspaced ones."""
    return _UNITS.findall(text)


def _unit_name(units: Sequence[str]) -> str:
    unspaced = sum(bool(_UNSPACED.match(unit)) for unit in units)
    if not unspaced:
        return "word"
    return "character" if unspaced == len(units) else "mixed"


def diff_texts(left: str, right: str) -> TextDiff:
    """Align two texts: ``edits`` is minimal, and neighbours of one kind are one part."""
    # Not at the top: a server starts without a comparison, and the library takes 15 ms.
    from rapidfuzz.distance import Levenshtein  # noqa: PLC0415

    a, b = split_units(left), split_units(right)
    steps = [(one.tag, a[one.src_start : one.src_end], b[one.dest_start : one.dest_end]) for one in Levenshtein.opcodes(a, b)]
    edits = sum(max(len(removed), len(added)) for op, removed, added in steps if op != "equal")
    parts = tuple(DiffPart(op, joined(removed, _UNSPACED), joined(added, _UNSPACED)) for op, removed, added in steps)
    return TextDiff(_unit_name([*a, *b]), parts, edits, edits / max(len(a), len(b), 1))
