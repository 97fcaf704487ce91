"""Logits out of deployed graphs, and two graphs compared frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("jiwer")

from engine.errors import GraphContractError  # noqa: E402 - onnx decides whether this file runs
from engine.runtime.session import Session  # noqa: E402
from models.evaluate.frame_agreement import LOGITS, FrameAgreement, agreements, compare_logits, with_logits  # noqa: E402
from tests.tiny_graphs import PIECES  # noqa: E402

FEEDS = {"language": np.array([0], np.int32), "textnorm": np.array([15], np.int32)}


def clips(*lengths: int, size: int = 560) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.standard_normal((length, size), np.float32) for length in lengths]


def run_with_logits(graph: Path, speech: np.ndarray, *names: str) -> list[np.ndarray]:
    with with_logits(graph) as copy:
        return run(copy, speech, LOGITS, *names)


def run(graph: Path, speech: np.ndarray, *names: str) -> list[np.ndarray]:
    session = Session.open(graph, model="asr", precision="fp32")
    outputs = session.run(names, {"speech": speech[None], **FEEDS})
    session.close()
    return outputs


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_the_logits_are_those_the_answers_were_made_of(exported_bundle: Path, precision: str) -> None:
    (speech,) = clips(40)
    logits, ids, log_probs = run_with_logits(exported_bundle / f"asr.{precision}.onnx", speech, "token_ids", "log_probs")
    vocabulary = len((exported_bundle / "tokens.txt").read_text(encoding="utf-8").splitlines())
    assert logits.shape == (1, 44, vocabulary)
    np.testing.assert_array_equal(logits.argmax(axis=-1), ids)
    total = np.log(np.exp(logits - logits.max(axis=-1, keepdims=True)).sum(axis=-1))
    np.testing.assert_allclose(-total, log_probs, atol=1e-4)
    np.testing.assert_array_equal(run(exported_bundle / f"asr.{precision}.onnx", speech, "token_ids")[0], ids)


def test_the_logits_equal_the_networks(exported_bundle: Path, random_checkpoint: Path) -> None:
    torch = pytest.importorskip("torch")
    from models.networks.checkpoint import Checkpoint, load_sensevoice

    (speech,) = clips(33)
    network = load_sensevoice(Checkpoint.open(random_checkpoint)).eval()
    with torch.inference_mode():
        expected = network(torch.from_numpy(speech[None]), torch.tensor([0], dtype=torch.int32), torch.tensor([15], dtype=torch.int32))
    found = run_with_logits(exported_bundle / "asr.fp32.onnx", speech)[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-3)


class CalibrationClips:
    """What ONNX Runtime's static quantization reads its ranges from."""

    def __init__(self) -> None:
        self.feeds = iter([{"speech": clip[None], **FEEDS} for clip in clips(20, 30)])

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self.feeds, None)


def test_logits_are_found_behind_quantize_and_dequantize_nodes(tiny_bundle: Path, tmp_path: Path) -> None:
    from onnxruntime.quantization import QuantFormat, quantize_static

    static = tmp_path / "asr.int8-static.onnx"
    quantize_static(str(tiny_bundle / "asr.fp32.onnx"), str(static), CalibrationClips(), quant_format=QuantFormat.QDQ)
    (speech,) = clips(20)
    logits, ids = run_with_logits(static, speech, "token_ids")
    assert logits.shape == (1, 24, len(PIECES))
    np.testing.assert_array_equal(logits.argmax(axis=-1), ids)


def test_the_copy_holds_no_weights_and_does_not_stay(exported_bundle: Path) -> None:
    before = sorted(exported_bundle.iterdir())
    with with_logits(exported_bundle / "asr.fp32.onnx") as copy:
        assert [path for path in exported_bundle.iterdir() if path not in before] == [copy]
        assert copy.stat().st_size < 1.1 * (exported_bundle / "asr.fp32.onnx").stat().st_size
        onnx.load(str(exported_bundle / "asr.fp32.onnx"))  # which refuses weights that have a second name
    assert sorted(exported_bundle.iterdir()) == before


def test_a_graph_without_arg_max_is_named(tiny_bundle: Path) -> None:
    with pytest.raises(GraphContractError, match=r"vad\.fp32\.onnx .* no ArgMax"), with_logits(tiny_bundle / "vad.fp32.onnx"):
        pass


def test_a_graph_agrees_with_itself(exported_bundle: Path, tmp_path: Path) -> None:
    graph = exported_bundle / "asr.fp32.onnx"
    before = sorted(exported_bundle.iterdir())
    again = tmp_path / "asr.again.onnx"
    onnx.save(onnx.load(str(graph)), str(again))
    for other in (graph, again):
        found = sum(agreements(graph, other, clips(30, 12)), FrameAgreement())
        assert (found.frames, found.same, found.agreement, found.mean_kl, found.max_kl) == (42, 42, 1.0, 0.0, 0.0)
    assert sorted(exported_bundle.iterdir()) == before


def test_int8_is_near_and_not_equal(exported_bundle: Path) -> None:
    found = sum(agreements(exported_bundle / "asr.fp32.onnx", exported_bundle / "asr.int8.onnx", clips(100, 50)), FrameAgreement())
    assert found.frames == 150
    assert found.agreement is not None and 0.7 < found.agreement <= 1.0
    assert found.mean_kl is not None and 0.0 < found.mean_kl < 0.05 and found.max_kl >= found.mean_kl


def test_frames_are_counted_by_hand() -> None:
    left = np.array([[3.0, 0.0], [0.0, 0.0005], [0.0, 2.0], [1.0, 0.0]], np.float32)
    right = np.array([[1.0, 0.0], [0.0005, 0.0], [0.0, 2.0], [0.0, 1.0]], np.float32)
    found = compare_logits(left, right)
    assert (found.frames, found.same, found.clear_frames, found.clear_same) == (4, 2, 3, 2)
    assert found.right_blank_rate == 0.5
    parts = compare_logits(left[:1], right[:1]) + compare_logits(left[1:], right[1:])
    assert (parts.frames, parts.same, parts.max_kl) == (found.frames, found.same, found.max_kl)
    assert parts.kl_sum == pytest.approx(found.kl_sum)
    nothing = compare_logits(left[:0], right[:0])
    assert (nothing.agreement, nothing.mean_kl, nothing.right_blank_rate) == (None, None, None)


def test_one_clip_is_held_at_a_time(exported_bundle: Path) -> None:
    asked: list[int] = []

    def features() -> Iterator[np.ndarray]:
        for index, clip in enumerate(clips(5, 6, 7)):
            asked.append(index)
            yield clip

    found = agreements(exported_bundle / "asr.fp32.onnx", exported_bundle / "asr.int8.onnx", features())
    assert next(found).frames == 5 and asked == [0]
    assert [one.frames for one in found] == [6, 7]


def test_graphs_of_two_vocabularies_are_refused(exported_bundle: Path, tiny_bundle: Path) -> None:
    with pytest.raises(GraphContractError, match="its logits are"):
        sum(agreements(exported_bundle / "asr.fp32.onnx", tiny_bundle / "asr.fp32.onnx", clips(5)), FrameAgreement())
