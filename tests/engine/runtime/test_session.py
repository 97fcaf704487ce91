"""Sessions: opened with proof, run, closed; and ONNX Runtime's optimized graph really multiplies in integers."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import engine.runtime.session as session_module
from engine.errors import GraphContractError, NotQuantizedError, ProviderUnavailableError, SessionError
from engine.runtime.onnx_operators import INTEGER_PRODUCTS, ProductCount, count_products
from engine.runtime.session import Session, keep_int8_exact, release_memory, rss_mb, saturates_in_int8
from models.export.graph_file import open_for_check


def optimized_operators(graph: Path, target: Path) -> Counter[str]:
    """Operator counts of the graph that ONNX Runtime really runs."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(target)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(graph), options, providers=["CPUExecutionProvider"])
    return Counter(node.op_type for node in onnx.load(str(target), load_external_data=False).graph.node)


@pytest.mark.parametrize("model", ["asr", "vad"])
def test_the_optimized_int8_graph_multiplies_in_integers(starter_bundle: Path, tmp_path: Path, model: str) -> None:
    source = Counter(n.op_type for n in onnx.load(str(starter_bundle / f"{model}.fp32.onnx"), load_external_data=False).graph.node)
    operators = optimized_operators(starter_bundle / f"{model}.int8.onnx", tmp_path / "optimized.onnx")
    assert sum(operators[name] for name in INTEGER_PRODUCTS) == source["MatMul"] >= 12
    assert operators["MatMul"] == operators["Gemm"] == operators["FusedMatMul"] == 0


@pytest.mark.parametrize("model", ["asr", "vad"])
def test_products_are_counted_from_the_file(starter_bundle: Path, model: str) -> None:
    floats = sum(n.op_type == "MatMul" for n in onnx.load(str(starter_bundle / f"{model}.fp32.onnx"), load_external_data=False).graph.node)
    assert count_products(starter_bundle / f"{model}.fp32.onnx") == ProductCount(integer=0, floating=floats)
    assert count_products(starter_bundle / f"{model}.int8.onnx") == ProductCount(integer=floats, floating=0)


