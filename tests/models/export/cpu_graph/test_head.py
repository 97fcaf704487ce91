"""The vocabulary's layer in pieces: the same answers, the same weights read back, and a graph without our outputs left alone."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from models.export.cpu_graph.head import logits_of, split_head  # noqa: E402
from models.export.export import export_asr  # noqa: E402 - torch decides whether this file runs
from models.export.graph_file import open_for_check  # noqa: E402 - torch decides whether this file runs
from models.networks.sensevoice import SenseVoice, SenseVoiceConfig  # noqa: E402
from models.networks.weights import sensevoice_of  # noqa: E402
from models.quantize import dynamic  # noqa: E402

VOCABULARY, PIECE = 50, 16
TAGS = [49, 3, 17, 16, 48]  # in three of the four pieces, and in no order
OUTPUTS = ["token_ids", "log_probs", "tag_probs"]
SIZES = {"output_size": 32, "attention_heads": 4, "linear_units": 48, "num_blocks": 2, "tp_blocks": 1, "kernel_size": 11}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A graph whose vocabulary is small enough to be left in one piece."""
    torch.manual_seed(2)
    network = SenseVoice(SenseVoiceConfig(vocab_size=VOCABULARY, **SIZES)).eval()
    with torch.no_grad():
        network.ctc.ctc_lo.weight.mul_(40.0)  # shares from 1e-30 to nearly 1
    path = tmp_path_factory.mktemp("head") / "asr.fp32.onnx"
    with pytest.MonkeyPatch.context() as patch:
        # The head is split before the outputs of a beam search are added.
        patch.setattr("models.export.export.add_top_tokens", lambda model: False)
        export_asr(network, path, tag_ids=TAGS, metadata={})
    return path


@pytest.fixture(scope="module")
def pieces(whole: Path) -> Path:
    model = onnx.load(str(whole))
    assert split_head(model, piece=PIECE) == 4
    onnx.checker.check_model(model)
    path = whole.with_name("pieces.onnx")
    onnx.save(model, str(path))
    return path


def feed(frames: int) -> dict[str, np.ndarray]:
    speech = np.random.default_rng(frames).standard_normal((1, frames, 560)).astype(np.float32)
    return {"speech": speech, "language": np.array([4], np.int32), "textnorm": np.array([15], np.int32)}


@pytest.mark.parametrize("frames", [1, 2, 40])
def test_the_answers_stay(whole: Path, pieces: Path, frames: int) -> None:
    expected = open_for_check(whole).run(OUTPUTS, feed(frames))
    got = open_for_check(pieces).run(OUTPUTS, feed(frames))
    np.testing.assert_array_equal(got[0], expected[0])
    np.testing.assert_allclose(got[1], expected[1], atol=2e-5)
    np.testing.assert_allclose(got[2], expected[2], atol=1e-6)
    assert [value.dtype for value in got] == [value.dtype for value in expected]


def test_the_best_tokens_come_from_every_piece(pieces: Path) -> None:
    """Otherwise the offsets would not have been tried."""
    ids = np.concatenate([open_for_check(pieces).run(["token_ids"], feed(40 + seed))[0][0] for seed in range(30)])
    assert set(ids // PIECE) == {0, 1, 2, 3}


def test_equal_logits_answer_the_first_token(whole: Path, tmp_path: Path) -> None:
    model = onnx.load(str(whole))
    for tensor in model.graph.initializer:
        if tensor.name == "network.ctc.ctc_lo.bias":
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full(VOCABULARY, 7.0, np.float32), tensor.name))
        elif list(tensor.dims) == [32, VOCABULARY]:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.zeros((32, VOCABULARY), np.float32), tensor.name))
    split_head(model, piece=PIECE)
    onnx.save(model, str(tmp_path / "equal.onnx"))
    ids, log_probs, tags = open_for_check(tmp_path / "equal.onnx").run(OUTPUTS, feed(5))
    assert not ids.any()
    np.testing.assert_allclose(np.exp(log_probs), 1 / VOCABULARY, rtol=1e-5)
    np.testing.assert_allclose(tags, 1 / VOCABULARY, rtol=1e-5)


def test_no_tensor_has_the_whole_vocabulary(pieces: Path) -> None:
    inferred = onnx.shape_inference.infer_shapes(onnx.load(str(pieces)), strict_mode=True)
    widths = {
        info.name: info.type.tensor_type.shape.dim[-1].dim_value for info in inferred.graph.value_info if info.type.tensor_type.shape.dim
    }
    assert {widths[name] for name in logits_of(inferred.graph)} == {PIECE, VOCABULARY % PIECE}
    assert VOCABULARY not in widths.values()
    assert not any(VOCABULARY in tensor.dims for tensor in inferred.graph.initializer)


def test_the_network_is_read_back_whole(whole: Path, pieces: Path) -> None:
    expected, found = sensevoice_of(whole).state_dict(), sensevoice_of(pieces).state_dict()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=0, atol=0, msg=name)


def test_logits_in_pieces_are_the_logits(whole: Path, pieces: Path) -> None:
    def logits(path: Path) -> np.ndarray:
        model = onnx.load(str(path))
        names = logits_of(model.graph)
        for name in names:
            model.graph.output.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None))
        probe = path.with_name(f"{path.stem}-logits.onnx")
        onnx.save(model, str(probe))
        return np.concatenate(open_for_check(probe).run(names, feed(12)), axis=-1)

    np.testing.assert_allclose(logits(pieces), logits(whole), atol=1e-4)


def test_int8_keeps_the_pieces(whole: Path, pieces: Path, tmp_path: Path) -> None:
    answers = []
    for source, name in ((whole, "whole"), (pieces, "pieces")):
        target = tmp_path / f"asr.{name}.onnx"
        dynamic.quantize(source, target, external=True)
        answers.append(open_for_check(target).run(OUTPUTS, feed(40)))
        found = logits_of(onnx.load(str(target), load_external_data=False).graph)
        assert found[:1] if name == "whole" else found == [f"head_{index}_logits" for index in range(4)]
    np.testing.assert_array_equal(answers[1][0], answers[0][0])
    np.testing.assert_allclose(answers[1][1], answers[0][1], atol=1e-3)


def without_bias(model: onnx.ModelProto) -> None:
    for node in model.graph.node:
        if node.op_type == "Add" and "network.ctc.ctc_lo.bias" in node.input:
            node.op_type = "Sub"


def without_comparison(model: onnx.ModelProto) -> None:
    kept = list(itertools.takewhile(lambda node: node.op_type != "TopK", model.graph.node))
    del model.graph.node[:], model.graph.output[:]
    model.graph.node.extend(kept)


@pytest.mark.parametrize("change", [without_bias, without_comparison])
def test_another_graph_is_left_alone(whole: Path, change: Callable[[onnx.ModelProto], None]) -> None:
    model = onnx.load(str(whole))
    change(model)
    before = copy.deepcopy(model)
    assert split_head(model, piece=PIECE) == 1
    assert model == before


def test_a_small_vocabulary_stays_whole(whole: Path) -> None:
    model = onnx.load(str(whole))
    before = copy.deepcopy(model)
    assert split_head(model) == 1 and model == before
    assert json.loads(next(entry.value for entry in model.metadata_props if entry.key == "tag_token_ids")) == TAGS
