"""One reader for each public set of recordings: its ``labels.tsv`` to utterances with text, tags and a split.

Whole speakers are held out where a set names its speakers; which ones depends on their names alone, so that a split never moves.
:func:`read_corpus` reads all of them (names and licences in this folder's README) into one list.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.tags import Emotion, Event, Language
from models.evaluate.labels import draw
from models.starter.corpus import (
    CJK,
    DIGITS_EN,
    ESC10_EVENTS,
    RAVDESS_EMOTIONS,
    CorpusError,
    Utterance,
    normalize_english,
    read_labels,
)

#: Sets whose speakers partly occur in another one under another name: what a held-out speaker reads there is left out of the training.
SAME_VOICES = ("cv61_zh_cn", "cv61_zh_tw", "commonvoice_zh")
#: A set's folder and the ``corpus`` settings to its utterances.
Reader = Callable[[Path, dict[str, Any]], Iterator[Utterance]]


def held_out_speechocean(rows: Sequence[dict[str, str]], *, digit_speakers: int, other_speakers: int) -> set[str]:
    """Speakers of speechocean762 kept for the test: some who read digit strings, some who do not."""
    readers = {row["speaker"] for row in rows if set(normalize_english(row["text"]).split()) <= set(DIGITS_EN)}
    others = {row["speaker"] for row in rows} - readers
    chosen = sorted(readers, key=draw)[:digit_speakers] + sorted(others, key=draw)[:other_speakers]
    return set(chosen)


def held_out_share(rows: Iterable[dict[str, str]], *, share: float) -> set[str]:
    """About ``share`` of the speakers of a set, [0, 1]."""
    speakers = sorted({row["speaker"] for row in rows}, key=draw)
    return set(speakers[: round(share * len(speakers))])


def _text_of(row: dict[str, str]) -> str:
    return (row["text"] if "text" in row else row["label"]) or ""


def _read(
    folder: Path, *, language: Language, split_of: Callable[[dict[str, str]], str], text_of: Callable[[dict[str, str]], str | None]
) -> Iterator[Utterance]:
    """Read speech of one language; it counts as neutral."""
    for row in read_labels(folder):
        yield Utterance(
            path=folder / row["path"],
            text=text_of(row),
            language=language,
            emotion=Emotion.NEUTRAL,
            event=Event.SPEECH,
            source=folder.name,
            speaker=f"{folder.name}/{row['speaker']}",
            split=split_of(row),
            duration_s=float(row["duration_s"]),
        )


def _by_speaker(folder: Path, settings: dict[str, Any]) -> Callable[[dict[str, str]], str]:
    """The split of a set: all of it for the test, some named speakers, or a share of the speakers."""
    held_out = settings["held_out"].get(folder.name, 0.0)
    if isinstance(held_out, list):
        test = set(held_out)
    else:
        test = held_out_share(read_labels(folder), share=float(held_out)) if held_out else set()
    return lambda row: "test" if row["speaker"] in test else "train"


def _english(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
    every = _read(
        folder, language=Language.EN, split_of=_by_speaker(folder, settings), text_of=lambda row: normalize_english(_text_of(row))
    )
    return (utterance for utterance in every if utterance.text)


def _pocketsphinx(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
    """Its labels put an ``s`` for the pauses at both ends of a recording."""
    for utterance in _english(folder, settings):
        yield Utterance(**{**vars(utterance), "text": re.sub(r"^s | s$", "", str(utterance.text))})


def _speechocean(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
    rows, held_out = read_labels(folder), settings["held_out"]
    test = held_out_speechocean(
        rows, digit_speakers=held_out["speechocean762_digit_speakers"], other_speakers=held_out["speechocean762_other_speakers"]
    )
    every = _read(
        folder,
        language=Language.EN,
        split_of=lambda row: "test" if row["speaker"] in test else "train",
        text_of=lambda row: normalize_english(row["text"]),
    )
    return (utterance for utterance in every if utterance.text)


def normalize_mandarin(text: str) -> str | None:
    """Characters alone, 幺 written as the digit that it is; None where something else remains, such as Latin letters."""
    bare = re.sub(r"[\s，。！？、；：“”‘’《》…—·,.!?;:\"'()（）-]", "", text).replace("幺", "一")
    return bare if CJK.match(bare) else None


def _mandarin(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
    return _read(
        folder, language=Language.ZH, split_of=_by_speaker(folder, settings), text_of=lambda row: normalize_mandarin(_text_of(row))
    )


def _mandarin_by_text(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
    """A set of so few voices that texts, not speakers, are held out; a toned syllable teaches the language tag and its sounds."""
    fraction = float(settings["mandarin_test_fraction"])
    for row in read_labels(folder):
        label = _text_of(row)
        text = normalize_mandarin(label)
        yield Utterance(
            path=folder / row["path"],
            text=text,
            language=Language.ZH,
            emotion=Emotion.NEUTRAL,
            event=Event.SPEECH,
            source=folder.name,
            speaker=f"{folder.name}/{row['speaker']}",
            split="test" if draw(f"{folder.name}/{text or label}") < fraction else "train",
            duration_s=float(row["duration_s"]),
            pinyin=None if text else label.lower(),
        )


def _untranscribed(folder: Path, settings: dict[str, Any], *, language: Language) -> Iterator[Utterance]:
    """Recordings that teach what the network knows of a language and its tag, not its text."""
    return _read(folder, language=language, split_of=_by_speaker(folder, settings), text_of=lambda _: None)


def _ravdess(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
    split_of = _by_speaker(folder, settings)
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
            split=split_of(row),
            duration_s=float(row["duration_s"]),
        )


def _esc10(folder: Path, settings: dict[str, Any]) -> Iterator[Utterance]:
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
            split="test" if fold is not None and int(fold.group(1)) in settings["held_out"]["esc10_folds"] else "train",
            duration_s=float(row["duration_s"]),
        )


#: Folder name -> its reader: a new set is one line here and one in README.md.
READERS: dict[str, Reader] = {
    "speechocean762": _speechocean,
    "commonvoice_en": _english,
    "picovoice_barista": _english,
    "asterisk_prompts": _english,
    "alphanumeric_duke": _english,
    "precise_community": _english,
    "librispeech_bits": _english,
    "librispeech_subset": partial(_untranscribed, language=Language.EN),
    "ljspeech_subset": _english,
    "ljspeech_more": _english,
    "pocketsphinx_test": _pocketsphinx,
    "fsdd": _english,
    "commonvoice_zh": _mandarin,
    "cv61_zh_cn": _mandarin,
    "cv61_zh_tw": _mandarin,
    "aishell3_samples": _mandarin,
    "words_zh": _mandarin,
    "aishell_sample": _mandarin_by_text,
    "audio_cmn": _mandarin_by_text,
    "pinyin_sound": _mandarin_by_text,
    "cv61_yue": partial(_untranscribed, language=Language.YUE),
    "cv61_ja": partial(_untranscribed, language=Language.JA),
    "ravdess": _ravdess,
    "esc10": _esc10,
}


def read_corpus(data: Path, config: dict[str, Any], *, without: Iterable[str] = ()) -> list[Utterance]:
    """Every utterance of every set, but those named in ``without``; CorpusError for an unknown name or a set that is not there."""
    if not data.is_dir():
        raise CorpusError(f"no data folder {data}; models/starter/README.md says which public sets belong there")
    left_out = set(without)
    if unknown := sorted(left_out - set(READERS)):
        raise CorpusError(f"there is no set {unknown[0]!r} to leave out; the sets are {', '.join(READERS)}")
    settings = config["corpus"]
    limit_s = float(settings["max_duration_s"])
    utterances = [
        utterance
        for name, read in READERS.items()
        if name not in left_out
        for utterance in read(data / name, settings)
        if utterance.duration_s <= limit_s
    ]
    held_out = {(u.language, u.text) for u in utterances if u.split == "test" and u.source in SAME_VOICES and u.text}
    return [u for u in utterances if u.split == "test" or u.source not in SAME_VOICES or (u.language, u.text) not in held_out]
