"""When the tokens of a reading were said: the best path through the frames that says exactly these tokens (Viterbi over CTC)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from engine.speech.ctc import BLANK_ID, Emission, collapse
from engine.speech.decoding.top_tokens import TopTokens

#: Below a frame's last known token: what a token that is not among them gets.
_UNKNOWN_MARGIN = 1.0


def align(top: TopTokens, token_ids: Sequence[int]) -> list[Emission]:
    """One emission a token, in order, on the best path; ValueError where there are fewer frames than the tokens need."""
    greedy = top.greedy() if len(top) else []
    if [emission.token_id for emission in greedy] == list(token_ids):
        return greedy
    states = np.full(2 * len(token_ids) + 1, BLANK_ID)
    states[1::2] = token_ids
    repeated = np.concatenate([[False, False], states[2:] == states[:-2]])
    # From state s - 2 the blank between may be left out, unless both tokens are the same.
    skips = (np.arange(len(states)) % 2 == 1) & ~repeated
    emitted = _log_probs(top, states)
    steps = np.zeros(emitted.shape, np.int8)
    score = np.full(len(states), -np.inf)
    score[:2] = emitted[0, :2] if len(emitted) else 0.0
    for frame in range(1, len(emitted)):
        choices = np.full((3, len(states)), -np.inf)
        choices[0] = score
        choices[1, 1:] = score[:-1]
        choices[2, 2:] = np.where(skips[2:], score[:-2], -np.inf)
        steps[frame] = choices.argmax(axis=0)
        score = choices.max(axis=0) + emitted[frame]
    return _emissions(steps, score, states, emitted)


def _log_probs(top: TopTokens, states: np.ndarray) -> np.ndarray:
    """Log-probabilities (T, S) of the states' tokens."""
    distinct, place = np.unique(states, return_inverse=True)
    table = np.repeat(top.log_probs[:, -1:].astype(np.float64) - _UNKNOWN_MARGIN, len(distinct), axis=1)
    columns = np.searchsorted(distinct, top.ids).clip(max=len(distinct) - 1)
    known = distinct[columns] == top.ids
    frames = np.broadcast_to(np.arange(len(top))[:, None], known.shape)
    table[frames[known], columns[known]] = top.log_probs[known]
    return np.asarray(table[:, place])


def _emissions(steps: np.ndarray, score: np.ndarray, states: np.ndarray, emitted: np.ndarray) -> list[Emission]:
    """Walk the best path back, and collapse it; states, not tokens, so that a token said twice stays two."""
    if not len(steps):
        if len(states) > 1:
            raise ValueError("tokens, but no frames to align them with")
        return []
    state = len(states) - 1 if len(states) == 1 or score[-1] >= score[-2] else len(states) - 2
    if not np.isfinite(score[state]):
        raise ValueError(f"{len(steps)} frames are too few for {len(states) // 2} tokens")
    path = np.empty(len(steps), np.int64)
    for frame in range(len(steps) - 1, -1, -1):
        path[frame] = state
        state -= int(steps[frame, state])
    log_probs = emitted[np.arange(len(path)), path]
    spoken = collapse(np.where(path % 2 == 1, path, BLANK_ID), log_probs)
    return [Emission(int(states[one.token_id]), one.start_frame, one.end_frame, one.log_prob) for one in spoken]
