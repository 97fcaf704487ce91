"""Features + prompt → text, tokens with times, and the four tags, with a SenseVoice session.

The prompt is language and text norm; the output's first four positions answer with language, emotion, event and
text norm, in that order, as upstream. The rest is CTC.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from engine.bundle import ITN_BY_LIBRARY, Bundle
from engine.errors import GraphContractError, UnknownLanguageError
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.speech.ctc import Emission, collapse, frame_times_ms
from engine.speech.decoding.decoder import BeamDecoder
from engine.speech.decoding.top_tokens import TOKENS_A_FRAME, TOP_K, TOP_OUTPUTS, TopTokens
from engine.speech.detector import RunsGraph
from engine.speech.features import FRAME_SHIFT_MS
from engine.speech.itn.itn import apply_itn
from engine.speech.vocabulary import Vocabulary
from engine.tags import Emotion, Event, Language, TextNorm, likeliest_emotion
from engine.transcript import Alternative, TagConfidence, Token

Floats = NDArray[np.float32]
TagT = TypeVar("TagT", Language, Emotion, Event)

PROMPT_POSITIONS = 4
OUTPUTS = ("token_ids", "log_probs", "tag_probs")


class AsrSession(RunsGraph, Protocol):
    """What recognition needs of a session."""

    path: Any

    def metadata_ids(self, name: str) -> tuple[int, ...]:  # noqa: D102 - as engine.runtime.session.Session
        ...


@dataclass(frozen=True)
class Recognition:
    """What one stretch of features became; token times count from its start."""

    text: str
    tokens: tuple[Token, ...]
    language: Language
    emotion: Emotion
    event: Event
    confidence: TagConfidence
    probabilities: Mapping[str, Mapping[str, float]]
    #: Other readings with their probabilities, the best first, where a beam search was asked for them.
    alternatives: tuple[Alternative, ...] = ()


class Recognizer:
    """Recognizes segments with one ASR session, one at a time or on a GPU several; holds no state between them."""

    def __init__(self, session: AsrSession, vocabulary: Vocabulary, bundle: Bundle) -> None:
        missing = [name for name in OUTPUTS if name not in session.output_names]
        if missing:
            raise GraphContractError(path=session.path, reason=f"it lacks the outputs {', '.join(missing)}")
        self._session, self._vocabulary, self._bundle = session, vocabulary, bundle
        tag_ids = session.metadata_ids("tag_token_ids")
        if not tag_ids or max(tag_ids) >= len(vocabulary):
            raise GraphContractError(path=session.path, reason="its tag_token_ids lie outside the vocabulary")
        self._tags = [vocabulary.tag(index) for index in tag_ids]
        for family in (Language, Emotion, Event):
            if not any(isinstance(tag, family) for tag in self._tags):
                raise GraphContractError(path=session.path, reason=f"no {family.__name__.lower()} tag is among its tag_token_ids")
        self._frame_ms = bundle.lfr.asr.n * FRAME_SHIFT_MS

    @property
    def searches(self) -> bool:
        """Whether the graph answers what a beam search needs; one that does not is decoded greedily whatever is asked for."""
        return set(TOP_OUTPUTS) <= set(self._session.output_names)

    def recognize(
        self,
        features: Floats,
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        duration_ms: int,
        decoder: BeamDecoder | None = None,
    ) -> Recognition:
        """Recognize features (T, 560) that last ``duration_ms``; UnknownLanguageError for a language without a prompt row.

        With ``options.itn`` the text has its numbers as digits; the tokens stay as the model emits them. With a ``decoder`` they are
        searched for with its hotwords, else the best token of each frame is taken.
        """
        return self.recognize_batch([features], options, durations_ms=[duration_ms], decoder=decoder)[0]

    def recognize_batch(
        self,
        batch: Sequence[Floats],
        options: TranscribeOptions = DEFAULT_OPTIONS,
        *,
        durations_ms: Sequence[int],
        decoder: BeamDecoder | None = None,
    ) -> list[Recognition]:
        """As :meth:`recognize`, several features (T, 560) in one run, padded to the longest; more than one needs a graph that masks."""
        rows = self._bundle.language_rows
        if options.language not in rows:
            raise UnknownLanguageError(language=options.language, known=rows)
        by_library = options.itn and self._bundle.itn == ITN_BY_LIBRARY
        norm = TextNorm.WITHITN if options.itn and not by_library else TextNorm.WOITN
        top_k = min(TOKENS_A_FRAME, len(self._vocabulary)) if decoder is not None and self.searches else 0
        answers = self._run(batch, language_row=rows[options.language], norm_row=self._bundle.textnorm_rows[norm.value], top_k=top_k)
        found = []
        for row, (features, duration_ms) in enumerate(zip(batch, durations_ms, strict=True)):
            spoken = slice(PROMPT_POSITIONS, PROMPT_POSITIONS + len(features))
            alternatives: tuple[Alternative, ...] = ()
            if decoder is not None and top_k:
                decoded = decoder.decode(TopTokens(answers[3][row, spoken], answers[4][row, spoken]))
                emissions, alternatives = list(decoded.emissions), decoded.alternatives
            else:
                emissions = collapse(answers[0][row, spoken], answers[1][row, spoken])
            tokens = self._tokens(emissions, duration_ms)
            recognition = self._finish(tokens, answers[2][row], duration_ms=duration_ms, ban_emo_unknown=options.ban_emo_unknown)
            text = recognition.text
            if by_library:
                text = apply_itn(text)
                alternatives = tuple(replace(one, text=apply_itn(one.text)) for one in alternatives)
            found.append(replace(recognition, text=text, alternatives=alternatives))
        return found

    def _run(self, batch: Sequence[Floats], *, language_row: int, norm_row: int, top_k: int = 0) -> list[NDArray[Any]]:
        """Token ids and log probabilities (B, P), tag probabilities (B, 4, K) of features padded with zeros.

        With ``top_k`` also that many likeliest tokens a position: their ids and log probabilities, (B, P, top_k) each.
        """
        count, longest = len(batch), max(len(features) for features in batch)
        speech = batch[0][None] if count == 1 else np.stack([np.pad(one, ((0, longest - len(one)), (0, 0))) for one in batch])
        feeds: dict[str, NDArray[Any]] = {
            "speech": speech,
            "language": np.full(count, language_row, np.int32),
            "textnorm": np.full(count, norm_row, np.int32),
        }
        if "speech_lengths" in self._session.input_names:  # a GPU graph, which masks batches
            feeds["speech_lengths"] = np.array([len(features) for features in batch], np.int32)
        if top_k:
            feeds[TOP_K] = np.array([top_k], np.int64)
        answers = self._session.run((*OUTPUTS, *TOP_OUTPUTS) if top_k else OUTPUTS, feeds)
        token_ids, log_probs, tag_probs = answers[:3]
        expected = (count, longest + PROMPT_POSITIONS)
        if token_ids.shape != expected or log_probs.shape != expected or tag_probs.shape != (count, PROMPT_POSITIONS, len(self._tags)):
            raise GraphContractError(
                path=self._session.path, reason=f"it answers {token_ids.shape} and {tag_probs.shape} for {longest} frames"
            )
        if any(answer.shape != (*expected, top_k) for answer in answers[3:]):
            reason = f"it answers {answers[3].shape} where {top_k} tokens a frame were asked for"
            raise GraphContractError(path=self._session.path, reason=reason)
        return answers

    def _tokens(self, emissions: Sequence[Emission], duration_ms: int) -> list[tuple[int, Token]]:
        tokens = []
        for emission in emissions:
            if self._vocabulary.is_text(emission.token_id):
                start_ms, end_ms = frame_times_ms(emission, frame_ms=self._frame_ms, duration_ms=duration_ms)
                piece = self._vocabulary.piece(emission.token_id)
                tokens.append((emission.token_id, Token(text=piece, start_ms=start_ms, end_ms=end_ms, confidence=emission.confidence)))
        return tokens

    def _finish(self, tokens: list[tuple[int, Token]], tag_probs: Floats, *, duration_ms: int, ban_emo_unknown: bool) -> Recognition:
        languages = self._balanced(self._family(tag_probs[0], Language), duration_ms)
        emotions = self._family(tag_probs[1], Emotion)
        events = self._family(tag_probs[2], Event)
        emotion = likeliest_emotion(emotions, ban_unknown=ban_emo_unknown)
        language, event = _likeliest(languages), _likeliest(events)
        return Recognition(
            text=self._vocabulary.text(index for index, _ in tokens),
            tokens=tuple(token for _, token in tokens),
            language=language,
            emotion=emotion,
            event=event,
            confidence=TagConfidence(language=languages[language], emotion=emotions[emotion], event=events[event]),
            probabilities={
                "language": {tag.value: value for tag, value in languages.items()},
                "emotion": {tag.value: value for tag, value in emotions.items()},
                "event": {tag.value: value for tag, value in events.items()},
            },
        )

    def _balanced(self, languages: dict[Language, float], duration_ms: int) -> dict[Language, float]:
        """The languages' probabilities as if the training had heard each as often, their sum as before.

        A network that heard little of a language finds it unlikely before it listens: what the bundle states is added to its log-odds
        (logit adjustment, Menon et al. 2021, https://arxiv.org/abs/2007.07314). In a word or two there is too little to hear a language
        by, and the one that is likelier from the start is the better guess.
        """
        odds = self._bundle.language_odds
        if not odds.added:
            return languages
        share = min(1.0, duration_ms / odds.full_after_ms)
        raised = {language: value * math.exp(share * odds.added.get(language.value, 0.0)) for language, value in languages.items()}
        scale = sum(languages.values()) / max(sum(raised.values()), 1e-30)
        return {language: value * scale for language, value in raised.items()}

    def _family(self, probabilities: Floats, family: type[TagT]) -> dict[TagT, float]:
        return {tag: float(value) for tag, value in zip(self._tags, probabilities, strict=True) if isinstance(tag, family)}


def _likeliest(probabilities: Mapping[TagT, float]) -> TagT:
    return max(probabilities, key=lambda tag: probabilities[tag])
