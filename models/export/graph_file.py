"""ONNX files as the workshop writes and checks them: what a graph must equal, where its weights lie, and how it is opened for a comparison.

Needs ``onnx`` alone: ready-made graphs are converted on machines without PyTorch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnx

from engine.errors import LightVoiceError
from engine.runtime.session import keep_int8_exact

PARITY_TOLERANCE = 1e-3
#: Smaller weights stay in the graph's file: for each that lies in the data file ONNX Runtime opens it anew and looks at every folder of
#: its path. 284 of 1 061 in SenseVoice-Small's INT8 graph are larger; it opens in 0.49 s instead of 0.56.
EXTERNAL_BYTES = 65_536
LIFTED_BYTES = 1024
#: Two graphs may disagree on an arg-max whose margin is smaller than this.
MARGIN = 1e-3


class ExportError(LightVoiceError):
    """A graph does not compute what its network computes, or a checkpoint cannot be read."""


class DifferentAnswersError(ExportError):
    """A graph answers otherwise than the one it was made of."""


def save_graph(model: onnx.ModelProto, path: Path, *, external: bool) -> None:
    """Write a graph, its weights in ``<name>.data`` beside it if ``external``: those are mapped, not copied, when loaded."""
    data = path.with_name(path.name + ".data")
    data.unlink(missing_ok=True)
    if not external:
        onnx.save(model, str(path))
        return
    onnx.save(model, str(path), save_as_external_data=True, all_tensors_to_one_file=True, location=data.name, size_threshold=EXTERNAL_BYTES)
    if data.exists():  # a tiny graph has no weight that is large enough
        data.chmod(0o644)


def write_types(path: Path) -> None:
    """Write the type and shape of every tensor into a graph, which ONNX Runtime would otherwise infer at every opening.

    SenseVoice-Small in FP32 opens in 1.5 s instead of 2.0 (processor time of one thread). Weights are neither read nor moved.
    """
    model = onnx.shape_inference.infer_shapes(onnx.load(str(path), load_external_data=False), strict_mode=True)
    path.write_bytes(model.SerializeToString())


def lift_constants(model: onnx.ModelProto) -> None:
    """Turn large Constant nodes (the position table) into initializers, which can be stored outside the graph."""
    kept = []
    for node in model.graph.node:
        tensor = node.attribute[0].t if node.op_type == "Constant" and node.attribute[0].name == "value" else None
        if tensor is None or len(tensor.raw_data) < LIFTED_BYTES:
            kept.append(node)
            continue
        tensor.name = node.output[0]
        model.graph.initializer.append(tensor)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def open_for_check(path: Path, *, optimized: bool = True) -> Any:
    """A plain ONNX Runtime session on the CPU, for comparing a graph with its source; without ``optimized`` it runs node by node."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    keep_int8_exact(options)
    if not optimized:
        # Weights that become float at every run come and go: an arena would keep the room for many of them.
        options.enable_cpu_mem_arena = options.enable_mem_pattern = False
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
