"""The judge's figures against a second computation, and hybrids against the two graphs they are made of."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.runtime.onnx_operators import ProductCount, count_products  # noqa: E402 - torch decides whether this file runs
from engine.speech.vocabulary import Vocabulary  # noqa: E402
from models.export.graph_file import open_for_check  # noqa: E402
from models.export.probe import with_outputs  # noqa: E402
from models.quantize import dynamic  # noqa: E402
from models.quantize.hybrid import Hybrid  # noqa: E402
from models.quantize.judge import Judge, divergence, log_posteriors, posterior_tensors  # noqa: E402
from models.quantize.ranges import CalibrationError, CalibrationMethod, activation_ranges  # noqa: E402
from models.quantize.static import activations_of  # noqa: E402


def feeds(count: int) -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(4)
    return [
        {
            "speech": rng.standard_normal((1, 20 + 5 * index, 560)).astype(np.float32),
            "language": np.array([0], np.int32),
            "textnorm": np.array([15], np.int32),
        }
        for index in range(count)
    ]


@pytest.fixture
def integer_graph(exported_bundle: Path) -> Iterator[Path]:
    """The INT8 version as the search uses it: product by product, nothing fused."""
    target = exported_bundle / "asr.int8-unfused.onnx"
    dynamic.quantize(exported_bundle / "asr.fp32.onnx", target, external=True, fused=False)
    yield target
    for leftover in (target, target.with_name(target.name + ".data")):
        leftover.unlink()


def logits(graph: Path, feed: dict[str, np.ndarray]) -> np.ndarray:
    with with_outputs(graph, posterior_tensors(graph)) as path:
        return np.concatenate(open_for_check(path).run(posterior_tensors(graph), feed), axis=-1)[0]


def test_a_graph_equals_itself(exported_bundle: Path) -> None:
    score = Judge(exported_bundle / "asr.fp32.onnx", feeds(3)).score(exported_bundle / "asr.fp32.onnx")
    assert score.disagreement == 0.0 and abs(score.divergence) < 1e-3 and score.cer is None


def test_int8_is_scored_as_torch_scores_it(exported_bundle: Path) -> None:
    full, integer, clips = exported_bundle / "asr.fp32.onnx", exported_bundle / "asr.int8.onnx", feeds(3)
    score = Judge(full, clips).score(integer)
    pairs = [(torch.from_numpy(logits(full, clip)), torch.from_numpy(logits(integer, clip))) for clip in clips]
    expected = torch.cat(
        [torch.nn.functional.kl_div(b.log_softmax(-1), a.log_softmax(-1), log_target=True, reduction="none").sum(-1) for a, b in pairs]
    )
    changed = torch.cat([a.argmax(-1) != b.argmax(-1) for a, b in pairs])
    assert score.disagreement == pytest.approx(float(changed.float().mean()))
    assert score.divergence == pytest.approx(float(expected.mean()), rel=0.1, abs=1e-4)  # FP32's posteriors are kept in half precision


def test_cer_is_counted_over_the_clips_with_texts(exported_bundle: Path) -> None:
    vocabulary = Vocabulary.load(exported_bundle / "tokens.txt")
    judge = Judge(exported_bundle / "asr.fp32.onnx", feeds(2), texts=["", "a b c"], vocabulary=vocabulary)
    assert judge.baseline.cer is not None and judge.baseline.cer > 0
    assert Judge(exported_bundle / "asr.fp32.onnx", feeds(2), texts=["", ""], vocabulary=vocabulary).baseline.cer is None


def test_probabilities_and_logits_give_the_same_posteriors() -> None:
    values = np.random.default_rng(0).standard_normal((6, 9)).astype(np.float32)
    probabilities = np.exp(values) / np.exp(values).sum(-1, keepdims=True)
    np.testing.assert_allclose(log_posteriors(values), log_posteriors(probabilities.astype(np.float32)), atol=1e-5)
    assert divergence(log_posteriors(values), log_posteriors(values)).max() < 1e-6


def test_no_clip_is_an_error(exported_bundle: Path) -> None:
    with pytest.raises(CalibrationError, match="no clip"):
        Judge(exported_bundle / "asr.fp32.onnx", [])


def test_hybrids_lie_between_their_graphs(exported_bundle: Path, integer_graph: Path) -> None:
    full, integer, clip = exported_bundle / "asr.fp32.onnx", integer_graph, feeds(1)[0]
    hybrid = Hybrid(full, integer)
    count = len(hybrid.products)
    for kept in (0, 3, count):
        with hybrid.probe(hybrid.products[:kept]) as path:
            assert count_products(path) == ProductCount(integer=count - kept, floating=kept)
            got = logits(path, clip)
        if kept == 0:
            np.testing.assert_allclose(got, logits(integer, clip), atol=1e-5)
        if kept == count:
            np.testing.assert_allclose(got, logits(full, clip), atol=1e-4)
    assert not list(exported_bundle.glob(".probe*"))


def test_a_hybrid_that_is_written_stands_alone(exported_bundle: Path, integer_graph: Path, tmp_path: Path) -> None:
    hybrid = Hybrid(exported_bundle / "asr.fp32.onnx", integer_graph)
    clip = feeds(1)[0]
    with hybrid.probe(hybrid.products[:4]) as path:
        expected = logits(path, clip)
    target = tmp_path / "asr.int8-auto.onnx"
    hybrid.write_final(target, hybrid.products[:4], recipe="auto", external=True)
    np.testing.assert_allclose(logits(target, clip), expected, atol=1e-5)
    products = count_products(target)
    assert products.floating == products.meant_floating == 4


@pytest.mark.parametrize("method", list(CalibrationMethod))
def test_ranges_hold_what_was_seen(exported_bundle: Path, method: CalibrationMethod) -> None:
    graph, clips = exported_bundle / "asr.fp32.onnx", feeds(3)
    tensors = activations_of(graph)
    ranges = activation_ranges(graph, tensors, clips, method=method, percentile=99.0)
    with with_outputs(graph, tensors) as path:
        session = open_for_check(path)
        seen = [dict(zip(tensors, session.run(tensors, clip), strict=True)) for clip in clips]
    for tensor in tensors:
        values = np.concatenate([answer[tensor].ravel() for answer in seen])
        low, high = ranges[tensor]
        assert values.min() - 1e-6 <= low < high <= values.max() + 1e-6
        if method is CalibrationMethod.MINMAX:
            assert (low, high) == pytest.approx((values.min(), values.max()))
        if method is CalibrationMethod.PERCENTILE:
            assert np.mean((values >= low) & (values <= high)) == pytest.approx(0.99, abs=0.01)
    assert len(set(tensors)) == len(tensors) > 5


def test_ranges_need_a_clip(exported_bundle: Path) -> None:
    graph = exported_bundle / "vad.fp32.onnx"
    with pytest.raises(CalibrationError, match="no clip to calibrate"):
        activation_ranges(graph, activations_of(graph), [], method=CalibrationMethod.MINMAX)
