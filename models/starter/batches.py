"""Prepared utterances → training batches: sampling per epoch, digit strings joined, padding."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, fields, replace
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.speech.features import stack_frames
from engine.tags import Event, TextNorm, piece_of
from models.bundle.upstream_layout import PROMPT_LANGUAGE, PROMPT_TEXTNORM
from models.starter.augment import add_noise, augment, cut_noise, cut_piece, cut_stretch, silence, trim
from models.starter.corpus import DIGITS_EN
from models.starter.prepare import LFR_M, FeatureStore, Item
from models.starter.splicing import Splicer, read_cuts
from models.starter.teacher import TeacherRows
from models.starter.whisper import WIDTH

LFR_N = 6
BATCHES_AHEAD = 4


@dataclass
class Batch:
    """One padded batch; tags are unit ids with -1 where there is nothing to learn."""

    speech: Tensor  # (B, T, 560) float32
    lengths: Tensor  # (B,)
    language: Tensor  # (B,) prompt row
    textnorm: Tensor  # (B,) prompt row
    targets: Tensor  # concatenated
    target_lengths: Tensor  # (B,); 0 and not has_text where the text is unknown
    has_text: Tensor  # (B,) bool
    tags: Tensor  # (B, 4)
    sounds: Tensor  # concatenated targets of the intermediate CTC
    sound_lengths: Tensor  # (B,)
    has_sounds: Tensor  # (B,) bool
    teacher: Tensor | None = None  # (B, T, 2, 512): what enters Whisper's blocks, and its output; see teacher.py
    taught: Tensor | None = None  # (B, T) bool: rows that the teacher was asked about

    def to(self, device: torch.device) -> Batch:
        """The same batch on a device."""
        held: dict[str, Tensor | None] = {field.name: getattr(self, field.name) for field in fields(self)}
        moved: dict[str, Any] = {name: value if value is None else value.to(device, non_blocking=True) for name, value in held.items()}
        return Batch(**moved)


class BatchMaker:
    """Draws the epochs of the starter's ASR training."""

    def __init__(self, store: FeatureStore, config: dict[str, Any], *, teacher: TeacherRows | None = None) -> None:
        """With a ``teacher``, the share ``taught_share`` of the batches keeps its recordings' times and carries the teacher's rows."""
        self.store, self.teacher = store, teacher
        self.settings = config["train_asr"]
        self.strings = config["corpus"]["digit_strings"]
        self.seed = config["seed"]
        ids = {piece: index for index, piece in enumerate(store.pieces)}
        self.textnorm_ids = {norm: ids[piece_of(norm)] for norm in TextNorm}
        train = [item for item in store.items if item.split == "train" and item.frames >= 20]
        self.train = [item for item in train if item.source != "fsdd"]
        self.digits: dict[str, list[Item]] = {}
        for item in train:
            if item.source == "fsdd":
                self.digits.setdefault(item.speaker, []).append(item)
        self.splicer = Splicer(store, self.train, read_cuts(store.folder), self.settings)
        events = {event: ids[piece_of(event)] for event in (Event.BGM, Event.EVENT_UNK)}
        self.music_id = events[Event.BGM]
        self.rare_ids = {ids[piece_of(event)] for event in (Event.CRY, Event.SNEEZE)}
        self.music = [store.frames(item) for item in train if item.tags[2] == events[Event.BGM]]
        # Cries and sneezes are left out: under speech they would be events of their own.
        self.noises = [store.frames(item) for item in train if item.tags[2] == events[Event.EVENT_UNK]]

    def normalize(self, frames: np.ndarray) -> np.ndarray:
        """Stack and normalize as the engine will: (T, 80) -> (T', 560)."""
        scaled = (frames - self.store.means) / self.store.deviations
        return stack_frames(scaled.astype(np.float32), lfr_m=LFR_M, lfr_n=LFR_N)

    def joined_digits(self, rng: np.random.Generator, pool: dict[str, list[Item]]) -> tuple[np.ndarray, Item]:
        """One speaker's FSDD digits in a row with pauses between: frames and an item that carries the targets."""
        items = pool[sorted(pool)[int(rng.integers(len(pool)))]]
        chosen = [items[int(index)] for index in rng.integers(0, len(items), int(rng.integers(1, 9)))]
        parts: list[np.ndarray] = []
        for item in chosen:
            frames = self.store.frames(item)
            parts += [frames, silence(int(rng.integers(4, 35)), rng, like=frames)]
        targets = [target for item in chosen for target in item.targets or ()]
        text = " ".join(str(item.text) for item in chosen)
        frames = np.concatenate(parts)
        return frames, replace(chosen[0], targets=targets, text=text, frames=len(frames))

    def _draw(self, epoch: int, rng: np.random.Generator) -> list[Item | None]:
        drawn: list[Item | None] = [None] * self.strings  # None: a digit string is joined when it is needed
        mandarin = epoch >= self.settings["mandarin_from_epoch"]
        shares, digit_words = self.settings["shares"], set(DIGITS_EN)
        for item in self.train:
            if item.language == "zh" and not mandarin:
                continue
            share = float(shares.get(item.source, 1.0))
            if item.source == "speechocean762" and set(str(item.text).split()) <= digit_words:
                share = float(shares.get("digit-strings", share))
            if item.tags[2] in self.rare_ids:
                share = float(shares["cry-and-sneeze"])
            drawn += [item] * int(share + rng.random())
        return drawn

    def plan(self, number: int, *, batch_frames: int | None = None, taught: bool = False) -> list[list[Item | None]]:
        """Which utterances go together in each batch of an epoch, about ``batch_frames`` LFR frames a batch, shuffled.

        ``taught`` leaves those out that the teacher was not asked about.
        """
        rng = np.random.default_rng([self.seed, number])
        items = self._draw(number, rng)
        limit = batch_frames or self.settings["batch_frames"]
        if taught:
            items = [item for item in items if item is not None and item.speed == 1.0 and self._said(item) is not None]
        longest_s = self.settings["short_first_s"][number] if number < len(self.settings["short_first_s"]) else None
        if longest_s is not None:
            items = [item for item in items if item is None or item.frames <= 100 * longest_s]
        sizes = np.array([240 if item is None else item.frames for item in items]) * rng.uniform(0.9, 1.1, len(items))
        batches: list[list[Item | None]] = [[]]
        longest = 0.0
        for index in np.argsort(sizes):
            longest = max(longest, sizes[index])
            if (len(batches[-1]) + 1) * longest / LFR_N > limit and batches[-1]:
                batches.append([])
                longest = sizes[index]
            batches[-1].append(items[index])
        return [batches[index] for index in rng.permutation(len(batches))]

    def _said(self, item: Item) -> np.ndarray | None:
        return None if self.teacher is None else self.teacher.of(item.path)

    def epoch(self, number: int, plan: list[list[Item | None]], *, first: int = 0) -> Iterator[Batch]:
        """The batches of one epoch from ``first`` on; the same for the same number and plan. They are made ahead, in a thread."""
        masked = number >= self.settings["augment_from_epoch"]

        def make(index: int) -> Batch:
            return self._batch(plan[index], np.random.default_rng([self.seed, number, index, 1]), masked=masked)

        return _ahead(make, range(first, len(plan)))

    def taught_epoch(self, number: int, plan: list[list[Item | None]]) -> Iterator[Batch]:
        """The same for distillation: every batch with the teacher's rows, the recordings spoilt and masked."""

        def make(index: int) -> Batch:
            items = [item for item in plan[index] if item is not None]
            return self.taught_batch(items, np.random.default_rng([self.seed, number, index, 2]), masked=True)

        return _ahead(make, range(len(plan)))

    def _batch(self, items: list[Item | None], rng: np.random.Generator, *, masked: bool) -> Batch:
        if self.teacher is not None and rng.random() < self.settings["taught_share"]:
            return self.taught_batch([item for item in items if item is not None], rng, masked=masked)
        rows: list[np.ndarray] = []
        chosen: list[Item] = []
        fill = self.store.means.astype(np.float32)
        for item in items:
            frames, heard = self.joined_digits(rng, self.digits) if item is None else (self.store.frames(item), item)
            gentle = heard.source == "ravdess"  # loudness and pitch are what tells these apart
            frames, heard = self._as_segmented(frames, heard, rng)
            frames = augment(frames, rng, noises=self.noises, fill=fill, masked=masked, gentle=gentle)
            if self.music and heard.text and not gentle and rng.random() < self.settings["music_share"]:
                low, high = self.settings["music_snr_db"]
                music = self.music[int(rng.integers(len(self.music)))]
                frames = add_noise(frames, music, snr_db=rng.uniform(low, high))
                heard = replace(heard, tags=(heard.tags[0], heard.tags[1], self.music_id))
            rows.append(self.normalize(frames))
            chosen.append(heard)
        return self.collate(rows, chosen, rng)

    def taught_batch(self, items: list[Item], rng: np.random.Generator, *, masked: bool) -> Batch:
        """A batch whose frames stay in their places, with the teacher's rows of the clean recordings beside it."""
        fill = self.store.means.astype(np.float32)
        rows = []
        for item in items:
            gentle = item.source == "ravdess"
            noises = self.noises if item.text != "" else []
            frames = augment(self.store.frames(item), rng, noises=noises, fill=fill, masked=masked, gentle=gentle, keep_times=True)
            rows.append(self.normalize(frames))
        batch = self.collate(rows, items, rng)
        said = np.zeros((len(items), batch.speech.shape[1], 2, WIDTH), np.float16)
        taught = np.zeros(said.shape[:2], bool)
        for index, item in enumerate(items):
            known = self._said(item) if item.speed == 1.0 else None
            if known is not None:
                known = known[: len(rows[index])]
                said[index, : len(known)], taught[index, : len(known)] = known, True
        return replace(batch, teacher=torch.from_numpy(said), taught=torch.from_numpy(taught))

    def _as_segmented(self, frames: np.ndarray, item: Item, rng: np.random.Generator) -> tuple[np.ndarray, Item]:
        """What voice activity detection leaves of an utterance: often its bare speech, now and then a piece whose text is not known.

        Or other words of its speaker's, where they were found. It finds speech in noises too, and leaves pieces of them.
        """
        if item.text == "":
            return (cut_noise(frames, rng) if rng.random() < self.settings["noise_piece_share"] else frames), item
        if item.text is None:  # speech all the same: it teaches the language, and VAD cuts it as any other
            if item.sounds:  # a single syllable, whose pinyin is known
                return frames, item
            is_piece = rng.random() < self.settings["untaught_piece_share"]
            return (cut_stretch(frames, rng) if is_piece else trim(frames, rng)), item
        if self.splicer.wants(item, rng):
            return self.splicer.splice(item, rng)
        if rng.random() < self.settings["piece_share"]:
            return cut_piece(frames, rng), replace(item, targets=None, sounds=None)
        return (trim(frames, rng) if rng.random() < self.settings["trim_share"] else frames), item

    def _tags(self, item: Item, rng: np.random.Generator) -> tuple[int, int, int]:
        """The tags to learn; the emotion of read speech is left out most of the time, or nothing but NEUTRAL would be heard."""
        read = item.source != "ravdess" and bool(item.text)
        if read and rng.random() >= self.settings["read_speech_emotion_share"]:
            return item.tags[0], -1, item.tags[2]
        return item.tags

    def collate(self, rows: list[np.ndarray], items: list[Item], rng: np.random.Generator) -> Batch:
        """Pad feature rows and gather targets; the language prompt is given half of the time."""
        speech = np.zeros((len(rows), max(map(len, rows)), rows[0].shape[1]), np.float32)
        for index, row in enumerate(rows):
            speech[index, : len(row)] = row
        norms = [TextNorm.WITHITN if rng.random() < 0.5 else TextNorm.WOITN for _ in items]
        prompts = [PROMPT_LANGUAGE[item.language] if rng.random() < 0.5 else 0 for item in items]
        known = [_fits(item.targets, len(row)) for item, row in zip(items, rows, strict=True)]
        targets = [list(item.targets or ()) if fits else [] for item, fits in zip(items, known, strict=True)]
        sounded = [bool(item.sounds) and _fits(item.sounds, len(row)) for item, row in zip(items, rows, strict=True)]
        sounds = [list(item.sounds or ()) if fits else [] for item, fits in zip(items, sounded, strict=True)]
        return Batch(
            speech=torch.from_numpy(speech),
            lengths=torch.tensor([len(row) for row in rows]),
            language=torch.tensor(prompts),
            textnorm=torch.tensor([PROMPT_TEXTNORM[norm] for norm in norms]),
            targets=torch.tensor([unit for units in targets for unit in units], dtype=torch.long),
            target_lengths=torch.tensor([len(units) for units in targets]),
            has_text=torch.tensor(known),
            tags=torch.tensor([[*self._tags(item, rng), self.textnorm_ids[norm]] for item, norm in zip(items, norms, strict=True)]),
            sounds=torch.tensor([unit for units in sounds for unit in units], dtype=torch.long),
            sound_lengths=torch.tensor([len(units) for units in sounds]),
            has_sounds=torch.tensor(sounded),
        )


def _fits(targets: list[int] | None, frames: int) -> bool:
    """CTC needs a frame per unit and one more between equal neighbours."""
    return targets is not None and frames >= len(targets) + sum(a == b for a, b in pairwise(targets))


def _ahead(make: Callable[[int], Batch], indices: Iterable[int]) -> Iterator[Batch]:
    """The batches of ``indices`` in order, some made ahead in a thread."""
    with ThreadPoolExecutor(1) as pool:
        waiting: deque[Future[Batch]] = deque()
        for index in indices:
            waiting.append(pool.submit(make, index))
            if len(waiting) > BATCHES_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
