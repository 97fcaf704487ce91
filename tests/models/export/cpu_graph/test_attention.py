"""ONNX's own attention in place of ONNX Runtime's: the same numbers, one opset, and nothing guessed about other graphs."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper  # noqa: E402 - torch decides whether this file runs

from models.export.cpu_graph.attention import OPSET, AttentionGraphError, use_standard_attention  # noqa: E402

HEADS, SIZE = 2, 8


def attention_graph(*extra: object, masked: bool = False) -> onnx.ModelProto:
    """``q, k, v (1, T, 8) -> MultiHeadAttention -> y``, and whatever nodes are added."""
    operands = ["q", "k", "v", *(["", "mask"] if masked else [])]
    attention = helper.make_node("MultiHeadAttention", operands, ["y"], name="/attention", domain="com.microsoft", num_heads=HEADS)
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, "T", SIZE]) for name in "qkv"]
    if masked:
        inputs.append(helper.make_tensor_value_info("mask", TensorProto.INT32, [1, "T"]))
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, "T", SIZE])]
    graph = helper.make_graph([attention, *extra], "attention", inputs, outputs)
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def answer(model: onnx.ModelProto, frames: int) -> np.ndarray:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(frames)
    return np.asarray(session.run(["y"], {name: rng.standard_normal((1, frames, SIZE)).astype(np.float32) for name in "qkv"})[0])


def test_the_numbers_stay() -> None:
    renewed = attention_graph()
    assert use_standard_attention(renewed) == 1
    onnx.checker.check_model(renewed, full_check=True)
    assert [(entry.domain, entry.version) for entry in renewed.opset_import] == [("", OPSET)]
    for frames in (1, 2, 40):
        np.testing.assert_allclose(answer(renewed, frames), answer(attention_graph(), frames), atol=1e-6)


def test_an_exported_bundle_has_no_other_attention_and_knows_every_type(exported_bundle: Path) -> None:
    model = onnx.load(str(exported_bundle / "asr.fp32.onnx"), load_external_data=False)
    operators = Counter(node.op_type for node in model.graph.node)
    assert operators["Attention"] > 0 and operators["MultiHeadAttention"] == 0
    typed = {entry.name for entry in (*model.graph.value_info, *model.graph.output)}
    assert {name for node in model.graph.node for name in node.output} <= typed


def test_a_second_pass_finds_nothing() -> None:
    renewed = attention_graph()
    use_standard_attention(renewed)
    before = renewed.SerializeToString()
    assert use_standard_attention(renewed) == 0
    assert renewed.SerializeToString() == before


def test_a_masked_attention_is_refused() -> None:
    with pytest.raises(AttentionGraphError, match="/attention"):
        use_standard_attention(attention_graph(masked=True))


def test_an_operator_that_may_have_changed_is_refused() -> None:
    reduced = helper.make_node("ReduceMax", ["q"], ["top"], axes=[-1])
    with pytest.raises(AttentionGraphError, match="ReduceMax"):
        use_standard_attention(attention_graph(reduced))
