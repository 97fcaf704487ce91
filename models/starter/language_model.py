"""Texts → the n-gram model of engine/speech/decoding/language_model.py: interpolated modified Kneser-Ney, pruned.

Chen and Goodman 1999 (https://doi.org/10.1006/csla.1999.0128). N-grams are packed into 64-bit numbers, and counted by sorting. Pruned by
count, and by weighted difference (Seymore and Rosenfeld 1996, "Scalable backoff language models"): an n-gram goes whose count, times the
logarithm of its probability over what its shorter one would give, is small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import first_line
from engine.speech.decoding.language_model import MOST_UNITS, START, STOP, UNIT_BITS, UNKNOWN, WORDS, LanguageModel, units_of_text
from engine.speech.decoding.spelling import is_han
from models.starter.corpus import CorpusError
from models.starter.prepare import Item
from models.starter.units import UnitEncoder

#: Recordings of single digits and of two sentences a thousand times say nothing of how words follow each other.
_NO_TEXTS = ("fsdd", "ravdess")

Keys = NDArray[np.uint64]
Floats = NDArray[np.float64]
_BITS = np.uint64(UNIT_BITS)


def piece_encoder(pieces: Sequence[str], english_model: bytes) -> Callable[[str], Sequence[str] | None]:
    """What a text is in the starter's pieces: Chinese by character, the rest as its SentencePiece model cuts it; None if it cannot be."""
    encoder = UnitEncoder(pieces, english_model)

    def encode(text: str) -> Sequence[str] | None:
        ids = encoder.encode(text, characters=any(is_han(character) for character in text))
        return None if ids is None else [pieces[index] for index in ids]

    return encode


