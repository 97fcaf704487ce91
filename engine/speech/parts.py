"""What every request of a bundle shares besides its sessions: vocabulary and features, read from its files."""

from __future__ import annotations

from dataclasses import dataclass

from engine.bundle import Bundle
from engine.runtime.session_pool import SessionSet
from engine.speech.detector import SpeechDetector
from engine.speech.features import FBANK_BINS, Cmvn, FrameStack, Frontend
from engine.speech.vocabulary import Vocabulary


@dataclass(frozen=True)
class Parts:
    """What every request of a bundle shares besides its sessions."""

    bundle: Bundle
    vocabulary: Vocabulary
    frontend: Frontend

    @classmethod
    def load(cls, bundle: Bundle) -> Parts:
        """Read vocabulary and CMVN of a bundle."""
        return cls(bundle, Vocabulary.load(bundle.tokens_path), Frontend(asr=_stack(bundle, "asr"), vad=_stack(bundle, "vad")))

    def detector(self, sessions: SessionSet) -> SpeechDetector:
        """A speech detector on a lease's VAD session."""
        return SpeechDetector(sessions.vad, self.frontend, silence_ids=self.bundle.silence_ids)


def _stack(bundle: Bundle, model: str) -> FrameStack:
    lfr = bundle.lfr[model]
    path = bundle.path(bundle.cmvn[model])
    return FrameStack(lfr_m=lfr.m, lfr_n=lfr.n, cmvn=Cmvn.load(path, expected_dim=FBANK_BINS * lfr.m))
