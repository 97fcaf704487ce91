"""What every request of a bundle shares besides its sessions: vocabulary and features, read from its files."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from engine.bundle import Bundle, Lfr
from engine.options import TranscribeOptions
from engine.runtime.session_pool import SessionSet
from engine.speech.decoding.beam_search import BEAM
from engine.speech.decoding.decoder import BeamDecoder
from engine.speech.decoding.language_model import LanguageModel
from engine.speech.decoding.language_model_scorer import scorer_of
from engine.speech.decoding.scorer import Scorer
from engine.speech.decoding.spelling import Speller
from engine.speech.detector import SpeechDetector
from engine.speech.features import FBANK_BINS, Cmvn, FrameStack, Frontend
from engine.speech.vocabulary import Vocabulary

#: The beam is so many times as wide where hotwords come beside a language model: beginnings of phrases, paid before they are complete,
#: take places that better readings may need (benchmarks/README.md#hotwords has what it gained, and where it did not).
HOTWORD_BEAMS = 2


@dataclass(frozen=True)
class Parts:
    """What every request of a bundle shares besides its sessions."""

    bundle: Bundle
    vocabulary: Vocabulary
    frontend: Frontend

    @classmethod
    def load(cls, bundle: Bundle) -> Parts:
        """Read vocabulary and CMVN of a bundle."""
        return cls(bundle, Vocabulary.load(bundle.tokens_path), _frontend(bundle))

    def detector(self, sessions: SessionSet) -> SpeechDetector:
        """A speech detector on a lease's VAD session."""
        return SpeechDetector(sessions.vad, self.frontend, silence_ids=self.bundle.silence_ids)

    @cached_property
    def language_model(self) -> Scorer | None:
        """The bundle's language model as a scorer of the beam search, read for the first segment; None where the bundle has none."""
        own = self.bundle.language_model
        if own is None:
            return None
        model = LanguageModel.load(self.bundle.path(own.file))
        return scorer_of(model, self.vocabulary, speller=self.speller, weight=own.weight, unit_bonus=own.unit_bonus)

    @cached_property
    def speller(self) -> Speller:
        """What the vocabulary's tokens stand for; made for the first request with hotwords, for all of the bundle."""
        return Speller(self.vocabulary)

    def decoder(self, options: TranscribeOptions) -> BeamDecoder:
        """The beam search of one request; its hotwords' graph is built here, so keep it for all segments."""
        own = self.bundle.language_model
        return BeamDecoder(
            self.vocabulary,
            options.hotwords,
            homophones=options.homophones,
            n_best=options.n_best,
            beam=BEAM if own is None else own.beam * (HOTWORD_BEAMS if options.hotwords else 1),
            scorers=[self.language_model] if self.language_model else (),
            speller=self.speller,
        )


def _frontend(bundle: Bundle) -> Frontend:
    return Frontend(asr=_stack(bundle, bundle.lfr.asr, bundle.cmvn.asr), vad=_stack(bundle, bundle.lfr.vad, bundle.cmvn.vad))


def _stack(bundle: Bundle, lfr: Lfr, cmvn: str) -> FrameStack:
    return FrameStack(lfr_m=lfr.m, lfr_n=lfr.n, cmvn=Cmvn.load(bundle.path(cmvn), expected_dim=FBANK_BINS * lfr.m))
