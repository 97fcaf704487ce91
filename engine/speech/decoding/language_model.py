"""An n-gram language model of words and Chinese characters, and its scores in the beam search.

Units are words in plain form, single characters of Han and kana, and digits: the symbols of :mod:`engine.speech.decoding.spelling`, words
joined. The file is a compressed ``.npz``: ``units`` (UTF-8, one a line), and for each order n ``keys_n`` (uint64, sorted: the ids of the n
units, 16 bits each, the last unit lowest), ``log_probs_n`` and ``backoffs_n`` (float16, natural logarithms), as an ARPA file has them.
Training: models/starter/language_model.py.
"""

from __future__ import annotations

import zipfile
from bisect import bisect_left
from collections.abc import Hashable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BundleFileMissingError, BundleFormatError
from engine.speech.decoding.spelling import BEGIN, END, Speller, symbols_of

FORMAT = 1
START, STOP, UNKNOWN = "<s>", "</s>", "<unk>"
UNIT_BITS = 16
MOST_UNITS = 1 << UNIT_BITS
#: What a word that the model does not know costs beyond its probability, for each letter: any spelling is as good as another.
UNKNOWN_LETTER = -2.5
_LAST_CHARACTER = "\U0010ffff"

Ids = tuple[int, ...]
#: The ids of the last units, the letters of an open word, and whether a word is open.
State = tuple[Ids, str, bool]


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


class LanguageModel:
    """An n-gram model with backoff; log-probabilities are natural."""

    def __init__(
        self,
        units: Sequence[str],
        keys: Sequence[NDArray[np.uint64]],
        log_probs: Sequence[NDArray[np.floating]],
        backoffs: Sequence[NDArray[np.floating]],
    ) -> None:
        """``units`` holds START, STOP and UNKNOWN; ``keys``, ``log_probs`` and ``backoffs`` hold an array for each order from 1 on."""
        self.order = len(keys)
        self._ids = {unit: index for index, unit in enumerate(units)}
        self._keys, self._log_probs, self._backoffs = keys, log_probs, backoffs
        self.start, self.stop, self.unknown = (self._ids[unit] for unit in (START, STOP, UNKNOWN))
        self.log_prob = cache(self._log_prob)
        #: Words in order, with the likeliest of each prefix, for :meth:`best_with_prefix`.
        self._words = sorted(unit for unit in units if unit not in (START, STOP, UNKNOWN))
        self._single = np.array([self._log_prob((), self._ids[word]) for word in self._words], np.float64)
        self.best_with_prefix = cache(self._best_with_prefix)

    @classmethod
    def load(cls, path: str | Path) -> LanguageModel:
        """Read a model; BundleFileMissingError, or BundleFormatError for a file that is none."""
        path = Path(path)
        try:
            with path.open("rb") as handle, np.load(handle, allow_pickle=False) as values:
                found = int(values["format"])
                orders = range(1, int(values["order"]) + 1)
                units = values["units"].tobytes().decode().split("\n")
                keys, log_probs, backoffs = ([values[f"{kind}_{order}"] for order in orders] for kind in ("keys", "log_probs", "backoffs"))
        except FileNotFoundError:
            raise BundleFileMissingError(path=path) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise BundleFormatError(path=path, reason=f"it is no language model ({type(error).__name__})") from error
        if found != FORMAT:
            raise BundleFormatError(path=path, reason=f"its format is {found}, not {FORMAT}, the one this version reads")
        sound = len(set(units)) == len(units) <= MOST_UNITS and {START, STOP, UNKNOWN} <= set(units) and bool(keys)
        same = all(len(k) == len(p) == len(b) for k, p, b in zip(keys, log_probs, backoffs, strict=True))
        if not sound or not same or len(keys[0]) != len(units):
            raise BundleFormatError(path=path, reason="its units and its tables do not fit together")
        return cls(units, keys, log_probs, backoffs)

    def save(self, path: str | Path) -> None:
        """Write the file that :meth:`load` reads."""
        tables: dict[str, Any] = {
            f"{kind}_{order}": table
            for kind, own in (("keys", self._keys), ("log_probs", self._log_probs), ("backoffs", self._backoffs))
            for order, table in enumerate(own, start=1)
        }
        text = np.frombuffer("\n".join(self._ids).encode(), np.uint8)
        np.savez_compressed(path, format=np.array(FORMAT), order=np.array(self.order), units=text, **tables)

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

    def _best_with_prefix(self, prefix: str) -> float | None:
        """The log-probability of the likeliest word that begins with a prefix, without its history; None where no word does."""
        first = bisect_left(self._words, prefix)
        last = bisect_left(self._words, prefix + _LAST_CHARACTER)
        return float(self._single[first:last].max()) if first < last else None

    def score(self, text: str) -> float:
        """The log-probability of a whole text, its end included."""
        history: Ids = (self.start,)
        total = 0.0
        for unit in [*map(self._ids.get, units_of_text(text)), self.stop]:
            known = self.unknown if unit is None else unit
            total += self.log_prob(history[-self.order :], known)
            history = (*history, known)
        return total


