"""Named rules: which products each reaches on our graphs, and what the graph then really computes with."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.runtime.onnx_operators import count_products  # noqa: E402 - torch decides whether this file runs
from models.quantize import mixed  # noqa: E402
from models.quantize.rules import (  # noqa: E402
    ATTENTION_IN_FLOAT,
    CONVOLUTION_IN_INT8,
    FEED_FORWARD_IN_INT8,
    VAD_IN_INT8,
    VOCABULARY_IN_INT8,
    NodePrecision,
    NodeRule,
    RuleError,
    block_of,
    choose,
    weight_products,
)
from models.quantize.settings import read_settings  # noqa: E402

BLOCKS = 3  # of the tiny network


def graph_of(path: Path) -> onnx.GraphProto:
    return onnx.load(str(path), load_external_data=False).graph


@pytest.mark.parametrize(
    ("rule", "reached"), [(ATTENTION_IN_FLOAT, 2 * BLOCKS), (FEED_FORWARD_IN_INT8, 2 * BLOCKS), (VOCABULARY_IN_INT8, 1)]
)
def test_each_rule_reaches_what_its_name_says(exported_bundle: Path, rule: NodeRule, reached: int) -> None:
    names = [node.name for node in weight_products(graph_of(exported_bundle / "asr.fp32.onnx")) if rule.matches(node)]
    assert len(names) == reached
    assert rule.why


def test_the_rules_together_reach_every_product_once(exported_bundle: Path) -> None:
    for node in weight_products(graph_of(exported_bundle / "asr.fp32.onnx")):
        rules = [rule for rule in (ATTENTION_IN_FLOAT, FEED_FORWARD_IN_INT8, VOCABULARY_IN_INT8) if rule.matches(node)]
        assert len(rules) == (0 if node.op_type == "Conv" else 1), node.name
    vad = [node for node in weight_products(graph_of(exported_bundle / "vad.fp32.onnx")) if node.op_type == "MatMul"]
    assert len(vad) == 12 and all(VAD_IN_INT8.matches(node) for node in vad)


@pytest.mark.parametrize("conv", [False, True])
def test_attention_stays_in_float_and_convolutions_go_when_asked(exported_bundle: Path, tmp_path: Path, conv: bool) -> None:
    target = tmp_path / "asr.int8-mixed.onnx"
    rules = mixed.MixedOptions().rules + (CONVOLUTION_IN_INT8,) * conv
    counts = mixed.quantize(exported_bundle / "asr.fp32.onnx", target, rules, external=True)
    nodes = graph_of(target).node
    assert {node.name for node in nodes if node.op_type == "MatMul"} == {
        node.name for node in graph_of(exported_bundle / "asr.fp32.onnx").node if ATTENTION_IN_FLOAT.matches(node)
    }
    assert sum(node.op_type == "DynamicQuantizeMatMul" for node in nodes) == 2 * BLOCKS + 1
    assert sum(node.op_type == "ConvInteger" for node in nodes) == (BLOCKS if conv else 0)
    products = count_products(target)
    assert products.floating == products.meant_floating == 2 * BLOCKS
    assert counts["int8"] == 2 * BLOCKS + 1 + (BLOCKS if conv else 0)


def test_a_yaml_file_decides_and_the_first_rule_wins(exported_bundle: Path, tmp_path: Path) -> None:
    config = tmp_path / "rules.yaml"
    config.write_text(
        'rules:\n- {pattern: "*/encoders0.0/*", precision: fp32}\n- {pattern: "*", operators: [MatMul], precision: int8}\n',
        encoding="utf-8",
    )
    options = read_settings(config, mixed.MixedOptions)
    chosen = choose(graph_of(exported_bundle / "asr.fp32.onnx"), options.rules)
    floats = {name for name, precision in chosen.items() if precision is NodePrecision.FP32}
    assert {block_of(name) for name in floats if not name.endswith("/Conv")} == {"encoders0.0"}
    assert options.vad_rules == (VAD_IN_INT8,)


def test_a_rule_that_reaches_nothing_is_an_error(exported_bundle: Path) -> None:
    with pytest.raises(RuleError, match=r"\*/no_such_layer/\*"):
        choose(graph_of(exported_bundle / "asr.fp32.onnx"), [NodeRule(pattern="*/no_such_layer/*", precision=NodePrecision.INT8)])


@pytest.mark.parametrize(
    ("name", "block"),
    [
        ("/network/encoder/encoders.17/self_attn/linear_out/MatMul", "encoders.17"),
        ("/network/encoder/tp_encoders.3/feed_forward/w_1/MatMul", "tp_encoders.3"),
        ("/network/fsmn/fsmn.2/affine/linear/MatMul", "fsmn.2"),
        ("/network/ctc/ctc_lo/MatMul", "ctc_lo"),
        ("/network/in_linear1/linear/MatMul", "in_linear1"),
    ],
)
def test_blocks_are_named_after_the_network(name: str, block: str) -> None:
    assert block_of(name) == block
