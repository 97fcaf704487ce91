"""Two texts → their minimal edit distance and a diff, by words or, in scripts without spaces, by characters."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.speech.unspaced import HAN, KANA, RADICALS_AND_MARKS

Costs = NDArray[np.int32]

_CJK = f"{RADICALS_AND_MARKS}{KANA}{HAN}"
_UNSPACED = re.compile(f"[{_CJK}]")
_UNITS = re.compile(rf"[{_CJK}]|[^\s{_CJK}]+")
#: Beyond this many cells the texts are cut at equal stretches first: an hour against an hour would need gigabytes.
MAX_CELLS = 25_000_000


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


def _join(units: Sequence[str]) -> str:
    text = ""
    for unit in units:
        close = not text or (_UNSPACED.match(text[-1]) and _UNSPACED.match(unit[0]))
        text += unit if close else f" {unit}"
    return text


def edit_steps(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Minimal alignment (Levenshtein 1966, row by row): pairs (i, j) in order, -1 where one side has nothing."""
    if len(left) > 1 and (len(left) + 1) * (len(right) + 1) > MAX_CELLS:
        return _halved(left, right)
    codes = {unit: number for number, unit in enumerate(dict.fromkeys([*left, *right]))}
    a, b = np.array([codes[unit] for unit in left], np.int32), np.array([codes[unit] for unit in right], np.int32)
    columns = np.arange(len(b) + 1, dtype=np.int32)
    rows = np.empty((len(a) + 1, len(b) + 1), np.int32)
    rows[0] = columns
    for index, code in enumerate(a, start=1):
        previous = rows[index - 1]
        best = np.concatenate([[index], np.minimum(previous[1:] + 1, previous[:-1] + (b != code))])
        # Insertions run along the row: a running minimum of (cost - column) is the same as stepping cell by cell.
        rows[index] = np.minimum.accumulate(best - columns) + columns
    return _walk_back(rows, a, b)


def _walk_back(rows: Costs, a: Costs, b: Costs) -> list[tuple[int, int]]:
    steps: list[tuple[int, int]] = []
    i, j = len(a), len(b)
    while i or j:
        here = rows[i, j]
        if i and j and here == rows[i - 1, j - 1] + (a[i - 1] != b[j - 1]):
            i, j = i - 1, j - 1
            steps.append((i, j))
        elif i and here == rows[i - 1, j] + 1:
            i -= 1
            steps.append((i, -1))
        else:
            j -= 1
            steps.append((-1, j))
    return steps[::-1]


def _halved(left: Sequence[str], right: Sequence[str]) -> list[tuple[int, int]]:
    """Hirschberg's division: split the left text in the middle, the right one where the two costs sum to the least."""
    middle = len(left) // 2
    head = _last_row(left[:middle], right)
    tail = _last_row(left[middle:][::-1], right[::-1])[::-1]
    cut = int(np.argmin(head + tail))
    first = edit_steps(left[:middle], right[:cut])
    second = edit_steps(left[middle:], right[cut:])
    return first + [(i + middle if i >= 0 else -1, j + cut if j >= 0 else -1) for i, j in second]


def _last_row(left: Sequence[str], right: Sequence[str]) -> Costs:
    codes = {unit: number for number, unit in enumerate(dict.fromkeys([*left, *right]))}
    b = np.array([codes[unit] for unit in right], np.int32)
    columns = np.arange(len(b) + 1, dtype=np.int32)
    row = columns
    for index, unit in enumerate(left, start=1):
        best = np.concatenate([[index], np.minimum(row[1:] + 1, row[:-1] + (b != codes[unit]))])
        row = np.minimum.accumulate(best - columns) + columns
    return row


def diff_texts(left: str, right: str) -> TextDiff:
    """Align two texts; ``edits`` is minimal, ``parts`` joins neighbours of one kind."""
    a, b = split_units(left), split_units(right)
    parts: list[tuple[str, list[str], list[str]]] = []
    edits = 0
    for i, j in edit_steps(a, b):
        if i < 0:
            op = "insert"
        elif j < 0:
            op = "delete"
        else:
            op = "equal" if a[i] == b[j] else "replace"
        edits += op != "equal"
        if not parts or parts[-1][0] != op:
            parts.append((op, [], []))
        parts[-1][1].extend([a[i]] if i >= 0 else [])
        parts[-1][2].extend([b[j]] if j >= 0 else [])
    distance = edits / max(len(a), len(b), 1)
    return TextDiff(_unit_name([*a, *b]), tuple(DiffPart(op, _join(x), _join(y)) for op, x, y in parts), edits, distance)