class LanguageModelScorer:
    """A language model as a scorer of the beam search.

    While a word is open, it is scored as the likeliest word that begins with its letters, and corrected when it ends: otherwise a beam
    would prefer words that have not ended yet.
    """

    def __init__(self, model: LanguageModel, speller: Speller, *, weight: float, unit_bonus: float) -> None:
        """``unit_bonus`` is added for each unit, against a model's liking for few."""
        self._model, self._speller, self._weight, self._bonus = model, speller, weight, unit_bonus
        #: As in :class:`engine.speech.decoding.scorer.Scorer`.
        self.most = max(0.0, unit_bonus)
        self._ahead = cache(self._look_ahead)

    def start(self) -> Hashable:
        """As :meth:`engine.speech.decoding.scorer.Scorer.start`."""
        return (self._model.start,), "", False

    def step(self, state: State, token_id: int) -> tuple[Hashable, float]:
        """As :meth:`engine.speech.decoding.scorer.Scorer.step`."""
        history, word, opened = state
        symbols, in_word = self._speller.read(token_id, in_word=opened)
        total = 0.0
        for symbol in symbols:
            if symbol == BEGIN:
                opened = True
            elif symbol == END:
                history, added = self._end_word(history, word)
                word, opened, total = "", False, total + added
            elif opened:
                total += self._ahead(word + symbol) - (self._ahead(word) if word else 0.0)
                word += symbol
            else:
                history, added = self._unit(history, self._model.unit_id(symbol), 1)
                total += added
        return (history, word, in_word), total

    def finish(self, state: State) -> float:
        """As :meth:`engine.speech.decoding.scorer.Scorer.finish`."""
        history, word, in_word = state
        total = 0.0
        if in_word:
            history, total = self._end_word(history, word)
        return total + self._weight * self._model.log_prob(history, self._model.stop)

    def _end_word(self, history: Ids, word: str) -> tuple[Ids, float]:
        history, added = self._unit(history, self._model.unit_id(word), len(word))
        return history, added - (self._ahead(word) if word else 0.0)

    def _unit(self, history: Ids, unit: int | None, letters: int) -> tuple[Ids, float]:
        known = self._model.unknown if unit is None else unit
        log_prob = self._model.log_prob(history, known) + (UNKNOWN_LETTER * letters if unit is None else 0.0)
        return (*history, known)[-max(1, self._model.order - 1) :], self._weight * log_prob + self._bonus

    def _look_ahead(self, prefix: str) -> float:
        best = self._model.best_with_prefix(prefix)
        if best is None:
            best = self._model.log_prob((), self._model.unknown) + UNKNOWN_LETTER * len(prefix)
        return self._weight * best + self._bonus
