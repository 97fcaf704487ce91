"""Recordings → one feature store: fbank of every utterance, its targets, the units and the CMVN.

The store is a flat float16 file with an index beside it, so that training reads it by memory map and a second
``prepare`` starts from nothing but what changed in the configuration.
"""

from __future__ import annotations

import json
import logging
import os
import random
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from engine.audio.waveform import load_audio
from engine.speech.features import FBANK_BINS, Cmvn, fbank
from engine.tags import Language, piece_of
from models.starter.corpus import DIGITS_EN, Utterance
from models.starter.events import make_events
from models.starter.pinyin import sounds_of_pinyin, sounds_of_text
from models.starter.public_sets import read_corpus
from models.starter.room import play_at, reverberate
from models.starter.sentence_speech import speak_sentences, texts_of_tests
from models.starter.spoiling import spoil
from models.starter.synthesis import synthesize
from models.starter.transcribe_unlabelled import read_texts
from models.starter.units import EnglishPieces, SoundEncoder, UnitEncoder, learn_english, learn_units, pieces_of, units_of

log = logging.getLogger(__name__)
#: Other voices for babble: every so many of the recordings that are longer than this.
MIN_COMPANY_S, COMPANY_EVERY = 3.0, 20
#: Written by the step ``transcribe``.
TEXTS_FILE = "transcribed.tsv"
#: Frames that the ASR's features stack.
LFR_M = 7
#: Written by the step ``distil``.
STUDENT_FILE = "student.pt"


@dataclass(frozen=True)
class Item:
    """One utterance in the store: where its frames lie and what the network should answer."""

    offset: int
    frames: int
    targets: list[int] | None
    text: str | None
    tags: tuple[int, int, int]  # unit ids of language, emotion (-1: no target), event
    language: str
    source: str
    speaker: str
    split: str
    path: str
    sounds: list[int] | None = None  # targets of the intermediate CTC
    speed: float = 1.0  # of the recording at ``path``
    reverberant: bool = False
    spoiling: str | None = None  # what was done to it; see spoiling.py


