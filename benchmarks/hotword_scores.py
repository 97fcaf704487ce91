"""Lists of hotwords, a tenth of which is spoken, and what they do to transcripts: recall, false insertions, errors in the rest."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rapidfuzz.distance import Levenshtein

from engine.compare.error_rate import normalize_text
from engine.speech.decoding.hotwords import Hotword
from engine.speech.unspaced import HAN_OF_ALL_PLANES
from engine.subtitles.mandarin_words import mandarin_words

#: Of the words of a list, those that are spoken; and how often such a word may be spoken: names are rare.
SPOKEN_SHARE, MOST_SPOKEN = 0.1, 3
SEED = 9527
LEAST_CHARACTERS, LEAST_LETTERS = 2, 5
_RUNS = re.compile(f"[{HAN_OF_ALL_PLANES}]+|[^\\s{HAN_OF_ALL_PLANES}]+")
_HAN = re.compile(f"[{HAN_OF_ALL_PLANES}]")


@dataclass(frozen=True)
class HotwordList:
    """Phrases that are spoken in some recordings, and phrases that are spoken in none."""

    spoken: tuple[str, ...]
    absent: tuple[str, ...]

    @property
    def phrases(self) -> tuple[str, ...]:
        """All of them."""
        return (*self.spoken, *self.absent)

    @property
    def hotwords(self) -> tuple[Hotword, ...]:
        """With the default weight."""
        return tuple(map(Hotword, self.phrases))


@dataclass
class Score:
    """Sums over recordings; characters are those that no hotword of the list covers."""

    spoken: int = 0
    found: int = 0
    inserted: int = 0
    edits: int = 0
    characters: int = 0
    audio_s: float = 0.0
    spent_s: list[float] = field(default_factory=list)

    @property
    def recall(self) -> float:
        """Of the hotwords that are spoken, the share that was written."""
        return self.found / max(self.spoken, 1)

    @property
    def inserted_an_hour(self) -> float:
        """Hotwords that were written and not spoken."""
        return 3600 * self.inserted / max(self.audio_s, 1e-9)

    @property
    def rest_cer(self) -> float:
        """Character error rate of what is no hotword."""
        return self.edits / max(self.characters, 1)

    def add(self, listed: Occurrences, reference: str, transcript: str, *, audio_s: float) -> None:
        """Count one recording."""
        expected, got = listed.count(reference), listed.count(transcript)
        self.spoken += expected.total()
        self.found += (expected & got).total()
        self.inserted += (got - expected).total()
        rest, written = (listed.without(text, expected) for text in (reference, transcript))
        self.edits += Levenshtein.distance(rest, written)
        self.characters += len(rest)
        self.audio_s += audio_s

    @classmethod
    def sum(cls, scores: Iterable[Score]) -> Score:
        """The scores of several lists as one; times as if each round had had all of them."""
        found = list(scores)
        counts = {
            name: sum(getattr(one, name) for one in found) for name in ("spoken", "found", "inserted", "edits", "characters", "audio_s")
        }
        return cls(**counts, spent_s=[sum(times) for times in zip(*(one.spent_s for one in found), strict=True)])


class Occurrences:
    """Where the phrases of a list stand in texts: Chinese anywhere, other words as whole words."""

    def __init__(self, phrases: Iterable[str]) -> None:
        ordered = sorted(map(normalize_text, phrases), key=len, reverse=True)
        self._pattern = re.compile("|".join(re.escape(one) if _HAN.search(one) else rf"\b{re.escape(one)}\b" for one in ordered) or r"(?!)")

    def count(self, text: str) -> Counter[str]:
        """How often each phrase occurs."""
        return Counter(self._pattern.findall(normalize_text(text)))

    def without(self, text: str, spoken: Counter[str]) -> str:
        """The normalized text without the phrases that are spoken, each as often as it is."""
        left = Counter(spoken)

        def cut(found: re.Match[str]) -> str:
            left[found[0]] -= 1
            return "" if left[found[0]] >= 0 else found[0]

        return self._pattern.sub(cut, normalize_text(text))


def words_of(text: str) -> list[str]:
    """The words of a text that may be hotwords: Chinese of two characters or more, others of five letters or more."""
    found = []
    for run in _RUNS.findall(normalize_text(text)):
        if _HAN.match(run):
            found += [word for word in mandarin_words(run) if len(word) >= LEAST_CHARACTERS]
        elif len(run) >= LEAST_LETTERS and run.isalpha():
            found.append(run)
    return found


def list_of(count: int, references: Sequence[str], others: Sequence[str], *, seed: int = SEED) -> HotwordList:
    """A list of ``count`` phrases, or of as many as there are: a tenth rare words of the references, the rest words of other texts."""
    drawn = random.Random(seed)  # noqa: S311 - no secret
    counts = Counter(word for text in references for word in words_of(text))
    rare = sorted(word for word, often in counts.items() if often <= MOST_SPOKEN)
    candidates = sorted({word for text in others for word in words_of(text)} - counts.keys())
    said = "\n".join(map(normalize_text, references))
    words = set(_RUNS.findall(said))
    absent = [word for word in candidates if (word not in said if _HAN.match(word) else word not in words)]
    spoken = drawn.sample(rare, min(len(rare), max(1, round(SPOKEN_SHARE * count))))
    return HotwordList(tuple(spoken), tuple(drawn.sample(absent, min(len(absent), count - len(spoken)))))
