"""An n-gram language model with backoff, and its file.

Its units are the pieces of one bundle's vocabulary, or words and Chinese characters: words in plain form, single characters of Han and
kana, and digits, as the symbols of :mod:`engine.speech.decoding.spelling` with words joined. The file is a compressed ``.npz``: ``kind``
(which of the two), ``units`` (UTF-8, one a line), and for each order n what an ARPA file has, in two bytes an n-gram: ``keys_n``
(8, count) uint8, the difference of each key to the one before, byte by byte from the lowest (a key is the ids of the n units, 16 bits each,
the last unit lowest; keys are sorted), ``log_probs_n`` uint8 and ``backoffs_n`` int8, tenths of natural logarithms, the former negated.
Training: models/starter/language_model.py.
"""

from __future__ import annotations

import zipfile
from bisect import bisect_left
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BundleFileMissingError, BundleFormatError
from engine.speech.decoding.spelling import BEGIN, END, symbols_of

FORMAT = 1
#: How finely logarithms are kept, and the bytes of a key.
STEP, KEY_BYTES = 0.1, 8
START, STOP, UNKNOWN = "<s>", "</s>", "<unk>"
PIECES, WORDS = "pieces", "words"
UNIT_BITS = 16
MOST_UNITS = 1 << UNIT_BITS
#: N-grams whose probability is kept for the next time, some 10 MB.
REMEMBERED = 1 << 15
_LAST_CHARACTER = "\U0010ffff"

Ids = tuple[int, ...]


def units_of_text(text: str) -> list[str]:
    """A text as units: words in plain form, characters, digits."""
    units: list[str] = []
    word: str | None = None
    for symbol in symbols_of(text):
        if symbol == BEGIN:
            word = ""
        elif symbol == END:
            units.append(word or "")
            word = None
        elif word is None:
            units.append(symbol)
        else:
            word += symbol
    return units


