"""funasr-onnx with its own FSMN-VAD; ``model`` is ``fp32`` or ``quantized`` (its ``quantize=True``)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile
from funasr_onnx import Fsmn_vad, SenseVoiceSmall
from numpy.typing import NDArray

SAMPLES_PER_MS = 16


class _FunasrOnnx:
    def __init__(self, model: SenseVoiceSmall, vad: Fsmn_vad) -> None:
        self._model, self._vad = model, vad

    def recognize(self, samples: NDArray[np.float32]) -> str:
        text: str = self._model(samples, language="auto", textnorm="withitn")[0]
        return text

    def transcribe(self, file: Path) -> int:
        samples, _ = soundfile.read(file, dtype="float32")
        spans = self._vad(samples)[0]
        for start_ms, end_ms in spans:
            self.recognize(samples[start_ms * SAMPLES_PER_MS : end_ms * SAMPLES_PER_MS])
        return len(spans)


def open_runtime(folder: Path, *, model: str, threads: int) -> _FunasrOnnx:
    """Open both graphs."""
    recognizer = SenseVoiceSmall(str(folder / "funasr"), quantize=model == "quantized", intra_op_num_threads=threads)
    return _FunasrOnnx(recognizer, Fsmn_vad(str(folder / "vad"), intra_op_num_threads=threads))
