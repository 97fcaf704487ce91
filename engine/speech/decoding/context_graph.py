"""Phrases that get a bonus wherever they occur: an Aho-Corasick automaton over symbols (Aho and Corasick 1975).

As in icefall's and sherpa-onnx's ContextGraph a bonus is paid symbol by symbol, so that a phrase survives pruning before it is complete,
and is taken back when the phrase breaks off. What is complete stays paid, also where a longer phrase that began with it, or that holds it,
breaks off later.

Each node is a prefix of phrases. ``paid`` is the bonus of the prefix; ``secured`` is the part of it that a complete phrase within earned.
The bonus that is still owed back is the difference.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from engine.speech.decoding.spelling import units_of

ROOT = 0


@dataclass(frozen=True)
class Phrase:
    """Symbols with the bonus of each unit of them (:func:`engine.speech.decoding.spelling.units_of`)."""

    symbols: tuple[str, ...]
    weight: float


class ContextGraph:
    """The automaton of some phrases. Nodes are numbers; the root is where nothing matches."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        self._children: list[dict[str, int]] = [{}]
        self._failure = [ROOT]
        self._paid, self._secured = [0.0], [0.0]
        #: The highest weight of a phrase.
        self.heaviest = 0.0
        for phrase in phrases:
            if phrase.symbols:
                self._add(phrase)
        self._link()

    def __len__(self) -> int:
        return len(self._children)

    def _add(self, phrase: Phrase) -> None:
        node, paid = ROOT, 0.0
        self.heaviest = max(self.heaviest, phrase.weight)
        for symbol in phrase.symbols:
            paid += phrase.weight * units_of(symbol)
            child = self._children[node].get(symbol)
            if child is None:
                child = self._children[node][symbol] = len(self._children)
                self._children.append({})
                self._failure.append(ROOT)
                self._paid.append(0.0)
                self._secured.append(0.0)
            node = child
            # Phrases of several weights may begin alike: the highest is paid until they part.
            self._paid[node] = max(self._paid[node], paid)
        self._secured[node] = max(self._secured[node], paid)

    def _link(self) -> None:
        waiting = deque([ROOT])
        while waiting:
            node = waiting.popleft()
            for symbol, child in self._children[node].items():
                waiting.append(child)
                if node != ROOT:
                    failure = self._failure[node]
                    while failure != ROOT and symbol not in self._children[failure]:
                        failure = self._failure[failure]
                    self._failure[child] = self._children[failure].get(symbol, ROOT)
                self._secured[child] = max(self._secured[child], self._secured[node], self._secured[self._failure[child]])
                self._paid[child] = max(self._paid[child], self._secured[child])

    def owed(self, node: int) -> float:
        """The bonus that is taken back if nothing more of the phrase comes."""
        return self._paid[node] - self._secured[node]

    def step(self, node: int, symbol: str) -> tuple[int, float]:
        """The node after one more symbol, and what it adds to the bonus: below 0 where a phrase breaks off."""
        change = 0.0
        while node != ROOT and symbol not in self._children[node]:
            failure = self._failure[node]
            change += self.owed(failure) - self.owed(node)
            node = failure
        child = self._children[node].get(symbol)
        if child is None:
            return ROOT, change
        return child, change + self._paid[child] - self._paid[node]

    def bonus(self, symbols: Sequence[str]) -> float:
        """The bonus of a whole sequence."""
        node, total = ROOT, 0.0
        for symbol in symbols:
            node, change = self.step(node, symbol)
            total += change
        return total - self.owed(node)
