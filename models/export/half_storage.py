"""FP32 weights kept as 16-bit numbers in the file, and opened as FP32: half the size, the same graph.

Each large weight lies in the file as float16 with a ``Cast`` to float32 behind it. ONNX Runtime computes such a cast once, while it opens
the file, so that a session has FP32 weights and runs FP32 products. What rounding to 11 significant bits costs is paid once, when the file
is written; recipes that read the file start from the rounded numbers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

#: Appended to the name of a weight for its 16-bit form.
SUFFIX = ".half"
#: Smaller tensors (biases, norms) keep their 32 bits: they are few, and some need the range.
LEAST_BYTES = 16_384
LARGEST_HALF = 65_504.0


def store_as_half(model: onnx.ModelProto) -> int:
    """Replace the large float32 weights by float16 ones with a cast behind each, in place: -> how many.

    A weight with a number beyond float16's range stays as it is.
    """
    casts, kept = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT:
            kept.append(tensor)
            continue
        values = numpy_helper.to_array(tensor)
        if values.nbytes < LEAST_BYTES or float(np.abs(values).max(initial=0.0)) > LARGEST_HALF:
            kept.append(tensor)
            continue
        kept.append(numpy_helper.from_array(values.astype(np.float16), tensor.name + SUFFIX))
        casts.append(helper.make_node("Cast", [tensor.name + SUFFIX], [tensor.name], name=f"widen {tensor.name}", to=TensorProto.FLOAT))
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    return len(casts)


def is_stored_as_half(path: Path) -> bool:
    """Whether :func:`store_as_half` made this graph; its weights are not read."""
    model = onnx.load(str(path), load_external_data=False)
    return any(node.op_type == "Cast" and node.input[0].endswith(SUFFIX) for node in model.graph.node)


def widen(model: onnx.ModelProto) -> None:
    """Undo :func:`store_as_half` but for the rounding, in place: float32 weights again, and no casts. Other graphs stay as they are."""
    casts = {node.input[0]: node for node in model.graph.node if node.op_type == "Cast" and node.input[0].endswith(SUFFIX)}
    if not casts:
        return
    for tensor in model.graph.initializer:
        if tensor.name in casts:
            wide = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float32), casts[tensor.name].output[0])
            tensor.CopyFrom(wide)
    for node in casts.values():
        model.graph.node.remove(node)


def widened(path: Path, folder: Path) -> Path:
    """A graph whose weights are stored in 32 bits: ``path`` itself, or a copy that is written into ``folder``."""
    if not is_stored_as_half(path):
        return path
    from models.export.graph_file import save_graph

    model = onnx.load(str(path))
    widen(model)
    save_graph(model, folder / path.name, external=True)
    return folder / path.name
