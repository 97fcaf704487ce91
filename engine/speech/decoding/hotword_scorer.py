"""Hotwords as a scorer of the beam search: tokens are read as symbols, and the symbols walk the context graph."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from engine.speech.decoding.context_graph import ROOT, ContextGraph
from engine.speech.decoding.spelling import END, Speller

#: Of a phrase in one token: most tokens are one character, or a few letters.
UNITS_A_TOKEN = 2.0
#: The node of the graph, and whether a word is open.
State = tuple[int, bool]


class HotwordScorer:
    """Bonuses of a context graph for tokens; ``sound`` replaces symbols, as characters by their pinyin, before they are matched."""

    def __init__(self, graph: ContextGraph, speller: Speller, *, sound: Callable[[str], str] | None = None) -> None:
        self._graph, self._speller, self._sound = graph, speller, sound
        self.most = UNITS_A_TOKEN * graph.heaviest

    def start(self) -> Hashable:
        """As :meth:`engine.speech.decoding.scorer.Scorer.start`."""
        return ROOT, False

    def step(self, state: State, token_id: int) -> tuple[Hashable, float]:
        """As :meth:`engine.speech.decoding.scorer.Scorer.step`."""
        node, in_word = state
        symbols, in_word = self._speller.read(token_id, in_word=in_word)
        total = 0.0
        for symbol in symbols:
            node, change = self._graph.step(node, symbol if self._sound is None else self._sound(symbol))
            total += change
        return (node, in_word), total

    def finish(self, state: State) -> float:
        """As :meth:`engine.speech.decoding.scorer.Scorer.finish`: an open word ends, and an incomplete phrase is taken back."""
        node, in_word = state
        total = 0.0
        if in_word:
            node, total = self._graph.step(node, END)
        return total - self._graph.owed(node)
