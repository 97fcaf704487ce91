"""Where each word lies in a training utterance: the cuts between words, from the network's own intermediate CTC.

With them utterances are cut and joined at words into ones that nobody spoke (``splicing.py``), as in aligned data augmentation
(https://arxiv.org/abs/2104.01393). The path is the Viterbi path of CTC (https://www.cs.toronto.edu/~graves/icml_2006.pdf, section 4) over
the sounds, which are finer than the units of text; a cut is the quietest frame between the last sound of a word and the first of the next.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from models.starter.augment import speech_bounds
from models.starter.batches import LFR_N, BatchMaker
from models.starter.prepare import Item
from models.starter.splicing import WORDS_FILE, Cuts, word_groups
from models.starter.train_asr import Learner

log = logging.getLogger(__name__)
BATCH = 32
#: Frames left before the first word and after the last.
MARGIN = 10
#: Mean log probability of a sound on its frame below which a path is not believed.
LEAST_LIKELY = -2.5


def viterbi(log_probs: np.ndarray, labels: Sequence[int], *, blank: int = 0) -> tuple[np.ndarray, float] | None:
    """The likeliest CTC path of ``labels`` through (T, S) log probabilities: the first frame of each label, and their mean there.

    None where the frames are too few for the labels.
    """
    states = np.full(2 * len(labels) + 1, blank)
    states[1::2] = labels
    emitted = log_probs[:, states]
    skips = np.zeros(len(states), bool)
    skips[3::2] = states[3::2] != states[1:-2:2]
    score = np.full(len(states), -np.inf)
    score[:2] = emitted[0, :2]
    steps = np.zeros(emitted.shape, np.int8)
    for frame in range(1, len(emitted)):
        stay, one, two = score, np.append(-np.inf, score[:-1]), np.append([-np.inf, -np.inf], score[:-2])
        choices = np.stack([stay, one, np.where(skips, two[: len(states)], -np.inf)])
        steps[frame] = choices.argmax(axis=0)
        score = choices.max(axis=0) + emitted[frame]
    state = len(states) - 1 if score[-1] > score[-2] else len(states) - 2
    if not np.isfinite(score[state]):
        return None
    first = np.zeros(len(labels), np.intp)
    for frame in range(len(emitted) - 1, -1, -1):
        if state % 2:
            first[state // 2] = frame
        state -= int(steps[frame, state])
    return first, float(log_probs[first, np.asarray(labels)].mean())


def cuts_between(frames: np.ndarray, spoken: Sequence[tuple[int, int]]) -> list[int]:
    """(T, 80) frames and each word's first and last LFR frame -> the frame where each word begins and the one after the last."""
    level = frames.mean(axis=1)
    begin, end = speech_bounds(frames)
    cuts = [max(0, min(begin, LFR_N * spoken[0][0]) - MARGIN)]
    for (_, last), (first, _) in pairwise(spoken):
        between = level[LFR_N * last + LFR_N // 2 : LFR_N * first + LFR_N // 2]
        cuts.append(LFR_N * last + LFR_N // 2 + (int(between.argmin()) if len(between) else 0))
    cuts.append(min(len(frames), max(end, LFR_N * (spoken[-1][1] + 1)) + MARGIN))
    return cuts


def _cuts(frames: np.ndarray, log_probs: np.ndarray, groups: list[list[int]]) -> list[int] | None:
    found = viterbi(log_probs, [sound for group in groups for sound in group])
    if found is None or found[1] < LEAST_LIKELY:
        return None
    ends = np.cumsum([len(group) for group in groups])
    first = found[0]
    spoken = [(int(first[end - len(group)]), int(first[end - 1])) for end, group in zip(ends, groups, strict=True)]
    return cuts_between(frames, spoken)


@torch.inference_mode()
def _batches(learner: Learner, maker: BatchMaker, items: Sequence[Item]) -> Iterator[tuple[Item, np.ndarray, np.ndarray]]:
    device = next(learner.parameters()).device
    for start in range(0, len(items), BATCH):
        chosen = items[start : start + BATCH]
        frames = [maker.store.frames(item) for item in chosen]
        batch = maker.collate([maker.normalize(part) for part in frames], list(chosen), np.random.default_rng(0)).to(device)
        sounds = learner(batch)[1].float().log_softmax(-1).cpu().numpy()
        for item, part, length, row in zip(chosen, frames, batch.lengths.tolist(), sounds, strict=True):
            yield item, part, row[:length]


def align(learner: Learner, maker: BatchMaker, *, sources: Sequence[str]) -> Path:
    """Find the words of every training utterance of ``sources`` and write them beside the store; the next training takes them up."""
    learner.eval()
    store = maker.store
    groups = {
        item.offset: grouped[1]
        for item in store.items
        if item.split == "train" and item.source in sources and (grouped := word_groups(item, store)) is not None
    }
    items = sorted((item for item in store.items if item.offset in groups), key=lambda item: item.frames)
    found: Cuts = {}
    for item, frames, log_probs in tqdm(_batches(learner, maker, items), desc="words", unit="clip", mininterval=5, total=len(items)):
        cuts = _cuts(frames, log_probs, groups[item.offset])
        if cuts is not None:
            found[item.offset] = cuts
    path = store.folder / WORDS_FILE
    path.write_text(json.dumps(found), encoding="utf-8")
    log.info("the words of %d of %d utterances were found", len(found), len(items))
    return path