class FeatureStore:
    """The prepared features: ``store.frames(item) -> (T, 80) float32``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = json.loads((folder / "store.json").read_text(encoding="utf-8"))
        self.pieces: list[str] = meta["pieces"]
        self.sounds: list[str] = meta.get("sounds", [])
        self.items = [Item(**{**entry, "tags": tuple(entry["tags"])}) for entry in meta["items"]]
        self._frames = np.memmap(folder / "fbank.f16", dtype=np.float16, mode="r").reshape(-1, FBANK_BINS)
        statistics = np.load(folder / "cmvn.npz")
        self.means: np.ndarray = statistics["means"]
        self.deviations: np.ndarray = statistics["deviations"]

    def frames(self, item: Item) -> np.ndarray:
        """Log-mel frames of one utterance: -> (T, 80) float32."""
        return self._frames[item.offset : item.offset + item.frames].astype(np.float32)


def _targets(utterance: Utterance, encoder: UnitEncoder) -> list[int] | None:
    if utterance.text is None:
        return None
    return encoder.encode(utterance.text, characters=utterance.language is Language.ZH)


def _frames_of(utterance: Utterance, company: Sequence[Path] = ()) -> np.ndarray:
    """Log-mel frames (T, 80) float16 of one utterance, as fast, in such a room and as spoilt as it says."""
    samples = play_at(load_audio(utterance.path).samples, utterance.speed)
    rng = np.random.default_rng(zlib.crc32(f"{utterance.path.name}{utterance.spoiling or ''}".encode()))
    if utterance.reverberant:
        samples = reverberate(samples, rng)
    if utterance.spoiling is not None:
        samples = spoil(samples, kind=utterance.spoiling, rng=rng, company=company)
    return fbank(samples).astype(np.float16)


def _key(utterance: Utterance | Item) -> tuple[str, float, bool, str | None]:
    """What the frames of an utterance depend on."""
    return str(utterance.path), float(utterance.speed), bool(utterance.reverberant), utterance.spoiling


def _kept_frames(work: Path) -> Callable[[Utterance], np.ndarray | None]:
    """The frames that an earlier ``prepare`` in this folder computed: what did not change is not computed again."""
    if not (work / "store.json").is_file():
        return lambda _: None
    before = FeatureStore(work)
    places = {_key(item): item for item in before.items}

    def frames(utterance: Utterance) -> np.ndarray | None:
        item = places.get(_key(utterance))
        return None if item is None else before.frames(item).astype(np.float16)

    return frames


def _write_frames(utterances: Sequence[Utterance], path: Path) -> tuple[list[int], np.ndarray, np.ndarray]:
    counts: list[int] = []
    total, squares, seen = np.zeros(FBANK_BINS), np.zeros(FBANK_BINS), 0
    kept = _kept_frames(path.parent)
    new = [utterance for utterance in utterances if kept(utterance) is None]
    with path.open("wb") as handle, Pool(os.cpu_count()) as pool:
        company = [u.path for u in utterances if u.split == "train" and u.text and u.duration_s > MIN_COMPANY_S][::COMPANY_EVERY]
        every = pool.imap(partial(_frames_of, company=company), new, chunksize=64)
        computed = iter(tqdm(every, total=len(new), mininterval=5, desc="fbank", unit="clip"))
        for utterance in utterances:
            known = kept(utterance)
            frames = next(computed) if known is None else known
            handle.write(frames.tobytes())
            counts.append(len(frames))
            if utterance.split == "train" and len(frames):
                total += frames.sum(axis=0, dtype=np.float64)
                squares += np.square(frames, dtype=np.float64).sum(axis=0)
                seen += len(frames)
    means = total / max(seen, 1)
    return counts, means, np.sqrt(np.maximum(squares / max(seen, 1) - means**2, 1e-6))


def keep_statistics(work: Path, means: np.ndarray, deviations: np.ndarray) -> None:
    """Write the CMVN, (80,) each; where a student has learnt with the one that is there, that one stays."""
    if not ((work / STUDENT_FILE).exists() and (work / "cmvn.npz").exists()):
        np.savez(work / "cmvn.npz", means=means, deviations=deviations)


def more_voices(utterances: Sequence[Utterance], settings: dict[str, Any]) -> list[Utterance]:
    """The training recordings again: at other speeds (``voices`` in config.yaml) and spoilt (``spoilt_copies``, ``spoiling_shares``)."""
    rng = np.random.default_rng(17)
    kinds = list(settings["spoiling_shares"])
    shares = np.array([settings["spoiling_shares"][kind] for kind in kinds])
    copies = []
    for utterance in utterances:
        if utterance.split != "train" or utterance.source in settings["never_spoilt"]:
            continue
        speeds = settings["voices"].get(utterance.source, ())
        copies += [replace(utterance, speed=float(speed), reverberant=bool(rng.random() < settings["reverberant"])) for speed in speeds]
        chosen = rng.choice(kinds, size=settings["spoilt_copies"], replace=False, p=shares / shares.sum())
        # A noise keeps what it is behind a codec; among voices or on the telephone it would be something else.
        copies += [replace(utterance, spoiling=str(kind) if utterance.text != "" else "codec") for kind in chosen]
    return copies


def spoilt_in_part(utterances: Sequence[Utterance], settings: dict[str, Any]) -> list[Utterance]:
    """Synthesized sentences, a share of them spoilt (``spoilt_sentences``): each is there once, for there are many of them."""
    kinds = list(settings["spoiling_shares"])
    weights = [settings["spoiling_shares"][kind] for kind in kinds]
    drawn = []
    for utterance in utterances:
        rng = random.Random(f"spoilt/{utterance.path.name}")
        spoilt = rng.random() < settings["spoilt_sentences"]
        drawn.append(replace(utterance, spoiling=rng.choices(kinds, weights)[0]) if spoilt else utterance)
    return drawn


def _sounds(utterance: Utterance, english: EnglishPieces) -> list[str] | None:
    if utterance.pinyin is not None:
        return sounds_of_pinyin(utterance.pinyin)
    if not utterance.text:
        return None
    return sounds_of_text(utterance.text) if utterance.language is Language.ZH else english.encode(utterance.text)


def statistics_of(bundle: Path) -> tuple[np.ndarray, np.ndarray]:
    """The CMVN that a bundle's ASR learnt with: -> means and deviations, (80,) each."""
    stacked = Cmvn.load(bundle / "asr.mvn", expected_dim=FBANK_BINS * LFR_M)
    return -stacked.shift[:FBANK_BINS], 1.0 / stacked.scale[:FBANK_BINS]


