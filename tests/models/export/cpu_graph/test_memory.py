"""The FSMN memory in two dimensions: the same numbers, the same names, and nothing touched that someone else reads."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from models.export.cpu_graph.memory import widen_memories

CHANNELS, TAPS = 6, 5


def memory_graph(*, reader_of_the_middle: bool = False) -> onnx.ModelProto:
    """``x (1, T, C) -> Transpose -> depthwise Conv -> Transpose -> y``, padded as the network pads."""
    weight = np.random.default_rng(5).standard_normal((CHANNELS, 1, TAPS)).astype(np.float32)
    options = {"group": CHANNELS, "kernel_shape": [TAPS], "pads": [2, 2]}
    nodes = [
        helper.make_node("Transpose", ["x"], ["first"], name="/first", perm=[0, 2, 1]),
        helper.make_node("Conv", ["first", "memory.weight"], ["second"], name="/memory/Conv", **options),
        helper.make_node("Transpose", ["second"], ["y"], name="/last", perm=[0, 2, 1]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "T", CHANNELS])]
    if reader_of_the_middle:
        nodes.append(helper.make_node("Identity", ["second"], ["middle"], name="/reader"))
        outputs.append(helper.make_tensor_value_info("middle", TensorProto.FLOAT, [1, CHANNELS, "T"]))
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, "T", CHANNELS])]
    graph = helper.make_graph(nodes, "memory", inputs, outputs, [numpy_helper.from_array(weight, "memory.weight")])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def answer(model: onnx.ModelProto, frames: int) -> np.ndarray:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(frames).standard_normal((1, frames, CHANNELS)).astype(np.float32)
    return np.asarray(session.run(["y"], {"x": x})[0])


def test_the_numbers_stay() -> None:
    wide = memory_graph()
    assert widen_memories(wide) == 1
    onnx.checker.check_model(wide, full_check=True)
    for frames in (1, 2, 40):
        np.testing.assert_allclose(answer(wide, frames), answer(memory_graph(), frames), atol=1e-6)


def test_the_names_stay_and_time_is_the_width() -> None:
    wide = memory_graph()
    widen_memories(wide)
    weights = {tensor.name: list(tensor.dims) for tensor in wide.graph.initializer}
    assert weights["memory.weight"] == [CHANNELS, 1, 1, TAPS]
    assert [node.name for node in wide.graph.node if node.op_type == "Conv"] == ["/memory/Conv"]


def test_a_memory_whose_inside_is_read_elsewhere_stays() -> None:
    model = memory_graph(reader_of_the_middle=True)
    before = model.SerializeToString()
    assert widen_memories(model) == 0
    assert model.SerializeToString() == before


def test_a_second_pass_finds_nothing() -> None:
    wide = memory_graph()
    widen_memories(wide)
    assert widen_memories(wide) == 0