def test_a_weight_stored_in_16_bits_is_a_float_weight(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(np.ones((3, 3), np.float16), "weight.half")
    nodes = [
        onnx.helper.make_node("Cast", ["weight.half"], ["weight"], to=onnx.TensorProto.FLOAT),
        onnx.helper.make_node("MatMul", ["x", "weight"], ["y"]),
        onnx.helper.make_node("MatMul", ["y", "x"], ["z"]),
    ]
    graph = onnx.helper.make_graph(nodes, "half", [], [], initializer=[weight])
    onnx.save(onnx.helper.make_model(graph), str(tmp_path / "asr.onnx"))
    assert count_products(tmp_path / "asr.onnx") == ProductCount(integer=0, floating=1)


def test_a_float_file_under_an_int8_name_is_refused(tiny_bundle: Path) -> None:
    with pytest.raises(NotQuantizedError, match="1 weight MatMuls in float and 0 in integers"):
        Session.open(tiny_bundle / "asr.fp32.onnx", model="asr", precision="int8", require_integer=True)


@pytest.mark.parametrize("content", [b"", b"not a graph at all", b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"])
def test_a_file_that_is_no_graph_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "asr.onnx"
    path.write_bytes(content)
    for require_integer in (False, True):
        with pytest.raises((GraphContractError, NotQuantizedError), match=r"asr\.onnx"):
            Session.open(path, model="asr", precision="int8", require_integer=require_integer)


def test_a_session_says_what_it_is(tiny_bundle: Path) -> None:
    session = Session.open(tiny_bundle / "asr.fp32.onnx", model="asr", precision="fp32", threads=1)
    assert session.provider == "CPUExecutionProvider"
    assert session.input_names == ("speech", "language", "textnorm")
    assert session.metadata_ids("tag_token_ids")
    assert session.file_mb == pytest.approx((tiny_bundle / "asr.fp32.onnx").stat().st_size / 1e6)
    assert session.mb >= session.file_mb
    with pytest.raises(GraphContractError, match="no list 'lost'"):
        session.metadata_ids("lost")


def test_a_recipe_may_keep_products_in_float_when_its_file_says_so(tiny_bundle: Path, tmp_path: Path) -> None:
    model = onnx.load(str(tiny_bundle / "asr.int8.onnx"))
    extra = onnx.helper.make_node("MatMul", ["log_probs", "kept"], ["unused"])
    model.graph.node.append(extra)
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones((1, 1), np.float32), "kept"))
    path = tmp_path / "asr.int8-mixed.onnx"
    onnx.save(model, str(path))
    with pytest.raises(NotQuantizedError, match="1 weight MatMuls in float"):
        Session.open(path, model="asr", precision="int8-mixed", require_integer=True)
    onnx.helper.set_model_props(model, {entry.key: entry.value for entry in model.metadata_props} | {"float_products": "1"})
    onnx.save(model, str(path))
    assert count_products(path).meant_floating == 1
    with pytest.raises(NotQuantizedError):  # INT8 itself keeps none
        Session.open(path, model="asr", precision="int8", require_integer=True)


def test_a_wrong_shape_and_a_closed_session_are_errors(tiny_bundle: Path) -> None:
    session = Session.open(tiny_bundle / "vad.fp32.onnx", model="vad", precision="fp32")
    with pytest.raises(GraphContractError, match="cannot be run"):
        session.run(None, {"speech": np.zeros((1, 3, 7), np.float32)})
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run(None, {"speech": np.zeros((1, 3, 400), np.float32)})


def test_bound_inputs_and_outputs_give_what_a_plain_run_gives(tiny_bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session on a device binds; here the device is the CPU."""
    session = Session.open(tiny_bundle / "asr.fp32.onnx", model="asr", precision="fp32", threads=1)
    speech = np.asfortranarray(np.random.default_rng(0).standard_normal((1, 9, 560)).astype(np.float32))
    feeds = {"speech": speech, "language": np.zeros(1, np.int32), "textnorm": np.zeros(1, np.int32)}
    plain = session.run(["tag_probs", "token_ids"], feeds)
    everything = session.run(None, feeds)
    monkeypatch.setattr(Session, "on_cpu", False)
    for expected, bound in zip(
        (plain, everything), (session.run(["tag_probs", "token_ids"], feeds), session.run(None, feeds)), strict=True
    ):
        assert len(bound) == len(expected)
        for one, other in zip(expected, bound, strict=True):
            np.testing.assert_array_equal(one, other)
    with pytest.raises(GraphContractError, match="cannot be run"):
        session.run(None, {**feeds, "speech": speech[:, :, :7]})


def test_devices_that_cannot_serve_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(ProviderUnavailableError, match="no kernels for dynamic INT8"):
        Session.open(tiny_bundle / "vad.int8.onnx", model="vad", precision="int8", device="cuda")
    with pytest.raises(ProviderUnavailableError, match="cpu, cuda, auto"):
        Session.open(tiny_bundle / "vad.fp32.onnx", model="vad", precision="fp32", device="tpu")
    assert Session.open(tiny_bundle / "vad.int8.onnx", model="vad", precision="int8", device="auto").provider == "CPUExecutionProvider"


@pytest.mark.skipif(Path("/dev/nvidia0").exists(), reason="a GPU is here")
def test_cuda_without_a_gpu_is_an_error_not_a_slow_cpu(tiny_bundle: Path) -> None:
    with pytest.raises(ProviderUnavailableError, match="--device cpu"):
        Session.open(tiny_bundle / "vad.fp32.onnx", model="vad", precision="fp32", device="cuda")


@pytest.mark.parametrize(
    ("machine", "flags", "expected"),
    [
        ("x86_64", {"avx2"}, True),
        ("x86_64", {"avx512_vnni"}, False),
        ("AMD64", {"avx_vnni"}, False),
        ("aarch64", {"asimddp"}, False),
        ("x86_64", set(), False),
    ],
)
def test_only_x86_without_vnni_saturates(monkeypatch: pytest.MonkeyPatch, machine: str, flags: set[str], expected: bool) -> None:
    monkeypatch.setattr(session_module.platform, "machine", lambda: machine)
    monkeypatch.setattr(session_module, "cpu_flags", lambda: frozenset(flags))
    assert saturates_in_int8() is expected


@pytest.mark.parametrize("saturates", [True, False])
def test_where_products_saturate_every_session_keeps_them_exact(
    monkeypatch: pytest.MonkeyPatch, tiny_bundle: Path, saturates: bool
) -> None:
    monkeypatch.setattr(session_module, "saturates_in_int8", lambda: saturates)

    import onnxruntime

    def is_exact(options: Any) -> bool:
        try:
            return options.get_session_config_entry("session.x64quantprecision") == "1"
        except RuntimeError:  # there is no such entry
            return False

    options = onnxruntime.SessionOptions()
    keep_int8_exact(options)
    for_check = open_for_check(tiny_bundle / "asr.int8.onnx").get_session_options()
    assert is_exact(options) is is_exact(for_check) is saturates


def test_reports_are_warned_of_once(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tiny_bundle: Path) -> None:
    monkeypatch.setattr(session_module, "SILENT", False)
    session_module._warn_of_reports.cache_clear()
    for _ in range(2):
        Session.open(tiny_bundle / "vad.fp32.onnx", model="vad", precision="fp32").close()
    assert [record.message for record in caplog.records if "may send reports" in record.message] == [caplog.records[0].message]


@pytest.mark.skipif(not hasattr(os, "posix_spawn"), reason="needs glibc")
def test_freed_memory_goes_back_to_the_system() -> None:
    release_memory()
    before = rss_mb()
    blocks = [bytearray(60_000) for _ in range(4_000)]
    held = rss_mb()
    assert held - before > 150
    del blocks
    release_memory()
    assert rss_mb() < before + 60
