"""The operator profile counts every node once, knows the products' shapes, and its limit is the products' own work."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from benchmarks import operator_profile  # noqa: E402 - torch decides whether this file runs
from engine.runtime.onnx_operators import count_products  # noqa: E402


@pytest.mark.parametrize(("name", "integer"), [("asr.fp32.onnx", False), ("asr.int8.onnx", True)])
def test_every_stored_product_is_in_the_limit(exported_bundle: Path, name: str, integer: bool) -> None:
    shapes, found_integer = operator_profile.weight_shapes(exported_bundle / name)
    products = count_products(exported_bundle / name)
    assert found_integer is integer
    assert sum(shapes.values()) == products.integer + products.floating
    assert shapes == operator_profile.weight_shapes(exported_bundle / "asr.fp32.onnx")[0]


def test_the_profile_names_the_operators_that_run(exported_bundle: Path) -> None:
    graph = exported_bundle / "asr.int8.onnx"
    found = operator_profile.profile(graph, frames=9, threads=1, runs=1)
    written = Counter(node.op_type for node in onnx.load(str(graph), load_external_data=False).graph.node)
    assert found.nodes["DynamicQuantizeMatMul"] == written["DynamicQuantizeMatMul"]
    assert found.nodes["Attention"] == written["Attention"]
    assert "SkipLayerNormalization" not in found.nodes
    rows = 9 + 4
    shapes, _ = operator_profile.weight_shapes(graph)
    operations = sum(2 * rows * inner * outer * count for (inner, outer), count in shapes.items())
    assert found.products_gop == pytest.approx(operations / 1e9)
    assert found.limit_gops == pytest.approx(found.products_gop / found.limit_ms * 1000)


def test_the_command_prints_a_table_and_writes_json(
    exported_bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    graphs = [str(exported_bundle / name) for name in ("asr.fp32.onnx", "asr.int8.onnx")]
    target = tmp_path / "profile.json"
    monkeypatch.setattr(sys, "argv", ["operator_profile", *graphs, "--frames", "5", "--runs", "1", "--json", str(target)])
    assert operator_profile.main() == 0
    printed = capsys.readouterr().out
    assert "| asr.fp32.onnx | asr.int8.onnx |" in printed and "of products alone |" in printed
    assert [Path(entry["graph"]).name for entry in json.loads(target.read_text(encoding="utf-8"))] == ["asr.fp32.onnx", "asr.int8.onnx"]


def test_operators_that_cost_next_to_nothing_share_a_line() -> None:
    times, nodes = {"MatMul": 20.0, "Add": 0.05, "Mul": 0.03}, {"MatMul": 2, "Add": 5, "Mul": 1}
    known = {"frames": 167, "threads": 1, "products_gop": 4.0, "limit_ms": 16.0, "limit_gops": 250.0}
    table = operator_profile.to_markdown([operator_profile.Profile(graph="a/asr.fp32.onnx", operators_ms=times, nodes=nodes, **known)])
    assert table.splitlines()[2:] == [
        "| MatMul | 20.0 (2) |",
        "| others | 0.1 |",
        "| all | 20.1 |",
        "| the 4.0 GOP of products alone | 16.0 (250 GOP/s) |",
    ]
