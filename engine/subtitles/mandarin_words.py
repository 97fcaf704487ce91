"""Chinese characters → words, by the frequencies of jieba's dictionary.

jieba itself takes 1 s and 70 MB to load, and leaves a cache of 9 MB in the temporary folder and lines on standard error. The likeliest
words by their frequency, which is what it does with words that it knows, need its dictionary alone: 0.4 s and 12 MB, read when the
first Chinese text is cut. Left out: its guesses at words that are not in the dictionary, such as names.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

LONGEST_WORD = 8


class _Frequencies:
    """For each length the words in order, (N,), and the logarithm of each one's share of all words, (N,) float32."""

    def __init__(self, tables: Mapping[int, tuple[NDArray[np.str_], NDArray[np.float32]]], *, unknown: float) -> None:
        self._tables = tables
        #: The log share of a character that is no word.
        self.unknown = unknown

    def of_spans(self, text: str, length: int) -> list[float | None]:
        """The log share of each stretch of ``length`` characters, by where it begins; None for what is no word."""
        words, log_shares = self._tables[length]
        asked = np.array([text[first : first + length] for first in range(len(text) - length + 1)], dtype=words.dtype)
        places = np.minimum(np.searchsorted(words, asked), len(words) - 1)
        known = words[places] == asked
        return [float(share) if is_word else None for share, is_word in zip(log_shares[places], known, strict=True)]


@cache
def _frequencies() -> _Frequencies:
    """Read jieba's ``dict.txt``: ``word frequency part-of-speech`` a line. jieba itself is not imported."""
    found = find_spec("jieba")
    if found is None or found.origin is None:
        raise ModuleNotFoundError("jieba is not installed; its dictionary cuts Chinese subtitles: pip install -r requirements.txt")
    counted: dict[int, dict[str, int]] = {length: {} for length in range(1, LONGEST_WORD + 1)}
    total = 0
    with Path(found.origin).with_name("dict.txt").open(encoding="utf-8") as lines:
        for line in lines:
            word, count, _ = line.split(" ")
            total += int(count)
            if len(word) <= LONGEST_WORD:
                counted[len(word)][word] = int(count)
    tables = {}
    for length, counts in counted.items():
        words = np.array(sorted(counts), dtype=f"<U{length}")
        shares = np.log(np.array([counts[word] for word in sorted(counts)], np.float64)) - math.log(total)
        tables[length] = (words, shares.astype(np.float32))
    return _Frequencies(tables, unknown=-math.log(total))


def mandarin_words(text: str) -> Iterator[str]:
    """The likeliest words of a run of Chinese characters; joined they are the text."""
    size, frequencies = len(text), _frequencies()
    shares = {length: frequencies.of_spans(text, length) for length in range(1, min(size, LONGEST_WORD) + 1)}
    likeliest, end = [0.0] * (size + 1), [0] * size
    for first in reversed(range(size)):
        spans = ((length, shares[length][first]) for length in range(1, min(size - first, LONGEST_WORD) + 1))
        known = [(share, first + length) for length, share in spans if share is not None]
        choices = known or [(frequencies.unknown, first + 1)]
        likeliest[first], end[first] = max((share + likeliest[last], last) for share, last in choices)
    first = 0
    while first < size:
        yield text[first : end[first]]
        first = end[first]