def prepare(data: Path, work: Path, config: dict[str, Any], *, without: Sequence[str] = (), bundle: Path | None = None) -> FeatureStore:
    """Read the corpus, synthesize the rest, and write the store below ``work``.

    With a ``bundle`` the store keeps its units and its CMVN, so that a training can go on with its weights when the work folder they came
    from is gone.
    """
    work.mkdir(parents=True, exist_ok=True)
    utterances = read_corpus(data, config, without=without)
    texts = {path: text for path, text in read_texts(work / TEXTS_FILE).items() if text}
    utterances = [replace(u, text=texts.get(str(u.path))) if u.text is None and u.language is Language.EN else u for u in utterances]
    train = [u for u in utterances if u.split == "train" and u.text]
    english = [str(u.text) for u in train if u.language is Language.EN]
    mandarin = [str(u.text) for u in train if u.language is Language.ZH]
    settings = config["corpus"]
    spoken = synthesize(
        work / "synthesis",
        sorted({text for text in english if len(text.split()) > 1 and not set(text.split()) <= set(DIGITS_EN)}),
        sorted(set(mandarin)),
        config,
    )
    utterances += list(tqdm(spoken, desc="speech synthesis", unit="clip", mininterval=5))
    utterances += list(tqdm(make_events(work / "events", config), desc="music and applause", unit="clip", mininterval=5))
    made = speak_sentences(work / "synthesis", config, without=texts_of_tests(utterances, data))
    sentences = list(tqdm(made, desc="sentences spoken", unit="clip", mininterval=5))
    utterances += more_voices(utterances, config["augmentation"])
    # Behind everything else: however many there are, the draws of the recordings stay what they were.
    utterances += spoilt_in_part(sentences, config["augmentation"])
    english = english * settings["real_text_weight"] + [str(u.text) for u in sentences if u.language is Language.EN]
    mandarin += [str(u.text) for u in sentences if u.language is Language.ZH]
    if bundle is not None:
        pieces, english_model = units_of(pieces_of(bundle))
    else:
        pieces, english_model = learn_units(
            english, mandarin, english_units=settings["english_units"], mandarin_min_count=settings["mandarin_min_count"]
        )
    encoder = UnitEncoder(pieces, english_model)
    ids = {piece: index for index, piece in enumerate(pieces)}
    english_sounds = EnglishPieces(learn_english(english, units=settings["english_sounds"]))
    heard = [_sounds(u, english_sounds) for u in utterances]
    mandarin_sounds = {sound for u, parts in zip(utterances, heard, strict=True) if u.language is Language.ZH for sound in parts or ()}
    sounds = SoundEncoder(english_sounds.pieces, mandarin_sounds)
    partial = work / "fbank.f16.partial"
    counts, means, deviations = _write_frames(utterances, partial)
    offsets = np.concatenate([[0], np.cumsum(counts)])
    items = [
        Item(
            offset=int(offset),
            frames=count,
            targets=_targets(u, encoder),
            text=u.text,
            tags=(ids[piece_of(u.language)], -1 if u.emotion is None else ids[piece_of(u.emotion)], ids[piece_of(u.event)]),
            language=u.language.value,
            source=u.source,
            speaker=u.speaker,
            split=u.split,
            path=str(u.path),
            sounds=sounds.encode(parts),
            speed=u.speed,
            reverberant=u.reverberant,
            spoiling=u.spoiling,
        )
        for u, offset, count, parts in zip(utterances, offsets, counts, heard, strict=False)
    ]
    partial.replace(work / "fbank.f16")
    keep_statistics(work, *((means, deviations) if bundle is None else statistics_of(bundle)))
    (work / "english.bpe").write_bytes(english_model)
    (work / "store.json").write_text(
        json.dumps({"pieces": pieces, "sounds": sounds.pieces, "items": [vars(item) for item in items]}, ensure_ascii=False),
        encoding="utf-8",
    )
    log.info("%d utterances, %.1f h, %d units", len(items), sum(counts) / 360_000, len(pieces))
    return FeatureStore(work)
