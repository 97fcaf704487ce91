"""A speech span and its frames → Segment: what a recording's spans and those of a live stream have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.errors import GraphContractError
from engine.options import TranscribeOptions
from engine.runtime.session_pool import SessionSet
from engine.runtime.stop_signal import StopSignal
from engine.runtime.stoppable_session import StoppableSession
from engine.speech.batching import batches_by_length
from engine.speech.decoding.decoder import BeamDecoder
from engine.speech.decoding.hotword_warnings import left_out_warnings, unwritable_warnings
from engine.speech.endpointing import SpeechSpan
from engine.speech.features import FRAME_LENGTH_MS, FRAME_SHIFT_MS
from engine.speech.parts import Parts
from engine.speech.recognizer import Recognition, Recognizer
from engine.tags import Language
from engine.transcript import Segment

Floats = NDArray[np.float32]

#: A segment tagged nospeech with at least this probability is left out even where it was given text.
SURE_OF_NO_SPEECH = 0.5


def frames_of(span: SpeechSpan) -> slice:
    """The frames that lie whole within a span, as a slice of the recording's fbank."""
    # Frames lie on a 10 ms grid and so do spans: these are the frames of the cut-out samples, without computing them again.
    first, last = span.start_ms // FRAME_SHIFT_MS, max(0, (span.end_ms - FRAME_LENGTH_MS) // FRAME_SHIFT_MS + 1)
    return slice(first, last)


class SpanRecognizer:
    """Recognizes spans with the sessions of one lease; holds no state between them, so that several threads may use one."""

    def __init__(
        self,
        parts: Parts,
        sessions: SessionSet,
        options: TranscribeOptions,
        *,
        decoder: BeamDecoder | None = None,
        stop: StopSignal | None = None,
    ) -> None:
        """``decoder`` is what an earlier one of the same parts and options had, where there was one; ``stop`` ends what runs."""
        asr = sessions.asr if stop is None else StoppableSession(sessions.asr, stop)
        self._recognizer = Recognizer(asr, parts.vocabulary, parts.bundle)
        #: None where greedy decoding does, or nothing else is possible.
        self.decoder: BeamDecoder | None = None
        #: What of the options had no effect.
        self.warnings: tuple[ReadingWarning, ...] = ()
        searches = options.asks_for_search or parts.bundle.language_model is not None
        if searches and self._recognizer.searches:
            self.decoder = decoder or parts.decoder(options)
            self.warnings = unwritable_warnings(self.decoder.unwritable)
        elif options.asks_for_search:
            self.warnings = left_out_warnings(parts.bundle.name)
        self._frontend, self._options = parts.frontend, options
        self._batches = "speech_lengths" in sessions.asr.input_names and not sessions.asr.on_cpu
        self._max_frames = int(sessions.asr.metadata.get("max_frames", "0"))

    @property
    def batches(self) -> bool:
        """Whether several spans at once are worth it: on a graph that masks, on a processor that is idle without."""
        return self._batches

    def recognize(self, frames: Floats, *, duration_ms: int) -> Recognition:
        """What a fbank (T, 80) of at least one frame became. GraphContractError for one that is too long."""
        return self._recognize([self._features(frames)], [duration_ms])[0]

    def segment(self, span: SpeechSpan, frames: Floats) -> Segment | None:
        """The segment of a span and its fbank (T, 80); None where no speech is in it. Errors as those of :meth:`recognize`."""
        if not len(frames):
            return None
        return self._segment(span, self.recognize(frames, duration_ms=span.end_ms - span.start_ms))

    def segments(self, spans: Sequence[SpeechSpan], frames: Sequence[Floats]) -> list[Segment | None]:
        """As :meth:`segment`, for several spans in as few runs as their lengths allow."""
        features = [self._features(own) for own in frames]
        found: list[Segment | None] = [None] * len(spans)
        with_frames = [place for place, own in enumerate(features) if len(own)]
        for batch in batches_by_length([len(features[place]) for place in with_frames]):
            places = [with_frames[index] for index in batch]
            durations_ms = [spans[place].end_ms - spans[place].start_ms for place in places]
            for place, recognition in zip(places, self._recognize([features[place] for place in places], durations_ms), strict=True):
                found[place] = self._segment(spans[place], recognition)
        return found

    def _features(self, frames: Floats) -> Floats:
        features = self._frontend.asr_features(frames)
        if self._max_frames and len(features) > self._max_frames:
            reason = f"a segment of {len(features)} frames is longer than the graph's positions ({self._max_frames}); lower max_segment_ms"
            raise GraphContractError(path="asr", reason=reason)
        return features

    def _recognize(self, batch: Sequence[Floats], durations_ms: Sequence[int]) -> list[Recognition]:
        return self._recognizer.recognize_batch(batch, self._options, durations_ms=durations_ms, decoder=self.decoder)

    def _segment(self, span: SpeechSpan, recognition: Recognition) -> Segment | None:
        return _segment(span, recognition if self._options.n_best > 1 else replace(recognition, alternatives=()))


def _segment(span: SpeechSpan, recognition: Recognition) -> Segment | None:
    if recognition.language is Language.NOSPEECH and (not recognition.text or recognition.confidence.language >= SURE_OF_NO_SPEECH):
        return None  # FSMN-VAD over-triggers on noise; the recognizer's own verdict settles it
    tokens = tuple(replace(t, start_ms=t.start_ms + span.start_ms, end_ms=t.end_ms + span.start_ms) for t in recognition.tokens)
    return Segment(
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        text=recognition.text,
        language=recognition.language,
        emotion=recognition.emotion,
        event=recognition.event,
        confidence=recognition.confidence,
        tokens=tokens,
        probabilities=recognition.probabilities,
        alternatives=recognition.alternatives,
    )