def texts_of(items: Iterable[Item], files: Iterable[Path]) -> tuple[list[tuple[str, int]], list[str]]:
    """What the model learns from, each text once, and the texts that are held out: those of ``test`` speakers.

    ``files`` are more texts, in UTF-8, one a line. CorpusError names one that cannot be read.
    """
    held_out, found = set(), set()
    for item in items:
        if item.text and item.split == "test":
            held_out.add(item.text)
        elif item.text and item.source not in _NO_TEXTS:
            found.add(item.text)
    more: list[tuple[str, int]] = []
    for path in files:
        try:
            more += [(line.strip(), 1) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        except (OSError, UnicodeDecodeError) as error:
            raise CorpusError(f"{path} cannot be read as text in UTF-8 ({first_line(error)}); give one text a line") from error
    return [*((text, 1) for text in sorted(found)), *more], sorted(held_out)


def train(
    texts: Iterable[tuple[str, int]],
    *,
    fragments: Iterable[tuple[str, int]] = (),
    cutoffs: Sequence[int] = (1, 1, 2),
    least_gain: float = 0.0,
    min_count: int = 2,
    held_out: Iterable[str] = (),
    encode: Callable[[str], Sequence[str] | None] = units_of_text,
    kind: str = WORDS,
) -> LanguageModel:
    """A model of texts, each given with how often it counts, in the units of ``kind`` that ``encode`` makes of them (None: left out).

    ``fragments`` are pieces of texts, given likewise: nothing is learnt of how sentences begin and end.
    There is an order for each of ``cutoffs``; n-grams seen less often than it says are left out, and those of three and more units whose
    weighted difference is below ``least_gain`` nats; and texts that are ``held_out``, in whatever spelling. Units seen less often than
    ``min_count`` become unknown.
    """
    kept_out = {tuple(units_of_text(text)) for text in held_out}
    chosen = [(text, times) for text, times in texts if tuple(units_of_text(text)) not in kept_out]
    sentences = [([START, *units, STOP], times) for text, times in chosen if (units := encode(text))]
    sentences += [(list(units), times) for text, times in fragments if (units := encode(text))]
    counts: Counter[str] = Counter()
    for units, times in sentences:
        for unit in units:
            counts[unit] += times
    del counts[START], counts[STOP]
    known = [unit for unit, count in counts.most_common(MOST_UNITS - 3) if count >= min_count]
    units = [START, STOP, UNKNOWN, *known]
    ids = {unit: index for index, unit in enumerate(units)}
    windows = _counted(sentences, ids, len(cutoffs))
    tables, gains = _kneser_ney(windows, len(units))
    kept = _worth_keeping(windows, gains, cutoffs, least_gain)
    return _pruned(units, [keys for keys, _ in windows], tables, kept, kind)


def _counted(sentences: Sequence[tuple[Sequence[str], int]], ids: Mapping[str, int], order: int) -> list[tuple[Keys, Floats]]:
    """For each order the distinct n-grams, sorted, and how often each occurs."""
    lengths = np.array([len(units) for units, _ in sentences], np.int64)
    unknown = ids[UNKNOWN]
    stream = np.fromiter((ids.get(unit, unknown) for units, _ in sentences for unit in units), np.uint64, count=int(lengths.sum()))
    sentence = np.repeat(np.arange(len(sentences)), lengths)
    times = np.array([times for _, times in sentences], np.float64)[sentence]
    found = []
    packed = stream.copy()
    for size in range(1, order + 1):
        if size > 1:
            packed = packed[:-1] << _BITS | stream[size - 1 :]
        whole = sentence[size - 1 :] == sentence[: len(sentence) - size + 1]
        keys, place = np.unique(packed[whole], return_inverse=True)
        weights = times[size - 1 :][whole]
        found.append((keys, np.asarray(np.bincount(place, weights=weights, minlength=len(keys)), np.float64)))
    return found


def _kneser_ney(windows: Sequence[tuple[Keys, Floats]], size: int) -> tuple[list[Floats], list[Floats]]:
    """The interpolated probability of each n-gram's last unit after the others, by order, and its weighted difference in nats."""
    tables: list[Floats] = []
    gains: list[Floats] = []
    for order, (keys, counts) in enumerate(windows, start=1):
        adjusted = counts if order == len(windows) else _continuations(keys, counts, windows[order][0], order)
        if order == 1:
            adjusted[0] = 0.0  # nothing is followed by a start
        discounts = _discounts(adjusted)
        taken = discounts[np.minimum(adjusted, 3).astype(np.int64)]
        first, group = _groups(keys >> _BITS if order > 1 else np.zeros(len(keys), np.uint64))
        total = np.add.reduceat(adjusted, first)[group]
        left_over = np.add.reduceat(np.minimum(taken, adjusted), first)[group] / total
        if order == 1:
            lower: Floats = np.full(len(keys), 1.0 / (size - 1))
        else:
            below = windows[order - 2][0]
            lower = tables[-1][np.searchsorted(below, keys & np.uint64((1 << UNIT_BITS * (order - 1)) - 1))]
        tables.append(np.maximum(adjusted - taken, 0.0) / total + left_over * lower)
        gains.append(counts * np.log(tables[-1] / np.maximum(left_over * lower, 1e-12)))
    return tables, gains


def _worth_keeping(
    windows: Sequence[tuple[Keys, Floats]], gains: Sequence[Floats], cutoffs: Sequence[int], least_gain: float
) -> list[NDArray[np.bool_]]:
    """Which n-grams stay, by order; what a longer one that stays begins with stays as well."""
    kept = [counts >= cutoff for (_, counts), cutoff in zip(windows, cutoffs, strict=True)]
    kept[0][:] = True
    for order in range(len(windows), 2, -1):
        kept[order - 1] &= gains[order - 1] >= least_gain
        if order < len(windows):
            longer = windows[order][0][kept[order]] >> _BITS
            kept[order - 1][np.searchsorted(windows[order - 1][0], np.unique(longer))] = True
    return kept


def _continuations(keys: Keys, counts: Floats, longer: Keys, order: int) -> Floats:
    """How many different units come before each n-gram, at least one; for one that begins a sentence, how often it occurs."""
    mask = np.uint64((1 << UNIT_BITS * order) - 1)
    before = np.bincount(np.searchsorted(keys, longer & mask), minlength=len(keys)).astype(np.float64)
    begins = keys >> np.uint64(UNIT_BITS * (order - 1)) == 0  # the id of START
    return np.asarray(np.where(begins, counts, np.maximum(before, 1)), np.float64)


def _discounts(counts: Floats) -> Floats:
    """What is taken of counts of 0, 1, 2, and 3 or more (Chen and Goodman's D1, D2, D3+)."""
    ones, twos, threes, fours = (max(1.0, float((counts == number).sum())) for number in (1, 2, 3, 4))
    rest = ones / (ones + 2 * twos)
    found = [0.0, 1 - 2 * rest * twos / ones, 2 - 3 * rest * threes / twos, 3 - 4 * rest * fours / threes]
    return np.asarray(np.clip(np.array(found), [0.0, 0.1, 0.2, 0.3], [0.0, 0.95, 1.9, 2.9]), np.float64)


def _groups(contexts: Keys) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Where each run of equal contexts begins, and the run of each place."""
    starts = np.concatenate([[True], contexts[1:] != contexts[:-1]])
    return np.flatnonzero(starts), np.cumsum(starts) - 1


def _pruned(
    units: Sequence[str], windows: Sequence[Keys], tables: Sequence[Floats], stay: Sequence[NDArray[np.bool_]], kind: str
) -> LanguageModel:
    """Leave out n-grams, and let each context give to its shorter one what the n-grams left do not take."""
    keys: list[Keys] = []
    shares: list[Floats] = []
    backoffs: list[Floats] = []
    for order, (all_keys, table, kept) in enumerate(zip(windows, tables, stay, strict=True), start=1):
        keys.append(all_keys[kept])
        shares.append(table[kept])
        backoffs.append(np.ones(int(kept.sum())))
        if order == 1:
            keys[0], shares[0] = _every_unit(keys[0], shares[0], len(units))
            backoffs[0] = np.ones(len(units))
        elif len(keys[-1]):
            first, _ = _groups(keys[-1] >> _BITS)
            places = np.searchsorted(keys[-2], keys[-1][first] >> _BITS)
            lower = shares[-2][np.searchsorted(keys[-2], keys[-1] & np.uint64((1 << UNIT_BITS * (order - 1)) - 1))]
            rest = 1 - np.add.reduceat(shares[-1], first), 1 - np.add.reduceat(lower, first)
            backoffs[-2][places] = np.maximum(rest[0], 1e-6) / np.maximum(rest[1], 1e-6)
    logs = [np.log(np.maximum(share, 1e-9)).astype(np.float16) for share in shares]
    return LanguageModel(units, keys, logs, [np.log(backoff).astype(np.float16) for backoff in backoffs], kind=kind)


def _every_unit(keys: Keys, shares: Floats, size: int) -> tuple[Keys, Floats]:
    """Units that no text has after the cut, as the unknown one may be, get what the rarest has."""
    found = np.full(size, shares[shares > 0].min())
    found[keys.astype(np.int64)] = np.maximum(shares, 1e-9)
    return np.arange(size, dtype=np.uint64), found
