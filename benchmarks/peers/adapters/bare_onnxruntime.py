"""ONNX Runtime with its defaults on FunASR's graph; ``model`` is the file's name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from benchmarks.peers.adapters.frontend import VAD_GRAPH, BareRuntime


class Graph:
    """A session as :class:`engine.speech.detector.RunsGraph` wants it."""

    def __init__(self, path: Path, *, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self.input_names = [entry.name for entry in self._session.get_inputs()]
        self.output_names = [entry.name for entry in self._session.get_outputs()]

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        """Named inputs to a list of outputs."""
        outputs: list[NDArray[np.float32]] = self._session.run(output_names, dict(feeds))
        return outputs


def open_runtime(folder: Path, *, model: str, threads: int) -> BareRuntime:
    """Open the graph and the VAD beside it."""
    graph = Graph(folder / "funasr" / model, threads=threads)
    vad = Graph(folder / VAD_GRAPH, threads=threads)
    return BareRuntime(folder, logits=lambda feeds: graph.run(graph.output_names[:1], feeds)[0], vad=vad)
