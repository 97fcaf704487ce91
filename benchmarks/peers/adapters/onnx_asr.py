"""onnx-asr, which is asked to open the folder that sherpa-onnx opens."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx_asr as runtime
import onnxruntime
import soundfile
from numpy.typing import NDArray


class _OnnxAsr:
    def __init__(self, model: Any) -> None:
        self._model = model

    def recognize(self, samples: NDArray[np.float32]) -> str:
        text: str = self._model.recognize(samples)
        return text

    def transcribe(self, file: Path) -> int:
        self._model.recognize(soundfile.read(file, dtype="float32")[0])
        return 1


def open_runtime(folder: Path, *, model: str, threads: int) -> _OnnxAsr:
    """Open the folder as the model type that is named; threads are ONNX Runtime's session option."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return _OnnxAsr(runtime.load_model(model, folder / "sherpa", sess_options=options))
