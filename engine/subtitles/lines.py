"""Words → the lines of one subtitle: as few as they need, about equally long, broken where a reader would pause."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from engine.subtitles.spoken_words import SpokenWord

_UNEVEN_COST, _ORPHAN_COST = 2.0, 1.5


class Filling:
    """Lines that are filled word by word, each until it is full: no other way needs fewer. ``indent`` columns of the first are taken."""

    def __init__(self, *, widest: int, indent: int = 0) -> None:
        self._widest, self._column = widest, indent
        self._empty = True
        self.lines = 1
        #: Columns of all words so far on one line.
        self.total = indent

    def add(self, word: SpokenWord) -> None:
        """Put a word at the end."""
        spaced = int(word.spaced and not self._empty)
        self.total += spaced + word.columns
        self._column += spaced + word.columns
        if self._column > self._widest and not self._empty:
            self.lines += 1
            self._column = word.columns
        self._empty = False


def broken_lines(words: Sequence[SpokenWord], *, widest: int, indent: int = 0) -> tuple[str, ...]:
    """The words on the fewest lines of at most ``widest`` columns that hold them."""
    filling = Filling(widest=widest, indent=indent)
    for word in words:
        filling.add(word)
    if filling.lines == 1:
        return (_line(words),)
    even, size = filling.total / filling.lines, len(words)
    edges = [0]
    for word in words:
        edges.append(edges[-1] + word.spaced + word.columns)
    least: list[dict[int, tuple[float, int]]] = [{0: (0.0, 0)}]
    for number in range(1, filling.lines + 1):
        reached: dict[int, tuple[float, int]] = {}
        for first, (cost_before, _) in least[-1].items():
            taken = indent if number == 1 else 0
            for last in range(first + 1, size + 1):
                width = taken + edges[last] - edges[first] - words[first].spaced
                if width > widest:
                    break
                if (last == size) != (number == filling.lines):
                    continue
                uneven = _UNEVEN_COST * ((width - even) / widest) ** 2
                orphan = _ORPHAN_COST * (last == first + 1 and size > filling.lines)
                cost = cost_before + uneven + orphan + (0.0 if last == size else words[last - 1].end_cost / 2)
                if cost < reached.get(last, (math.inf, 0))[0]:
                    reached[last] = (cost, first)
        least.append(reached)
    edges = [size]
    for reached in reversed(least[1:]):
        edges.append(reached[edges[-1]][1])
    return tuple(_line(words[first:last]) for first, last in pairwise(reversed(edges)))


def _line(words: Sequence[SpokenWord]) -> str:
    return "".join(f" {word.text}" if word.spaced and index else word.text for index, word in enumerate(words))
