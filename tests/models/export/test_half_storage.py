"""FP32 weights stored as 16-bit numbers: the file is half as large, the session is FP32 and answers the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from models.export.half_storage import SUFFIX, is_stored_as_half, store_as_half, widen, widened

RNG = np.random.default_rng(0)


def graph(path: Path, weight: np.ndarray) -> Path:
    """``y = x @ weight + bias``, the bias too small to be stored in 16 bits."""
    bias = np.full(weight.shape[1], 0.1, np.float32)
    nodes = [helper.make_node("MatMul", ["x", "weight"], ["product"]), helper.make_node("Add", ["product", "bias"], ["y"])]
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", size]) for name, size in zip("xy", weight.shape, strict=True)]
    weights = [numpy_helper.from_array(weight, "weight"), numpy_helper.from_array(bias, "bias")]
    model = helper.make_model(
        helper.make_graph(nodes, "product", values[:1], values[1:], weights), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    onnx.save(model, str(path))
    return path


def answer(path: Path, x: np.ndarray) -> np.ndarray:
    onnxruntime = pytest.importorskip("onnxruntime")
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"]).run(None, {"x": x})[0]


def halved(path: Path) -> Path:
    model = onnx.load(str(path))
    assert store_as_half(model) == 1
    target = path.with_name("half.onnx")
    onnx.save(model, str(target))
    return target


def test_rounded_weights_answer_the_same_to_the_last_digit(tmp_path: Path) -> None:
    rounded = RNG.normal(0, 1, (96, 128)).astype(np.float16).astype(np.float32)
    x = RNG.normal(0, 1, (5, 96)).astype(np.float32)
    full = graph(tmp_path / "full.onnx", rounded)
    half = halved(full)
    assert half.stat().st_size < 0.55 * full.stat().st_size
    np.testing.assert_array_equal(answer(half, x), answer(full, x))
    assert is_stored_as_half(half) and not is_stored_as_half(full)


def test_a_graph_can_be_widened_again_for_the_recipes(tmp_path: Path) -> None:
    full = graph(tmp_path / "full.onnx", RNG.normal(0, 1, (96, 128)).astype(np.float16).astype(np.float32))
    model = onnx.load(str(halved(full)))
    widen(model)
    expected = onnx.load(str(full))
    assert [node.op_type for node in model.graph.node] == ["MatMul", "Add"]
    for name in ("weight", "bias"):
        left, right = (next(t for t in m.graph.initializer if t.name == name) for m in (model, expected))
        np.testing.assert_array_equal(numpy_helper.to_array(left), numpy_helper.to_array(right))
    copies = tmp_path / "copies"
    copies.mkdir()
    assert widened(full, copies) == full and not list(copies.iterdir())
    assert widened(tmp_path / "half.onnx", copies) == copies / "half.onnx"
    assert not is_stored_as_half(copies / "half.onnx")


def test_a_weight_beyond_the_range_of_16_bits_stays_as_it_is(tmp_path: Path) -> None:
    large = RNG.normal(0, 1, (96, 128)).astype(np.float32)
    large[3, 4] = 70_000.0
    model = onnx.load(str(graph(tmp_path / "large.onnx", large)))
    assert store_as_half(model) == 0
    assert not any(tensor.name.endswith(SUFFIX) for tensor in model.graph.initializer)
    before = [node.name for node in model.graph.node]
    widen(model)  # nothing to undo
    assert [node.name for node in model.graph.node] == before
