"""sherpa-onnx; ``model`` is the file's name. It has no FSMN-VAD: the long file's segments are found as the bare runtimes find them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import sherpa_onnx as runtime
from numpy.typing import NDArray

from benchmarks.peers.adapters.bare_onnxruntime import Graph
from benchmarks.peers.adapters.frontend import VAD_GRAPH, find_speech, frontend_of
from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.speech.features import Frontend


class _Sherpa:
    def __init__(self, recognizer: runtime.OfflineRecognizer, vad: Graph, frontend: Frontend) -> None:
        self._recognizer, self._vad, self._frontend = recognizer, vad, frontend

    def recognize(self, samples: NDArray[np.float32]) -> str:
        stream = self._recognizer.create_stream()
        stream.accept_waveform(SAMPLE_RATE_HZ, samples)
        self._recognizer.decode_stream(stream)
        text: str = stream.result.text
        return text

    def transcribe(self, file: Path) -> int:
        waveform, _, spans = find_speech(file, self._vad, self._frontend)
        for span in spans:
            self.recognize(waveform.cut(span.start_ms, span.end_ms))
        return len(spans)


def open_runtime(folder: Path, *, model: str, threads: int) -> _Sherpa:
    """Open the model."""
    recognizer = runtime.OfflineRecognizer.from_sense_voice(
        model=str(folder / "sherpa" / model), tokens=str(folder / "sherpa" / "tokens.txt"), num_threads=threads, use_itn=True
    )
    return _Sherpa(recognizer, Graph(folder / VAD_GRAPH, threads=threads), frontend_of(folder))
