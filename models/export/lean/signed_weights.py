"""The unsigned weights of a quantized graph as signed ones of the same value, which the fast integer kernels take."""

from __future__ import annotations

from collections import Counter

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from models.export.lean.lean_graph import signed


def sign_weights(model: onnx.ModelProto) -> int:
    """Rewrite the uint8 weights of ``MatMulInteger`` in place, ``q - 128`` with the zero point ``zp - 128``: -> how many.

    A weight that something else reads too stays as it is.
    """
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    readers = Counter(name for node in model.graph.node for name in node.input)
    done = 0
    for node in model.graph.node:
        if node.op_type != "MatMulInteger" or node.input[1] not in stored:
            continue
        weight = stored[node.input[1]]
        zero_point = stored.get(node.input[3]) if len(node.input) > 3 else None
        alone = readers[weight.name] == 1 and (zero_point is None or readers[zero_point.name] == 1)
        if weight.data_type != TensorProto.UINT8 or not alone or (zero_point is None and len(node.input) > 3 and node.input[3]):
            continue
        weight.CopyFrom(numpy_helper.from_array(signed(numpy_helper.to_array(weight)), weight.name))
        if zero_point is not None:
            zero_point.CopyFrom(numpy_helper.from_array(signed(numpy_helper.to_array(zero_point)), zero_point.name))
        else:
            name = f"{weight.name}_signed_zero_point"
            model.graph.initializer.append(numpy_helper.from_array(np.array(-128, np.int8), name))
            del node.input[2 + (len(node.input) > 2) :]
            node.input.extend([""] * (3 - len(node.input)) + [name])
        done += 1
    return done
