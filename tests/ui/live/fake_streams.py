"""Live streams without a network, and what a page sends of them."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("gradio", reason="the page needs gradio")


from engine.audio.reading.reading_warnings import ReadingWarning
from engine.live import Final, Partial
from engine.options import TranscribeOptions
from engine.transcript import Timing
from tests.transcripts import segment
from ui.live.routes import MEDIA_TYPE
from ui.live.sessions import MOST_RUNNING

IDS = [f"{number:032x}" for number in range(MOST_RUNNING + 1)]


QUARTER = np.zeros(4_000, np.int16)


BINARY = {"content-type": MEDIA_TYPE}


class FakeStream:
    """Ends a segment with every fourth block."""

    def __init__(self) -> None:
        self.blocks, self.closed, self.error, self.partial = 0, 0, None, None
        self.warnings: tuple[ReadingWarning, ...] = ()

    @property
    def duration_s(self) -> float:
        return self.blocks / 4

    def add(self, block: np.ndarray, sample_rate_hz: int) -> list[Final]:
        if self.error is not None:
            raise self.error
        self.blocks += 1
        self.partial = Partial(start_ms=0, end_ms=500, text="one", precision="fp32", delay_s=0.1)
        return [self._final()] if self.blocks % 4 == 0 else []

    def finish(self) -> list[Final]:
        return [self._final()]

    def close(self) -> None:
        self.closed += 1

    def timing(self) -> Timing:
        return Timing(decode_s=0.0, features_s=0.1, vad_s=0.1, asr_s=0.1, total_s=0.3, rtf=0.3)

    def _final(self) -> Final:
        return Final(segment=segment(0, 900, "one two"), bundle="fake", precision="fp32", latency_s=0.9)


class FakeEngine:
    precision = "fp32"

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.options: list[TranscribeOptions] = []

    def live(self, options: TranscribeOptions) -> FakeStream:
        self.options.append(options)
        self.streams.append(FakeStream())
        return self.streams[-1]
