"""Recordings of several segments, made of the page's examples."""

from __future__ import annotations

import numpy as np

from engine.audio.waveform import Waveform, load_audio
from tests.starter_facts import EXAMPLES


def examples_apart(*, times: int) -> Waveform:
    """Two examples of digits so many times, with pauses of unequal length between them."""
    parts = []
    for number, name in enumerate(("digits-en.flac", "digits-zh.flac") * times):
        parts += [load_audio(EXAMPLES / name).samples, np.zeros(7_000 * (number + 1) + 123, np.float32)]
    return Waveform(np.concatenate(parts).astype(np.float32))
