"""OpenVINO on FunASR's graph; ``model`` is ``fp32``, ``bf16`` (both on the FP32 file), ``int8-weights`` or ``int8``."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import openvino
from numpy.typing import NDArray

from benchmarks.peers.adapters.frontend import VAD_GRAPH, BareRuntime

FILES = {
    "fp32": ("funasr/model.onnx", "f32"),
    "bf16": ("funasr/model.onnx", "bf16"),
    "int8-weights": ("openvino/weights.xml", "f32"),
    "int8": ("openvino/full.xml", "f32"),
}
#: OpenVINO 2026.4 cannot compile what its own tool quantized without this (a pass of its CPU plugin fails).
EXTRA = {"int8": {"SNIPPETS_MODE": "DISABLE"}}


class _Graph:
    def __init__(
        self, core: openvino.Core, path: Path, *, threads: int, precision: str, extra: Mapping[str, str] = MappingProxyType({})
    ) -> None:
        settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": precision, **extra}
        self._model = core.compile_model(str(path), "CPU", settings)
        self._own = threading.local()  # an infer request serves one caller at a time
        self.input_names = [entry.get_any_name() for entry in self._model.inputs]
        self.output_names = [entry.get_any_name() for entry in self._model.outputs]

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, NDArray[Any]]) -> list[NDArray[np.float32]]:
        if not hasattr(self._own, "request"):
            self._own.request = self._model.create_infer_request()
        answers = self._own.request.infer(dict(feeds), share_inputs=True)
        return [answers[name] for name in output_names or self.output_names]


def open_runtime(folder: Path, *, model: str, threads: int) -> BareRuntime:
    """Compile the graph and the VAD beside it."""
    name, precision = FILES[model]
    missing = folder / "openvino" / "missing.txt"
    if name.startswith("openvino/") and missing.is_file():
        raise FileNotFoundError(f"OpenVINO made no INT8 model: {missing.read_text(encoding='utf-8').strip()}")
    core = openvino.Core()
    graph = _Graph(core, folder / name, threads=threads, precision=precision, extra=EXTRA.get(model, {}))
    vad = _Graph(core, folder / VAD_GRAPH, threads=threads, precision="f32")
    return BareRuntime(folder, logits=lambda feeds: graph.run(graph.output_names[:1], feeds)[0], vad=vad)
