"""The outputs of a beam search: what they hold, on every kind of graph, and what an older reader gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from models.evaluate.frame_agreement import LOGITS, with_logits  # noqa: E402
from models.export import export as export_module  # noqa: E402
from models.export.cpu_graph.head import split_head  # noqa: E402 - torch decides whether this file runs
from models.export.export import export_asr, open_for_check  # noqa: E402
from models.export.gpu_graph import export_batch  # noqa: E402
from models.export.logits_graph import FUNASR, convert_asr  # noqa: E402
from models.export.top_tokens import add_top_tokens  # noqa: E402
from models.networks.sensevoice import SenseVoice, SenseVoiceConfig  # noqa: E402
from models.quantize import dynamic  # noqa: E402
from tests.tiny_graphs import PIECES, asr_model  # noqa: E402

VOCABULARY, PIECE, K = 50, 24, 6  # the last piece holds fewer tokens than are asked for
SIZES = {"output_size": 32, "attention_heads": 4, "linear_units": 48, "num_blocks": 2, "tp_blocks": 1, "kernel_size": 11}
OLD = ["token_ids", "log_probs", "tag_probs"]


def network() -> SenseVoice:
    torch.manual_seed(2)
    made = SenseVoice(SenseVoiceConfig(vocab_size=VOCABULARY, **SIZES)).eval()
    with torch.no_grad():
        made.ctc.ctc_lo.weight.mul_(40.0)
    return made


@pytest.fixture(scope="module", params=["whole", "pieces", "whole-int8", "pieces-int8", "gpu"])
def graph(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("top")
    path = folder / "asr.fp32.onnx"
    if request.param == "gpu":
        export_batch(network(), path, tag_ids=[49, 3], metadata={})
        return path
    with pytest.MonkeyPatch.context() as patch:
        if "pieces" in request.param:
            patch.setattr(export_module, "split_head", lambda model: split_head(model, piece=PIECE))
        export_asr(network(), path, tag_ids=[49, 3], metadata={})
    if "int8" not in request.param:
        return path
    dynamic.quantize(path, folder / "asr.int8.onnx", external=True)
    return folder / "asr.int8.onnx"


def feed(path: Path, frames: int) -> dict[str, np.ndarray]:
    speech = np.random.default_rng(frames).standard_normal((1, frames, 560)).astype(np.float32)
    feeds = {"speech": speech, "language": np.array([4], np.int32), "textnorm": np.array([15], np.int32)}
    if any(entry.name == "speech_lengths" for entry in open_for_check(path).get_inputs()):
        feeds["speech_lengths"] = np.array([frames], np.int32)
    return feeds


@pytest.mark.parametrize("frames", [1, 40])
def test_they_are_the_best_of_the_logits(graph: Path, frames: int) -> None:
    feeds = feed(graph, frames)
    ids, log_probs = open_for_check(graph).run(["top_ids", "top_log_probs"], {**feeds, "top_k": np.array([K])})
    with with_logits(graph) as probe:
        (logits,) = open_for_check(probe).run([LOGITS], feeds)
    expected = logits - np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1, keepdims=True)) - logits.max(-1, keepdims=True)
    order = np.argsort(-expected, axis=-1, kind="stable")[..., :K]
    assert ids.shape == log_probs.shape == (1, frames + 4, K)
    assert ids.dtype == np.int32 and log_probs.dtype == np.float32
    np.testing.assert_allclose(log_probs, np.take_along_axis(expected, order, -1), atol=1e-4)
    np.testing.assert_allclose(np.take_along_axis(expected, ids.astype(np.int64), -1), log_probs, atol=1e-4)


def test_a_reader_that_does_not_know_them_gets_what_it_got(graph: Path) -> None:
    session, feeds = open_for_check(graph), feed(graph, 12)
    assert [entry.name for entry in session.get_inputs() if entry.name == "top_k"] == []
    unasked = session.run(OLD, feeds)
    asked = session.run([*OLD, "top_ids", "top_log_probs"], {**feeds, "top_k": np.array([K])})
    for left, right in zip(unasked, asked, strict=False):
        np.testing.assert_array_equal(left, right)
    np.testing.assert_array_equal(asked[3][..., 0], asked[0])
    np.testing.assert_allclose(asked[4][..., 0], asked[1], atol=1e-6)


def test_not_asked_for_they_find_no_more_tokens_than_before(graph: Path) -> None:
    feeds = feed(graph, 12)
    (ids,) = open_for_check(graph).run(["top_ids"], feeds)
    assert ids.shape[-1] <= 1


@pytest.mark.parametrize("opset", [12, 17])
def test_imported_graphs_have_them(tmp_path: Path, opset: int) -> None:
    """A graph of logits in FunASR's layout; its own nodes stay as they are."""
    source = asr_model(searches=False)
    kept = [node for node in source.graph.node if "logits" in node.output or not set(node.output) & {"best", "token_ids", "top", "total"}]
    kept = [node for node in kept if node.op_type in ("Concat", "MatMul", "Cast", "Add", "Mul") and "token_ids" not in node.output]
    helper = onnx.helper
    inputs = [
        helper.make_tensor_value_info("speech", onnx.TensorProto.FLOAT, [1, "T", 560]),
        helper.make_tensor_value_info("speech_lengths", onnx.TensorProto.INT32, [1]),
        helper.make_tensor_value_info("language", onnx.TensorProto.INT32, [1]),
        helper.make_tensor_value_info("textnorm", onnx.TensorProto.INT32, [1]),
    ]
    output = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, [1, "P", len(PIECES)])
    graph = helper.make_graph(kept, "logits", inputs, [output], [t for t in source.graph.initializer if t.name != "tag_ids"])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=9)
    convert_asr(model, FUNASR, features=560, tag_ids=[6, 7], metadata={})
    path = tmp_path / "asr.fp32.onnx"
    onnx.save(model, str(path))
    speech = np.random.default_rng(0).standard_normal((1, 9, 560)).astype(np.float32)
    feeds = {"speech": speech, "language": np.array([0], np.int32), "textnorm": np.array([15], np.int32)}
    ids, log_probs, top_ids, top_log_probs = open_for_check(path).run(
        ["token_ids", "log_probs", "top_ids", "top_log_probs"], {**feeds, "top_k": np.array([4])}
    )
    assert top_ids.shape == (1, 13, 4)
    np.testing.assert_array_equal(top_ids[..., 0], ids)
    np.testing.assert_allclose(top_log_probs[..., 0], log_probs, atol=1e-5)
    assert (np.diff(top_log_probs, axis=-1) <= 0).all()


def test_a_graph_without_logits_is_left_alone() -> None:
    model = onnx.helper.make_model(onnx.helper.make_graph([], "empty", [], []))
    before = model.SerializeToString()
    assert not add_top_tokens(model)
    assert model.SerializeToString() == before
