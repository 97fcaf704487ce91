"""Chinese characters → words, by the frequencies of jieba's dictionary.

jieba itself takes 1 s and 70 MB to load, and leaves a cache of 9 MB in the temporary folder and lines on standard error. The likeliest
words by their frequency, which is what it does with words that it knows, need its dictionary alone: 0.3 s and 9 MB, read when the
first Chinese text is cut. Left out: words that the dictionary has seen fewer than five times, and its guesses at unknown names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LONGEST_WORD = 8
_RAREST = 5


class _Frequencies:
    """Words in order, (N,) of up to eight characters, and the logarithm of each one's share of all words, (N,) float32."""

    def __init__(self, words: NDArray[np.str_], log_shares: NDArray[np.float32], *, log_total: float) -> None:
        self._words, self._log_shares = words, log_shares
        self.unknown = -log_total

    def log_shares(self, texts: list[str]) -> list[float | None]:
        """The log share of each text that is a word; None for any other."""
        asked = np.array(texts, dtype=self._words.dtype)
        places = np.minimum(np.searchsorted(self._words, asked), len(self._words) - 1)
        known = self._words[places] == asked
        return [float(share) if is_word else None for share, is_word in zip(self._log_shares[places], known, strict=True)]


@cache
def _frequencies() -> _Frequencies:
    """Read jieba's ``dict.txt``: ``word frequency part-of-speech`` a line. jieba itself is not imported."""
    found = find_spec("jieba")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("jieba is not installed; its dictionary cuts Chinese subtitles: pip install -r requirements.txt")
    words: list[str] = []
    counts: list[int] = []
    total = 0
    with Path(found.origin).with_name("dict.txt").open(encoding="utf-8") as lines:
        for line in lines:
            word, count, _ = line.split(" ")
            total += int(count)
            if int(count) >= _RAREST and len(word) <= LONGEST_WORD:
                words.append(word)
                counts.append(int(count))
    table = np.array(words, dtype=f"<U{LONGEST_WORD}")
    order = np.argsort(table)
    shares = (np.log(np.array(counts, np.float64)) - math.log(total)).astype(np.float32)
    return _Frequencies(table[order], shares[order], log_total=math.log(total))


def mandarin_words(text: str) -> Iterator[str]:
    """The likeliest words of a run of Chinese characters; joined they are the text."""
    size = len(text)
    lasts = [range(first + 1, min(size, first + LONGEST_WORD) + 1) for first in range(size)]
    frequencies = _frequencies()
    shares = iter(frequencies.log_shares([text[first:last] for first in range(size) for last in lasts[first]]))
    known = [[(share, last) for last in lasts[first] if (share := next(shares)) is not None] for first in range(size)]
    likeliest, end = [0.0] * (size + 1), [0] * size
    for first in reversed(range(size)):
        choices = known[first] or [(frequencies.unknown, first + 1)]
        likeliest[first], end[first] = max((share + likeliest[last], last) for share, last in choices)
    first = 0
    while first < size:
        yield text[first : end[first]]
        first = end[first]
