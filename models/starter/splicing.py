"""New utterances from the words of recorded ones: a speaker's words in another order, cut where ``alignment.py`` found them.

A few thousand sentences read by two hundred people are soon known by heart, and then what is recognized is the sentence and no longer the
word. Words of one speaker joined anew (https://arxiv.org/abs/2104.01393) cannot be learnt so; short runs of them are also what voice
activity detection leaves of a hesitant reader.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from engine.tags import Language
from models.starter.augment import silence
from models.starter.prepare import FeatureStore, Item
from models.starter.units import WORD_START

#: The store's offset of an utterance -> the frame where each of its words begins, and the one after the last.
Cuts = dict[int, list[int]]
WORDS_FILE = "words.json"
LONGEST_RUN = 4
PAUSE_SHARE = 0.15
SHORT_SHARE = 0.35
SHORT_WORDS = 3


def read_cuts(folder: Path) -> Cuts:
    """What ``alignment.py`` wrote into a work folder; nothing where it did not run."""
    path = folder / WORDS_FILE
    return {int(offset): cuts for offset, cuts in json.loads(path.read_text(encoding="utf-8")).items()} if path.is_file() else {}


def _grouped(units: Sequence[int], names: Sequence[str], *, characters: bool, sounds: bool) -> list[list[int]]:
    groups: list[list[int]] = [[]]
    for unit in units:
        if characters:
            groups[-1].append(unit)
            if not sounds or names[unit][-1].isdigit():  # a syllable ends with its toned final
                groups.append([])
        else:
            if names[unit].startswith(WORD_START):
                groups.append([])
            groups[-1].append(unit)
    return [group for group in groups if group]


def _words(item: Item) -> list[str]:
    """An utterance's words; Mandarin's are its characters."""
    return list(str(item.text)) if item.language == Language.ZH.value else str(item.text).split()


def word_groups(item: Item, store: FeatureStore) -> tuple[list[list[int]], list[list[int]]] | None:
    """An utterance's text units and its sounds, word by word (Mandarin: character by character); None where they do not match its text."""
    if not item.text or item.targets is None or item.sounds is None:
        return None
    characters = item.language == Language.ZH.value
    targets = _grouped(item.targets, store.pieces, characters=characters, sounds=False)
    sounds = _grouped(item.sounds, store.sounds, characters=characters, sounds=True)
    return (targets, sounds) if len(targets) == len(sounds) == len(_words(item)) else None


class Splicer:
    """Joins runs of words of one speaker; knows only the utterances whose words were found."""

    def __init__(self, store: FeatureStore, items: Sequence[Item], cuts: Cuts, settings: dict[str, Any]) -> None:
        self.store, self.cuts = store, cuts
        self.shares: dict[str, float] = settings["splice_shares"]
        self.groups = {
            item.offset: groups
            for item in items
            if item.offset in cuts and item.source in self.shares and (groups := word_groups(item, store)) is not None
        }
        self.pools: dict[str, list[Item]] = {}
        for item in items:
            if item.offset in self.groups:
                self.pools.setdefault(item.speaker, []).append(item)

    def wants(self, item: Item, rng: np.random.Generator) -> bool:
        """Whether this draw of the utterance is to be replaced by one made of its speaker's words."""
        return item.offset in self.groups and bool(rng.random() < self.shares[item.source])

    def splice(self, item: Item, rng: np.random.Generator) -> tuple[np.ndarray, Item]:
        """A run of the utterance's own words, and runs of others of its speaker: frames and an item that carries the targets."""
        own, pool = len(self.groups[item.offset][0]), self.pools[item.speaker]
        wanted = int(rng.integers(1, SHORT_WORDS + 1)) if rng.random() < SHORT_SHARE else int(rng.integers(1, own + 3))
        parts: list[np.ndarray] = []
        targets: list[int] = []
        sounds: list[int] = []
        texts: list[str] = []
        source = item
        while len(texts) < wanted:
            targets_of, sounds_of = self.groups[source.offset]
            run = min(len(targets_of), wanted - len(texts), int(rng.integers(1, LONGEST_RUN + 1)))
            first = int(rng.integers(0, len(targets_of) - run + 1))
            cuts = self.cuts[source.offset]
            frames = self.store.frames(source)[cuts[first] : cuts[first + run]]
            if parts and len(frames) and rng.random() < PAUSE_SHARE:
                parts.append(silence(int(rng.integers(3, 25)), rng, like=frames))
            parts.append(frames)
            targets += [unit for group in targets_of[first : first + run] for unit in group]
            sounds += [unit for group in sounds_of[first : first + run] for unit in group]
            texts += _words(source)[first : first + run]
            source = pool[int(rng.integers(len(pool)))]
        joined = np.concatenate(parts)
        text = ("" if item.language == Language.ZH.value else " ").join(texts)
        return joined, replace(item, targets=targets, sounds=sounds, text=text, frames=len(joined))
