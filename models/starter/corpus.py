"""One recording of those the starter bundle learns from: text, tags and a split. ``public_sets.py`` reads the sets."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from engine.speech.unspaced import UNIFIED_HAN
from engine.tags import Emotion, Event, Language
from models.evaluate.labels import LABELS, RecordingsError, labelled_rows

DIGITS_EN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS_ZH = "零一二三四五六七八九"
CJK = re.compile(f"^[{UNIFIED_HAN}]+$")

RAVDESS_EMOTIONS = {
    "neutral": Emotion.NEUTRAL,
    "calm": Emotion.NEUTRAL,
    "happy": Emotion.HAPPY,
    "sad": Emotion.SAD,
    "angry": Emotion.ANGRY,
    "fearful": Emotion.FEARFUL,
    "disgust": Emotion.DISGUSTED,
    "surprised": Emotion.SURPRISED,
}
ESC10_EVENTS = {"baby cry": Event.CRY, "person sneeze": Event.SNEEZE}


class CorpusError(Exception):
    """A data folder is missing or differs from its labels."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """One recording: what is said (None where nobody wrote it down) and how."""

    path: Path
    text: str | None
    language: Language
    emotion: Emotion | None
    event: Event
    source: str
    speaker: str
    split: str
    duration_s: float
    #: Toned pinyin where that, and not characters, is what the label says.
    pinyin: str | None = None
    #: Played this many times as fast, pitch included: another voice out of the same recording.
    speed: float = 1.0
    #: Recorded in a room with an echo.
    reverberant: bool = False
    #: Spoilt as ``spoiling.py`` does; the name of one of its kinds.
    spoiling: str | None = None

    @property
    def is_digit_string(self) -> bool:
        """Whether the text is English digits and nothing else."""
        return bool(self.text) and set(str(self.text).split()) <= set(DIGITS_EN)


def normalize_english(text: str) -> str:
    """Lower case, letters, apostrophes and single spaces: what the units can spell."""
    return " ".join(re.sub(r"[^a-z' ]+", " ", text.lower()).split())


def read_labels(folder: Path) -> list[dict[str, str]]:
    """The rows of ``labels.tsv``, each with its file checked; CorpusError names what is missing."""
    table = folder / LABELS
    if not table.is_file():
        raise CorpusError(f"no {table}; fetch the set named in models/starter/README.md into {folder}")
    try:
        return labelled_rows(folder)
    except RecordingsError as error:
        raise CorpusError(str(error)) from error
