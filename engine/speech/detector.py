"""Fbank → probability of silence per frame, with an FSMN-VAD session.

FSMN-VAD is causal with a short memory: a part that begins CONTEXT_FRAMES earlier gives exactly the frames of one long pass, so that
an hour costs no more memory than a minute (:mod:`engine.speech.speech_stream`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from engine.errors import GraphContractError
from engine.speech.features import Frontend

Floats = NDArray[np.float32]

#: Four FSMN layers look 19 frames back each; stacking reaches over the part's edge by itself.
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
    """Scores frames with one VAD session; holds no state between recordings."""

    def __init__(self, session: RunsGraph, frontend: Frontend, *, silence_ids: Sequence[int] = (0,)) -> None:
        self._session, self._frontend, self._silence_ids = session, frontend, list(silence_ids)

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
