"""What a network could answer: frames with the probabilities that a test gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from engine.speech.decoding.top_tokens import TopTokens


def likely_frames(pieces: Sequence[str], *frames: Mapping[str, float]) -> TopTokens:
    """Frames with the given probabilities of ``pieces``, a nearly certain blank behind each."""
    table = np.full((2 * len(frames), len(pieces)), 1e-7)
    for index, probabilities in enumerate(frames):
        for piece, probability in probabilities.items():
            table[2 * index, pieces.index(piece)] = probability
        table[2 * index + 1, 0] = 0.999
    return TopTokens.of_logits(np.log(table / table.sum(axis=1, keepdims=True)))
