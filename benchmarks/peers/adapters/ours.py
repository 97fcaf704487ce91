"""This project's engine; ``model`` is a variant of the bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import Waveform
from engine.bundle import Bundle
from engine.options import VAD_OFF, TranscribeOptions
from engine.pipeline import Engine


class _Ours:
    def __init__(self, engine: Engine) -> None:
        self._engine, self._decoder = engine, Decoder()

    def recognize(self, samples: NDArray[np.float32]) -> str:
        return self._engine.transcribe(Waveform(samples), TranscribeOptions(vad_precision=VAD_OFF)).text

    def transcribe(self, file: Path) -> int:
        return len(self._engine.transcribe(self._decoder.open(file)).segments)


def open_runtime(folder: Path, *, model: str, threads: int) -> _Ours:
    """Open the bundle in one precision."""
    # As an installed bundle is opened: its checksums were verified once and are remembered.
    engine = Engine(Bundle.load(folder / "bundle", verify=False), precision=model, threads=threads)
    engine.warm_up()
    return _Ours(engine)
