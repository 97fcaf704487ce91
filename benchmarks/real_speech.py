"""Real recordings in a row, for as long as a benchmark wants: sentences that were read, and meetings, taking turns."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from models.evaluate.datasets import read_recordings

#: Folders of the data that nobody's weights were trained on; meetings speak over each other and pause as they like.
READ, MEETINGS = "librispeech_subset", "pyannote_samples"


def speech_of(data: Path, *, duration_s: float) -> NDArray[np.float32]:
    """The first ``duration_s`` of all recordings in a row, from the beginning again when they end: (N,) float32 at 16 kHz."""
    parts, wanted, taken = [], round(duration_s * SAMPLE_RATE_HZ), 0
    for path in _in_turn(data):
        samples = load_audio(path).samples
        parts.append(samples)
        taken += len(samples)
        if taken >= wanted:
            break
    return np.concatenate(parts)[:wanted]


def _in_turn(data: Path) -> Iterator[Path]:
    sets = [cycle(sorted(recording.path for recording in read_recordings(data / name))) for name in (READ, MEETINGS)]
    while True:
        for paths in sets:
            yield next(paths)
