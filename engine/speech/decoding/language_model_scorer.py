"""An n-gram model as a scorer of the beam search: of the tokens themselves, or of the words and characters that they spell."""

from __future__ import annotations

from collections.abc import Hashable
from functools import cache

from engine.speech.decoding.language_model import PIECES, Ids, LanguageModel
from engine.speech.decoding.scorer import Scorer
from engine.speech.decoding.spelling import BEGIN, END, Speller
from engine.speech.vocabulary import Vocabulary

#: What a word that the model does not know costs beyond its probability, for each letter: any spelling is as good as another.
UNKNOWN_LETTER = -2.5
#: How much a model of pieces counts, and what is added for each piece (models/starter/README.md, "A language model").
WEIGHT, UNIT_BONUS = 0.4, 2.5

#: The ids of the last units, the letters of an open word, and whether a word is open.
State = tuple[Ids, str, bool]


def scorer_of(
    model: LanguageModel, vocabulary: Vocabulary, *, speller: Speller | None = None, weight: float = WEIGHT, unit_bonus: float = UNIT_BONUS
) -> Scorer:
    """The scorer for a model's kind of units."""
    if model.kind == PIECES:
        return PieceScorer(model, vocabulary, weight=weight, unit_bonus=unit_bonus)
    return WordScorer(model, speller or Speller(vocabulary), weight=weight, unit_bonus=unit_bonus)


class PieceScorer:
    """A model of a vocabulary's own pieces: each token is scored as it comes. Its state is the ids of the last units."""

    def __init__(self, model: LanguageModel, vocabulary: Vocabulary, *, weight: float, unit_bonus: float) -> None:
        """``unit_bonus`` is added for each piece, against a model's liking for few."""
        self._model, self._weight, self._bonus = model, weight, unit_bonus
        #: As in :class:`engine.speech.decoding.scorer.Scorer`.
        self.most = max(0.0, unit_bonus)
        known = [model.unit_id(vocabulary.piece(index)) for index in range(len(vocabulary))]
        self._units = [model.unknown if unit is None else unit for unit in known]
        self._is_text = [vocabulary.is_text(index) for index in range(len(vocabulary))]

    def start(self) -> Hashable:
        """As :meth:`engine.speech.decoding.scorer.Scorer.start`."""
        return (self._model.start,)

    def step(self, state: Ids, token_id: int) -> tuple[Hashable, float]:
        """As :meth:`engine.speech.decoding.scorer.Scorer.step`; tags and control tokens add nothing."""
        if not self._is_text[token_id]:
            return state, 0.0
        unit = self._units[token_id]
        added = self._weight * self._model.log_prob(state, unit) + self._bonus
        return (*state, unit)[-max(1, self._model.order - 1) :], added

    def finish(self, state: Ids) -> float:
        """As :meth:`engine.speech.decoding.scorer.Scorer.finish`."""
        return self._weight * self._model.log_prob(state, self._model.stop)


class WordScorer:
    """A model of words and characters as a scorer of the beam search.

    While a word is open, it is scored as the likeliest word that begins with its letters, and corrected when it ends: otherwise a beam
    would prefer words that have not ended yet.
    """

    def __init__(self, model: LanguageModel, speller: Speller, *, weight: float, unit_bonus: float) -> None:
        """``unit_bonus`` is added for each unit, against a model's liking for few."""
        self._model, self._speller, self._weight, self._bonus = model, speller, weight, unit_bonus
        #: As in :class:`engine.speech.decoding.scorer.Scorer`.
        self.most = max(0.0, unit_bonus)
        self._ahead = cache(self._look_ahead)

    def start(self) -> Hashable:
        """As :meth:`engine.speech.decoding.scorer.Scorer.start`."""
        return (self._model.start,), "", False

    def step(self, state: State, token_id: int) -> tuple[Hashable, float]:
        """As :meth:`engine.speech.decoding.scorer.Scorer.step`."""
        history, word, opened = state
        symbols, in_word = self._speller.read(token_id, in_word=opened)
        total = 0.0
        for symbol in symbols:
            if symbol == BEGIN:
                opened = True
            elif symbol == END:
                history, added = self._end_word(history, word)
                word, opened, total = "", False, total + added
            elif opened:
                total += self._ahead(word + symbol) - (self._ahead(word) if word else 0.0)
                word += symbol
            else:
                history, added = self._unit(history, self._model.unit_id(symbol), 1)
                total += added
        return (history, word, in_word), total

    def finish(self, state: State) -> float:
        """As :meth:`engine.speech.decoding.scorer.Scorer.finish`."""
        history, word, in_word = state
        total = 0.0
        if in_word:
            history, total = self._end_word(history, word)
        return total + self._weight * self._model.log_prob(history, self._model.stop)

    def _end_word(self, history: Ids, word: str) -> tuple[Ids, float]:
        history, added = self._unit(history, self._model.unit_id(word), len(word))
        return history, added - (self._ahead(word) if word else 0.0)

    def _unit(self, history: Ids, unit: int | None, letters: int) -> tuple[Ids, float]:
        known = self._model.unknown if unit is None else unit
        log_prob = self._model.log_prob(history, known) + (UNKNOWN_LETTER * letters if unit is None else 0.0)
        return (*history, known)[-max(1, self._model.order - 1) :], self._weight * log_prob + self._bonus

    def _look_ahead(self, prefix: str) -> float:
        best = self._model.best_with_prefix(prefix)
        if best is None:
            best = self._model.log_prob((), self._model.unknown) + UNKNOWN_LETTER * len(prefix)
        return self._weight * best + self._bonus
