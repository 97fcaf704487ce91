"""What a beam search reads: the likeliest tokens of every frame and their log-probabilities, as the graph's ``top_*`` outputs hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.speech.ctc import BLANK_ID, Emission, collapse

#: The input and the outputs of an ASR graph that a beam search needs (models/export/top_tokens.py).
TOP_K, TOP_OUTPUTS = "top_k", ("top_ids", "top_log_probs")
#: Tokens of a frame that are asked for.
TOKENS_A_FRAME = 16


@dataclass(frozen=True)
class TopTokens:
    """The likeliest tokens of every frame: ids (T, K) and log-probabilities (T, K), the likeliest first."""

    ids: NDArray[Any]
    log_probs: NDArray[Any]

    def __post_init__(self) -> None:
        if self.ids.shape != self.log_probs.shape or len(self.ids.shape[1:]) != 1 or (len(self.ids) and not self.ids.shape[1]):
            raise ValueError(f"ids {self.ids.shape} and log-probabilities {self.log_probs.shape} are not both (T, K) with K of at least 1")

    @classmethod
    def of_logits(cls, logits: NDArray[Any], *, k: int = TOKENS_A_FRAME) -> TopTokens:
        """The best ``k`` of logits (T, V)."""
        k = min(k, logits.shape[1])
        top = logits.max(axis=1, keepdims=True) if len(logits) else logits[:, :1]
        log_probs = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
        ids = np.argsort(-log_probs, axis=1, kind="stable")[:, :k]
        return cls(ids, np.take_along_axis(log_probs, ids, axis=1))

    def __len__(self) -> int:
        return len(self.ids)

    def silence_log_prob(self) -> float:
        """How likely every frame is a blank; where the blank is not among a frame's tokens, it counts as much as the last of them."""
        if not len(self):
            return 0.0
        blanks = np.where(self.ids == BLANK_ID, self.log_probs, -np.inf).max(axis=1)
        return float(np.maximum(blanks, self.log_probs[:, -1]).sum(dtype=np.float64))

    def greedy(self) -> list[Emission]:
        """The best token of every frame, collapsed."""
        return collapse(self.ids[:, 0], self.log_probs[:, 0])
