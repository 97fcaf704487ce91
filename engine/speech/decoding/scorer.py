"""What a beam search adds to the network's own score: hotwords and a language model are scorers, and so is any number of them together."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Protocol


class Scorer(Protocol):
    """Scores token sequences from left to right; what it knows of the tokens so far is its state. Scores are natural logarithms."""

    @property
    def most(self) -> float:
        """About the most that one token adds: a token that would need more is not tried."""
        ...

    def start(self) -> Hashable:
        """The state before the first token."""
        ...

    def step(self, state: Any, token_id: int) -> tuple[Hashable, float]:
        """The state after one more token, and what that token adds to the score."""
        ...

    def finish(self, state: Any) -> float:
        """What the end of the segment adds."""
        ...


class ScorerSum:
    """Several scorers as one: its states are tuples of theirs, and each step is computed once."""

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self._scorers = tuple(scorers)
        self.most = sum(scorer.most for scorer in self._scorers)
        self._known: dict[tuple[Hashable, int], tuple[Hashable, float]] = {}

    def start(self) -> Hashable:
        """As :meth:`Scorer.start`."""
        return tuple(scorer.start() for scorer in self._scorers)

    def step(self, state: Any, token_id: int) -> tuple[Hashable, float]:
        """As :meth:`Scorer.step`."""
        key = (state, token_id)
        found = self._known.get(key)
        if found is None:
            steps = [scorer.step(own, token_id) for scorer, own in zip(self._scorers, state, strict=True)]
            found = self._known[key] = tuple(own for own, _ in steps), sum(score for _, score in steps)
        return found

    def finish(self, state: Any) -> float:
        """As :meth:`Scorer.finish`."""
        return sum(scorer.finish(own) for scorer, own in zip(self._scorers, state, strict=True))
