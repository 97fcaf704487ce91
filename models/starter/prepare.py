"""Recordings → one feature store: fbank of every utterance, its targets, the units and the CMVN.

The store is a flat float16 file with an index beside it, so that training reads it by memory map and a second
``prepare`` starts from nothing but what changed in the configuration.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from engine.audio import load_audio
from engine.features import FBANK_BINS, fbank
from engine.tags import Language, piece_of
from models.starter.corpus import Utterance, read_corpus
from models.starter.synthesis import synthesize
from models.starter.units import UnitEncoder, learn_units

log = logging.getLogger(__name__)


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


class FeatureStore:
    """The prepared features: ``store.frames(item) -> (T, 80) float32``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        meta = json.loads((folder / "store.json").read_text(encoding="utf-8"))
        self.pieces: list[str] = meta["pieces"]
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


def _write_frames(utterances: Sequence[Utterance], path: Path) -> tuple[list[int], np.ndarray, np.ndarray]:
    counts: list[int] = []
    total, squares, seen = np.zeros(FBANK_BINS), np.zeros(FBANK_BINS), 0
    with path.open("wb") as handle:
        for utterance in tqdm(utterances, desc="fbank", unit="clip", mininterval=5):
            frames = fbank(load_audio(utterance.path).samples)
            handle.write(frames.astype(np.float16).tobytes())
            counts.append(len(frames))
            if utterance.split == "train" and len(frames):
                total += frames.sum(axis=0, dtype=np.float64)
                squares += np.square(frames, dtype=np.float64).sum(axis=0)
                seen += len(frames)
    means = total / max(seen, 1)
    return counts, means, np.sqrt(np.maximum(squares / max(seen, 1) - means**2, 1e-6))


def prepare(data: Path, work: Path, config: dict[str, Any], *, without: Sequence[str] = ()) -> FeatureStore:
    """Read the corpus, synthesize the rest, and write the store below ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    utterances = read_corpus(data, config, without=without)
    train = [u for u in utterances if u.split == "train" and u.text]
    english = [str(u.text) for u in train if u.language is Language.EN]
    mandarin = [str(u.text) for u in train if u.language is Language.ZH]
    sentences = sorted({str(u.text) for u in train if u.source == "speechocean762"})
    if sentences:
        utterances += list(tqdm(synthesize(work / "synthesis", sentences, config), desc="speech synthesis", unit="clip", mininterval=5))
    settings = config["corpus"]
    pieces, english_model = learn_units(
        english, mandarin, english_units=settings["english_units"], mandarin_min_count=settings["mandarin_min_count"]
    )
    encoder = UnitEncoder(pieces, english_model)
    ids = {piece: index for index, piece in enumerate(pieces)}
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
        )
        for u, offset, count in zip(utterances, offsets, counts, strict=False)
    ]
    partial.replace(work / "fbank.f16")
    np.savez(work / "cmvn.npz", means=means, deviations=deviations)
    (work / "english.bpe").write_bytes(english_model)
    (work / "store.json").write_text(
        json.dumps({"pieces": pieces, "items": [vars(item) for item in items]}, ensure_ascii=False), encoding="utf-8"
    )
    log.info("%d utterances, %.1f h, %d units", len(items), sum(counts) / 360_000, len(pieces))
    return FeatureStore(work)
