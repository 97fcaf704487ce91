"""Frame ids → emitted tokens with times: collapse repeats, drop blanks (greedy CTC, Graves et al. 2006)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLANK_ID = 0


@dataclass(frozen=True)
class Emission:
    """One token: its id, the frames it covers (the last one excluded) and the log-probability of its best frame."""

    token_id: int
    start_frame: int
    end_frame: int
    log_prob: float

    @property
    def confidence(self) -> float:
        """Probability of the best frame, in [0, 1]."""
        return float(min(1.0, np.exp(self.log_prob)))


def collapse(token_ids: NDArray[Any], log_probs: NDArray[Any]) -> list[Emission]:
    """Runs of one id become one emission, blanks none: ids (T,) and log-probabilities (T,) -> emissions in time order."""
    if len(token_ids) != len(log_probs):
        raise ValueError(f"{len(token_ids)} ids but {len(log_probs)} log-probabilities")
    if not len(token_ids):
        return []
    starts = np.concatenate([[0], np.flatnonzero(np.diff(token_ids)) + 1])
    ends = np.append(starts[1:], len(token_ids))
    best = np.maximum.reduceat(log_probs, starts)
    return [
        Emission(int(token_ids[start]), int(start), int(end), float(log_prob))
        for start, end, log_prob in zip(starts, ends, best, strict=True)
        if token_ids[start] != BLANK_ID
    ]


def frame_times_ms(emission: Emission, *, frame_ms: int, duration_ms: int) -> tuple[int, int]:
    """Start and end of an emission from the segment's start, clipped to it.

    A frame stands for what surrounds its middle: upstream shifts by half a frame, so frame i covers
    ``[i * 60 - 30, (i + 1) * 60 - 30]`` ms (``SenseVoiceSmall.inference`` with ``output_timestamp``).
    """
    half = frame_ms // 2
    start = min(max(emission.start_frame * frame_ms - half, 0), duration_ms)
    end = min(max(emission.end_frame * frame_ms - half, start), duration_ms)
    return start, end