def _joined(planes: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """The keys of their differences' bytes (8, count)."""
    differences = np.ascontiguousarray(planes.T).view("<u8").reshape(-1)
    return np.cumsum(differences, dtype=np.uint64)


def _steps(logarithms: NDArray[np.floating], kind: type[np.integer[Any]]) -> NDArray[Any]:
    limits = np.iinfo(kind)
    return np.asarray(np.clip(np.round(logarithms.astype(np.float64) / STEP), limits.min, limits.max), kind)


def _bytes(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode(), np.uint8)


class LanguageModel:
    """An n-gram model with backoff; log-probabilities are natural."""

    def __init__(
        self,
        units: Sequence[str],
        keys: Sequence[NDArray[np.uint64]],
        log_probs: Sequence[NDArray[np.floating]],
        backoffs: Sequence[NDArray[np.floating]],
        *,
        kind: str = WORDS,
    ) -> None:
        """``units`` holds START, STOP and UNKNOWN; ``keys``, ``log_probs`` and ``backoffs`` hold an array for each order from 1 on."""
        self.order, self.kind = len(keys), kind
        self._ids = {unit: index for index, unit in enumerate(units)}
        self._keys, self._log_probs, self._backoffs = keys, log_probs, backoffs
        self.start, self.stop, self.unknown = (self._ids[unit] for unit in (START, STOP, UNKNOWN))
        self.log_prob = lru_cache(REMEMBERED)(self._log_prob)
        self.best_with_prefix = lru_cache(REMEMBERED)(self._best_with_prefix)

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """Read a model; BundleFileMissingError, or BundleFormatError for a file that is none."""
        path = Path(path)
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as values:
                found, kind = int(values["format"]), values["kind"].tobytes().decode()
                orders = range(1, int(values["order"]) + 1)
                units = values["units"].tobytes().decode().split("\n")
                keys = [_joined(values[f"keys_{order}"]) for order in orders]
                log_probs = [values[f"log_probs_{order}"] * np.float32(-STEP) for order in orders]
                backoffs = [values[f"backoffs_{order}"] * np.float32(STEP) for order in orders]
        except FileNotFoundError:
            raise BundleFileMissingError(path=path) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BundleFormatError(path=path, reason=f"it is no language model ({type(error).__name__})") from error
        if found != FORMAT:
            raise BundleFormatError(path=path, reason=f"its format is {found}, not {FORMAT}, the one this version reads")
        if kind not in (PIECES, WORDS):
            raise BundleFormatError(path=path, reason=f"its units are {kind!r}, neither {PIECES} nor {WORDS}")
        sound = len(set(units)) == len(units) <= MOST_UNITS and {START, STOP, UNKNOWN} <= set(units) and bool(keys)
        same = all(len(k) == len(p) == len(b) for k, p, b in zip(keys, log_probs, backoffs, strict=True))
        if not sound or not same or len(keys[0]) != len(units):
            raise BundleFormatError(path=path, reason="its units and its tables do not fit together")
        return cls(units, keys, log_probs, backoffs, kind=kind)

    def save(self, path: str | Path) -> None:
        """Write the file that :meth:`load` reads."""
        tables: dict[str, Any] = {"format": np.array(FORMAT), "kind": _bytes(self.kind), "order": np.array(self.order)}
        for order, (keys, log_probs, backoffs) in enumerate(zip(self._keys, self._log_probs, self._backoffs, strict=True), start=1):
            tables[f"keys_{order}"] = np.diff(keys, prepend=np.uint64(0)).astype("<u8").view(np.uint8).reshape(-1, KEY_BYTES).T
            tables[f"log_probs_{order}"] = _steps(-log_probs, np.uint8)
            tables[f"backoffs_{order}"] = _steps(backoffs, np.int8)
        tables["units"] = _bytes("\n".join(self._ids))
        np.savez_compressed(path, **tables)

    def __len__(self) -> int:
        """The n-grams of all orders."""
        return sum(map(len, self._keys))

    def unit_id(self, unit: str) -> int | None:
        """The number of a unit; None for one that the model does not know."""
        return self._ids.get(unit)

    def _place(self, ids: Ids) -> int | None:
        keys = self._keys[len(ids) - 1]
        key = 0
        for unit in ids:
            key = key << UNIT_BITS | unit
        place = int(np.searchsorted(keys, np.uint64(key)))
        return place if place < len(keys) and int(keys[place]) == key else None

    def _log_prob(self, history: Ids, unit: int) -> float:
        """The log-probability of a unit after the last units, the latest last."""
        history = history[-(self.order - 1) :] if self.order > 1 else ()
        total = 0.0
        while True:
            place = self._place((*history, unit))
            if place is not None:
                return total + float(self._log_probs[len(history)][place])
            context = self._place(history)
            if context is not None:
                total += float(self._backoffs[len(history) - 1][context])
            history = history[1:]

    @cached_property
    def _words(self) -> tuple[list[str], NDArray[np.float64]]:
        """The units in alphabetical order, and the log-probability of each on its own."""
        words = sorted(set(self._ids) - {START, STOP, UNKNOWN})
        return words, np.array([self._log_prob((), self._ids[word]) for word in words], np.float64)

    def _best_with_prefix(self, prefix: str) -> float | None:
        """The log-probability of the likeliest word that begins with a prefix, without its history; None where no word does."""
        words, single = self._words
        first, last = bisect_left(words, prefix), bisect_left(words, prefix + _LAST_CHARACTER)
        return float(single[first:last].max()) if first < last else None

    def score(self, text: str) -> float:
        """The log-probability of a whole text in words, its end included."""
        history: Ids = (self.start,)
        total = 0.0
        for unit in [*map(self._ids.get, units_of_text(text)), self.stop]:
            known = self.unknown if unit is None else unit
            total += self.log_prob(history[-self.order :], known)
            history = (*history, known)
        return total
