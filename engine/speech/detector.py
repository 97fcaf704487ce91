"""Fbank → speech probability per frame → speech spans, with an FSMN-VAD session.

The network runs in windows. FSMN-VAD is causal with a short memory, so a window that begins a little earlier gives exactly
the frames of one long pass, and an hour costs no more memory than a minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import Waveform
from engine.errors import GraphContractError
from engine.speech.endpointing import SpeechSpan, VadOptions, find_speech, frame_decibels
from engine.speech.features import FRAME_SHIFT_MS, Frontend

Floats = NDArray[np.float32]

WINDOW_FRAMES = 6_000  # one minute: 10 MB of features
#: Four FSMN layers look 19 frames back each; stacking reaches over the window's edge by itself.
CONTEXT_FRAMES = 4 * 19


class RunsGraph(Protocol):
    """What the detector needs of a session."""

    @property
    def input_names(self) -> Sequence[str]:  # noqa: D102 - as engine.runtime.session.Session
        ...

    @property
    def output_names(self) -> Sequence[str]:  # noqa: D102 - as engine.runtime.session.Session
        ...

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[Any]]:  # noqa: D102 - as engine.runtime.session.Session
        ...


class SpeechDetector:
    """Finds speech with one VAD session; holds no state between recordings."""

    def __init__(self, session: RunsGraph, frontend: Frontend, *, silence_ids: Sequence[int] = (0,)) -> None:
        self._session, self._frontend, self._silence_ids = session, frontend, list(silence_ids)

    def silence_probabilities(self, frames: Floats, *, progress: Callable[[float], None] | None = None) -> Floats:
        """Probability of silence of each 10 ms frame: fbank (T, 80) -> (T,) float32."""
        silence = np.empty(len(frames), np.float32)
        for start in range(0, len(frames), WINDOW_FRAMES):
            stop = min(start + WINDOW_FRAMES, len(frames))
            first = max(0, start - CONTEXT_FRAMES)
            silence[start:stop] = self.silence_between(frames, first, stop)[start - first :]
            if progress is not None:
                progress(stop / len(frames))
        return silence

    @property
    def frames_ahead(self) -> int:
        """How many frames must have come after a frame before it can be scored."""
        lfr_m = self._frontend.vad.lfr_m
        return lfr_m - 1 - (lfr_m - 1) // 2

    def silence_between(self, frames: Floats, first: int, stop: int) -> Floats:
        """Probability of silence of frames ``first`` to ``stop`` of a fbank (T, 80), exact from CONTEXT_FRAMES after ``first`` on.

        So is all of it where ``first`` is the stream's first frame.
        """
        return self._run(self._frontend.vad_features(frames, first, stop))

    def _run(self, features: Floats) -> Floats:
        outputs = self._session.run(self._session.output_names[:1], {self._session.input_names[0]: features[None]})
        scores = outputs[0]
        if scores.ndim != np.ndim(features) + 1 or scores.shape[:2] != (1, len(features)) or max(self._silence_ids) >= scores.shape[2]:
            raise GraphContractError(path="vad", reason=f"it answers {scores.shape} for {len(features)} frames")
        total: Floats = scores[0][:, self._silence_ids].sum(axis=1)
        return total

    def detect(self, waveform: Waveform, frames: Floats, options: VadOptions, *, silence: Floats | None = None) -> tuple[SpeechSpan, ...]:
        """Speech spans of a recording: its samples and its fbank (T, 80) -> spans, none longer than the recording.

        A span that is still open at the last frame lasts to the last sample: the up to 25 ms behind the last whole frame belong to it.
        """
        if silence is None:
            silence = self.silence_probabilities(frames)
        decibels = frame_decibels(waveform.samples, frames=len(frames))
        spans = find_speech(silence, decibels, options)
        last_ms = len(frames) * FRAME_SHIFT_MS
        ends = (waveform.duration_ms if span.end_ms >= last_ms else span.end_ms for span in spans)
        return tuple(SpeechSpan(span.start_ms, end_ms) for span, end_ms in zip(spans, ends, strict=True))
