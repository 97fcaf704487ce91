"""CTC prefix beam search over the likeliest tokens of every frame (Hannun et al. 2014, https://arxiv.org/abs/1408.2873).

A prefix is a sequence of tokens; of each the search knows how likely the frames so far were to say it with a blank at the end, and without.
Its score is that plus what the scorers add. A beam of one prefix follows the best path, which without scorers is greedy decoding; a wider
one adds up all the paths that say the same.

In most frames the blank has a probability of nearly 1. Tokens that lie far below a frame's best one are left out, and a frame in which
nothing but the blank remains costs one addition.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.speech.ctc import BLANK_ID
from engine.speech.decoding.scorer import Scorer, ScorerSum
from engine.speech.decoding.top_tokens import TopTokens

BEAM = 8
#: Natural logarithms below a frame's best token at which a token is left out, and below the best prefix at which a prefix is.
TOKEN_MARGIN, PREFIX_MARGIN = 7.0, 10.0
_IMPOSSIBLE = -math.inf
#: Beyond this the smaller of two probabilities does not change their sum in double precision.
_NEGLIGIBLE = 37.0


@dataclass(frozen=True)
class Hypothesis:
    """One reading of a segment: its tokens, the network's log-probability, the score with the scorers' part, and its share in the beam."""

    token_ids: tuple[int, ...]
    log_prob: float
    score: float
    probability: float


class _Prefix:
    """A sequence of tokens in the beam."""

    __slots__ = ("added", "blank", "children", "next_blank", "next_token", "parent", "spoken", "state", "token_id")

    def __init__(self, parent: _Prefix | None, token_id: int, state: Hashable, added: float) -> None:
        self.parent, self.token_id, self.state, self.added = parent, token_id, state, added
        self.children: dict[int, _Prefix] = {}
        #: Log-probability of the paths that end in a blank, and in the prefix's last token; then the same after the next frame.
        self.blank = self.spoken = self.next_blank = self.next_token = _IMPOSSIBLE

    def token_ids(self) -> tuple[int, ...]:
        found = []
        prefix = self
        while prefix.parent is not None:
            found.append(prefix.token_id)
            prefix = prefix.parent
        return tuple(reversed(found))


def search(
    top: TopTokens,
    *,
    scorers: Sequence[Scorer] = (),
    beam: int = BEAM,
    n_best: int = 1,
    token_margin: float = TOKEN_MARGIN,
    prefix_margin: float = PREFIX_MARGIN,
) -> list[Hypothesis]:
    """The ``n_best`` readings of a segment, the best first; fewer where the beam holds fewer, and always one."""
    if beam < 1 or n_best < 1:
        raise ValueError(f"a beam of {beam} and {n_best} readings: both must be at least 1")
    scorer = ScorerSum(scorers)
    plus = max if beam == 1 else log_add
    root = _Prefix(None, BLANK_ID, scorer.start(), 0.0)
    root.blank = 0.0
    prefixes = [root]
    for tokens in _frames(top, token_margin):
        if len(tokens) == 1 and tokens[0][0] == BLANK_ID:
            for prefix in prefixes:
                prefix.blank, prefix.spoken = plus(prefix.blank, prefix.spoken) + tokens[0][1], _IMPOSSIBLE
            continue
        reached = _advance(prefixes, tokens, scorer, plus, beam)
        prefixes = _prune(reached, beam, prefix_margin, plus)
    return _readings(prefixes, scorer, plus, n_best)


def log_add(one: float, other: float) -> float:
    """The logarithm of the sum of two probabilities, from their logarithms."""
    if one < other:
        one, other = other, one
    if one - other > _NEGLIGIBLE or other == _IMPOSSIBLE:
        return one
    return one + math.log1p(math.exp(other - one))


def _frames(top: TopTokens, margin: float) -> list[list[tuple[int, float]]]:
    """Of each frame the tokens within ``margin`` of the best one, with their log-probabilities."""
    if not len(top):
        return []
    kept = (top.log_probs >= top.log_probs[:, :1] - margin).sum(axis=1).tolist()
    ids, log_probs = top.ids.tolist(), np.asarray(top.log_probs, np.float64).tolist()
    return [list(zip(own[:count], likely[:count], strict=True)) for own, likely, count in zip(ids, log_probs, kept, strict=True)]


def _advance(
    prefixes: Sequence[_Prefix], tokens: Sequence[tuple[int, float]], scorer: ScorerSum, plus: Callable[[float, float], float], beam: int
) -> list[_Prefix]:
    """One frame: -> the prefixes that can be reached, each once, with their probabilities after the frame.

    Of new prefixes those are left out that would not be among the best ``beam`` with the most that the scorers can add.
    """
    reached: dict[int, _Prefix] = {}
    new: list[tuple[float, float, _Prefix, int]] = []
    for prefix in prefixes:
        blank, spoken, last = prefix.blank, prefix.spoken, prefix.token_id
        both = plus(blank, spoken)
        for token_id, log_prob in tokens:
            if token_id == BLANK_ID:
                prefix.next_blank = both + log_prob
                reached[id(prefix)] = prefix
                continue
            before = both
            if token_id == last and prefix.parent is not None:
                # Without a blank between, the same token goes on.
                prefix.next_token = plus(prefix.next_token, spoken + log_prob)
                reached[id(prefix)] = prefix
                before = blank
            if before == _IMPOSSIBLE:
                continue
            child = prefix.children.get(token_id)
            if child is None:
                new.append((before + log_prob + prefix.added, before + log_prob, prefix, token_id))
                continue
            child.next_token = plus(child.next_token, before + log_prob)
            reached[id(child)] = child
    least = _IMPOSSIBLE
    if len(new) > beam:
        least = sorted([score for score, *_ in new], reverse=True)[beam - 1] - scorer.most
    for score, log_prob, prefix, token_id in new:
        if score >= least:
            state, added = scorer.step(prefix.state, token_id)
            child = prefix.children[token_id] = _Prefix(prefix, token_id, state, prefix.added + added)
            child.next_token = log_prob
            reached[id(child)] = child
    return list(reached.values())


def _prune(reached: list[_Prefix], beam: int, margin: float, plus: Callable[[float, float], float]) -> list[_Prefix]:
    """The best ``beam`` prefixes within ``margin`` of the best one."""
    ranked: list[tuple[float, _Prefix]] = []
    for prefix in reached:
        prefix.blank, prefix.spoken = prefix.next_blank, prefix.next_token
        prefix.next_blank = prefix.next_token = _IMPOSSIBLE
        ranked.append((plus(prefix.blank, prefix.spoken) + prefix.added, prefix))
    ranked.sort(key=_score, reverse=True)
    least = ranked[0][0] - margin
    return [prefix for score, prefix in ranked[:beam] if score >= least]


def _score(entry: tuple[float, Any]) -> float:
    return entry[0]


def _readings(prefixes: Sequence[_Prefix], scorer: ScorerSum, plus: Callable[[float, float], float], n_best: int) -> list[Hypothesis]:
    rows = []
    for prefix in prefixes:
        log_prob = plus(prefix.blank, prefix.spoken)
        rows.append((log_prob + prefix.added + scorer.finish(prefix.state), log_prob, prefix))
    rows.sort(key=lambda row: row[0], reverse=True)
    total = _IMPOSSIBLE
    for score, _, _ in rows:
        total = log_add(total, score)
    return [Hypothesis(prefix.token_ids(), log_prob, score, math.exp(score - total)) for score, log_prob, prefix in rows[:n_best]]
