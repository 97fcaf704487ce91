"""The recordings the starter bundle learns from, as one list of utterances with text, tags and a split.

Reads the ``labels.tsv`` of each public set (names and licences in this folder's README). Speakers are
disjoint between ``train`` and ``test``.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.tags import Emotion, Event, Language

DIGITS_EN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS_ZH = "零一二三四五六七八九"
CJK = re.compile(r"^[\u4e00-\u9fff]+$")

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
    #: Heard in a room.
    reverberant: bool = False

    @property
    def is_digit_string(self) -> bool:
        """Whether the text is English digits and nothing else."""
        return bool(self.text) and set(str(self.text).split()) <= set(DIGITS_EN)


def normalize_english(text: str) -> str:
    """Lower case, letters, apostrophes and single spaces: what the units can spell."""
    return " ".join(re.sub(r"[^a-z' ]+", " ", text.lower()).split())


def read_labels(folder: Path) -> list[dict[str, str]]:
    """The rows of ``labels.tsv``, each with its file checked; CorpusError names what is missing."""
    table = folder / "labels.tsv"
    if not table.is_file():
        raise CorpusError(f"no {table}; fetch the set named in models/starter/README.md into {folder}")
    with table.open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle, delimiter="\t", quoting=csv.QUOTE_NONE))
    missing = [row["path"] for row in rows if not (folder / row["path"]).is_file()]
    if missing:
        raise CorpusError(f"{table} names {len(missing)} files that are not there, the first is {missing[0]}; fetch the set again")
    return rows


def _draw(name: str) -> float:
    """A number in [0, 1) that depends on the name alone, so that a split never moves."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6], "big") / 2**48


def held_out_speechocean(rows: Sequence[dict[str, str]], *, digit_speakers: int, other_speakers: int) -> set[str]:
    """Speakers of speechocean762 kept for the test: some who read digit strings, some who do not."""
    readers = {row["speaker"] for row in rows if set(normalize_english(row["text"]).split()) <= set(DIGITS_EN)}
    others = {row["speaker"] for row in rows} - readers
    chosen = sorted(readers, key=_draw)[:digit_speakers] + sorted(others, key=_draw)[:other_speakers]
    return set(chosen)


def _english(folder: Path, *, source: str, text_key: str, test_speakers: Iterable[str], max_duration_s: float) -> Iterator[Utterance]:
    test = set(test_speakers)
    for row in read_labels(folder):
        text = normalize_english(row[text_key])
        if not text or float(row["duration_s"]) > max_duration_s:
            continue
        yield Utterance(
            path=folder / row["path"],
            text=text,
            language=Language.EN,
            emotion=Emotion.NEUTRAL,  # read speech counts as neutral
            event=Event.SPEECH,
            source=source,
            speaker=f"{source}/{row['speaker']}",
            split="test" if row["speaker"] in test else "train",
            duration_s=float(row["duration_s"]),
        )


def _mandarin(folder: Path, *, source: str, test_fraction: float) -> Iterator[Utterance]:
    for row in read_labels(folder):
        text = row["label"].replace(" ", "").replace("幺", "一")
        yield Utterance(
            path=folder / row["path"],
            text=text if CJK.match(text) else None,  # a toned syllable teaches the language tag and the sounds
            language=Language.ZH,
            emotion=Emotion.NEUTRAL,
            event=Event.SPEECH,
            source=source,
            speaker=f"{source}/{row['speaker']}",
            split="test" if _draw(f"{source}/{text}") < test_fraction else "train",
            duration_s=float(row["duration_s"]),
            pinyin=None if CJK.match(text) else row["label"].lower(),
        )


def _ravdess(folder: Path, *, test_speakers: Iterable[str]) -> Iterator[Utterance]:
    test = set(test_speakers)
    for row in read_labels(folder):
        spoken = re.search(r"text=([^;]+)", row["notes"])
        if spoken is None:
            raise CorpusError(f"{folder / 'labels.tsv'}: no text= in the notes of {row['path']}; fetch the set again")
        yield Utterance(
            path=folder / row["path"],
            text=normalize_english(spoken.group(1)),
            language=Language.EN,
            emotion=RAVDESS_EMOTIONS[row["label"]],
            event=Event.SPEECH,
            source="ravdess",
            speaker=f"ravdess/{row['speaker']}",
            split="test" if row["speaker"] in test else "train",
            duration_s=float(row["duration_s"]),
        )


def _esc10(folder: Path) -> Iterator[Utterance]:
    for row in read_labels(folder):
        fold = re.search(r"fold=(\d)", row["notes"])
        yield Utterance(
            path=folder / row["path"],
            text="",
            language=Language.NOSPEECH,
            emotion=Emotion.EMO_UNKNOWN,
            event=ESC10_EVENTS.get(row["label"], Event.EVENT_UNK),
            source="esc10",
            speaker=f"esc10/{row['path']}",
            split="test" if fold is not None and fold.group(1) == "4" else "train",
            duration_s=float(row["duration_s"]),
        )


def read_corpus(data: Path, config: dict[str, Any], *, without: Iterable[str] = ()) -> list[Utterance]:
    """Every utterance of every set, but those named in ``without``."""
    if not data.is_dir():
        raise CorpusError(f"no data folder {data}; models/starter/README.md says which public sets belong there")
    settings, held_out = config["corpus"], config["corpus"]["held_out"]
    limit = float(settings["max_duration_s"])
    fraction = float(settings["mandarin_test_fraction"])
    left_out = set(without)
    utterances: list[Utterance] = []
    if "speechocean762" not in left_out:
        folder = data / "speechocean762"
        speakers = held_out_speechocean(
            read_labels(folder),
            digit_speakers=held_out["speechocean762_digit_speakers"],
            other_speakers=held_out["speechocean762_other_speakers"],
        )
        utterances += _english(folder, source="speechocean762", text_key="text", test_speakers=speakers, max_duration_s=limit)
    if "fsdd" not in left_out:
        utterances += _english(data / "fsdd", source="fsdd", text_key="label", test_speakers=held_out["fsdd"], max_duration_s=limit)
    if "ljspeech_subset" not in left_out:
        utterances += _english(data / "ljspeech_subset", source="ljspeech_subset", text_key="label", test_speakers=(), max_duration_s=limit)
    for name in ("aishell_sample", "audio_cmn", "pinyin_sound"):
        if name not in left_out:
            utterances += _mandarin(data / name, source=name, test_fraction=fraction)
    if "ravdess" not in left_out:
        utterances += _ravdess(data / "ravdess", test_speakers=held_out["ravdess"])
    if "esc10" not in left_out:
        utterances += _esc10(data / "esc10")
    return utterances
