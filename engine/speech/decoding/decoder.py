"""The likeliest tokens of a segment → its tokens with times, and other readings: what one request asks of the beam search."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from engine.speech.ctc import Emission
from engine.speech.decoding.alignment import align
from engine.speech.decoding.beam_search import BEAM, search
from engine.speech.decoding.context_graph import ContextGraph, Phrase
from engine.speech.decoding.homophones import HomophoneWriter, may_sound_alike, sound_of, sounds_of
from engine.speech.decoding.hotword_scorer import HotwordScorer
from engine.speech.decoding.hotwords import Hotword
from engine.speech.decoding.number_spellings import spellings
from engine.speech.decoding.scorer import Scorer
from engine.speech.decoding.spelling import Speller
from engine.speech.decoding.top_tokens import TopTokens
from engine.speech.vocabulary import Vocabulary
from engine.transcript import Alternative

#: Of a phrase's weight, with homophones: what its sound earns, and what its own characters earn beside it.
SOUND_SHARE = 0.75
#: A reading that a language model helped to find is text where the network alone holds it so many times likelier than silence, as a
#: natural logarithm: a noise that VAD took for speech gets a word otherwise, of which the network says little.
LEAST_ODDS = math.log(300)


@dataclass(frozen=True)
class Decoded:
    """The tokens of the best reading in time order, and the readings as text, the best first, each text once."""

    emissions: tuple[Emission, ...]
    alternatives: tuple[Alternative, ...]


class BeamDecoder:
    """Decodes segments with one request's hotwords; holds no state between them but what it has computed before."""

    def __init__(
        self,
        vocabulary: Vocabulary,
        hotwords: Sequence[Hotword] = (),
        *,
        homophones: bool = False,
        beam: int = BEAM,
        n_best: int = 1,
        scorers: Sequence[Scorer] = (),
        speller: Speller | None = None,
    ) -> None:
        """``scorers`` come beside the hotwords, as a language model does; ``speller`` is the vocabulary's own, where one exists already."""
        self._vocabulary, self._beam, self._n_best = vocabulary, beam, n_best
        self._writer: HomophoneWriter | None = None
        self._scorers = list(scorers)
        #: A language model pays for every unit: alone it would find words in noise, of which the network says nothing.
        self._needs_text = bool(scorers) and not hotwords
        #: Phrases that the vocabulary cannot write: nothing finds them.
        self.unwritable: tuple[str, ...] = ()
        if hotwords:
            self._scorers += self._hotword_scorers(hotwords, speller or Speller(vocabulary), homophones=homophones)

    def _hotword_scorers(self, hotwords: Sequence[Hotword], speller: Speller, *, homophones: bool) -> list[Scorer]:
        exact: list[Phrase] = []
        by_sound: list[Phrase] = []
        unwritable = []
        for hotword in hotwords:
            spelt = [symbols for symbols in map(speller.spell, spellings(hotword.phrase)) if symbols]
            if not spelt:
                unwritable.append(hotword.phrase)
            sounding = homophones and may_sound_alike(hotword.phrase)
            share = 1 - SOUND_SHARE if sounding else 1.0
            exact += [Phrase(symbols, hotword.weight * share) for symbols in spelt]
            if sounding:
                by_sound += [Phrase(sounds, hotword.weight * SOUND_SHARE) for symbols in spelt for sounds in sounds_of(symbols)]
        self.unwritable = tuple(unwritable)
        found: list[Scorer] = [HotwordScorer(ContextGraph(exact), speller)]
        if by_sound:
            found.append(HotwordScorer(ContextGraph(by_sound), speller, sound=sound_of))
            self._writer = HomophoneWriter((hotword.phrase for hotword in hotwords), self._vocabulary)
        return found

    def decode(self, top: TopTokens) -> Decoded:
        """The tokens and readings of a segment's frames.

        None where the words would be the language model's: the network alone has no text, or hardly any that is likelier than silence.
        """
        if self._needs_text and not any(self._vocabulary.is_text(one.token_id) for one in (top.greedy() if len(top) else ())):
            return Decoded((), ())
        readings = search(top, scorers=self._scorers, beam=self._beam, n_best=max(self._n_best, 1))
        if self._needs_text and readings[0].log_prob - top.silence_log_prob() < LEAST_ODDS:
            return Decoded((), ())
        found: dict[str, float] = {}
        best: tuple[Emission, ...] | None = None
        for reading in readings:
            emissions = align(top, reading.token_ids) if best is None or self._writer else ()
            if self._writer:
                emissions = self._writer.write(emissions)
            best = tuple(emissions) if best is None else best
            text = self._vocabulary.text(one.token_id for one in emissions) if emissions else self._vocabulary.text(reading.token_ids)
            found[text] = found.get(text, 0.0) + reading.probability
        return Decoded(best or (), tuple(Alternative(text, min(1.0, probability)) for text, probability in found.items()))
