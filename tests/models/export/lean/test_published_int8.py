"""Published INT8 files become our CPU graph with the same numbers: weight by weight, answer by answer, and without PyTorch."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.audio.waveform import Waveform  # noqa: E402 - torch decides whether this file runs
from engine.bundle import Bundle  # noqa: E402
from engine.errors import FullPrecisionMissingError  # noqa: E402
from engine.options import TranscribeOptions  # noqa: E402
from engine.pipeline import Engine  # noqa: E402
from engine.runtime.onnx_operators import count_products  # noqa: E402
from models.export import imported  # noqa: E402
from models.export.graph_file import MARGIN, open_for_check  # noqa: E402
from models.export.import_folder import import_folder  # noqa: E402
from models.export.lean.graph_source import GraphSource  # noqa: E402
from models.export.lean.lean_graph import sinusoidal_positions  # noqa: E402
from models.export.lean.published_network import products_of, read_published  # noqa: E402
from models.networks.sensevoice import sinusoidal_positions as torch_positions  # noqa: E402

ROOT = Path(__file__).resolve().parents[4]
GRAPHS = {"published_by_sherpa": "model.int8.onnx", "published_by_funasr": "model_quant.onnx"}
PUBLISHED = list(GRAPHS)


@pytest.fixture(scope="module")
def bundles(
    published_by_sherpa: Path, published_by_funasr: Path, published_vad: Path, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("bundles")
    folders = {"published_by_sherpa": published_by_sherpa, "published_by_funasr": published_by_funasr}
    return {name: import_folder(folder, place / name, vad_folder=published_vad) for name, folder in folders.items()}


def source_of(published: str, request: pytest.FixtureRequest) -> Path:
    return request.getfixturevalue(published) / GRAPHS[published]


def feeds(frames: int, seed: int = 0) -> dict[str, np.ndarray]:
    speech = np.random.default_rng(seed).standard_normal((1, frames, 560)).astype(np.float32)
    return {"speech": speech, "language": np.array([4], np.int32), "textnorm": np.array([15], np.int32)}


def their_logits(path: Path, fed: dict[str, np.ndarray]) -> np.ndarray:
    session = open_for_check(path)
    values = (fed["speech"], np.array([fed["speech"].shape[1]], np.int32), fed["language"], fed["textnorm"])
    return session.run(None, dict(zip((entry.name for entry in session.get_inputs()), values, strict=True)))[0]


@pytest.mark.parametrize("published", PUBLISHED)
def test_a_bundle_of_a_quantized_file_alone_holds_int8_alone(published: str, bundles: dict[str, Path]) -> None:
    bundle = Bundle.load(bundles[published])
    assert set(bundle.variants) == {"int8"}
    assert {path.name for path in bundles[published].iterdir()} == {
        *("bundle.json", "tokens.txt", "asr.mvn", "vad.mvn", "vad.int8.onnx", "asr.int8.onnx", "asr.int8.onnx.data"),
    }
    assert count_products(bundle.path("asr.int8.onnx")).floating == 0
    assert bundle.parameters["asr"] > 200_000


@pytest.mark.parametrize("published", PUBLISHED)
def test_the_token_ids_are_those_of_their_runtime(published: str, bundles: dict[str, Path], request: pytest.FixtureRequest) -> None:
    ours = open_for_check(bundles[published] / "asr.int8.onnx")
    for frames in (1, 33, 167):
        logits = their_logits(source_of(published, request), feeds(frames, seed=frames))
        ids, log_probs, _ = ours.run(["token_ids", "log_probs", "tag_probs"], feeds(frames, seed=frames))
        best = np.sort(logits, axis=-1)[..., -2:]
        clear = best[..., 1] - best[..., 0] > MARGIN
        assert clear.mean() > 0.7  # the others are ties
        np.testing.assert_array_equal(ids[clear], logits.argmax(-1)[clear])
        expected = best[..., 1] - np.log(np.exp(logits.astype(np.float64)).sum(-1))
        np.testing.assert_allclose(log_probs, expected, atol=5e-3)  # a rounding may fall the other way


@pytest.mark.parametrize("published", PUBLISHED)
def test_every_weight_has_its_value_to_the_last_bit(published: str, bundles: dict[str, Path], request: pytest.FixtureRequest) -> None:
    found = {}
    for name, path in (("theirs", source_of(published, request)), ("ours", bundles[published] / "asr.int8.onnx")):
        source = GraphSource.open(path)
        found[name] = [
            (source.array(one.weight).astype(np.int32) - source.array(one.zero_point), source.array(one.scale))
            for one in products_of(source)
        ]
    theirs, ours = found["theirs"], found["ours"]
    assert len(ours) == len(theirs) == 13
    for (integers, scale), (own_integers, own_scale) in zip(theirs, ours, strict=True):
        np.testing.assert_array_equal(own_integers, integers)
        np.testing.assert_array_equal(own_scale, scale)


@pytest.mark.parametrize("published", PUBLISHED)
def test_the_graph_is_lean_and_its_weights_are_signed(published: str, bundles: dict[str, Path]) -> None:
    model = onnx.load(str(bundles[published] / "asr.int8.onnx"))
    operators = Counter(node.op_type for node in model.graph.node)
    assert operators["Attention"] == 3 and operators["DynamicQuantizeMatMul"] == 13
    assert not operators.keys() & {"Where", "Less", "Range", "MatMul", "MatMulInteger"}
    kinds = {tensor.data_type for tensor in model.graph.initializer if tensor.name.endswith("_quantized")}
    assert kinds == {onnx.TensorProto.INT8}
    metadata = {entry.key: entry.value for entry in model.metadata_props}
    assert metadata["quantization"] == "upstream" and metadata["float_products"] == "0" and metadata["lang_zh"] == "3"


def test_the_position_table_is_the_networks() -> None:
    np.testing.assert_allclose(sinusoidal_positions(1024, 560), torch_positions(1024, 560).numpy(), atol=2e-4)


def test_the_engine_runs_what_the_bundle_has_and_says_where_fp32_comes_from(bundles: dict[str, Path]) -> None:
    bundle = Bundle.load(bundles["published_by_sherpa"])
    engine = Engine(bundle)
    try:
        assert engine.precision == "int8"
        with pytest.raises(
            FullPrecisionMissingError, match=r"holds .*int8.* and no fp32; fetch it on the Models tab, or with .*--edition fp32"
        ):
            engine.transcribe(Waveform(np.zeros(1600, np.float32)), TranscribeOptions(precision="fp32"))
    finally:
        engine.close()
    with pytest.raises(FullPrecisionMissingError):
        Engine(bundle, precision="fp32")


def test_a_graph_that_is_quantized_in_another_way_is_used_as_it_is(
    published_by_sherpa: Path, published_vad: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = onnx.load(str(published_by_sherpa / "model.int8.onnx"))
    scaling = next(node for node in model.graph.node if node.op_type == "Mul" and node.name.endswith("_output_scale_mul"))
    place = list(model.graph.node).index(scaling)
    model.graph.node.insert(place, onnx.helper.make_node("Identity", [scaling.input[0]], ["between"]))
    scaling.input[0] = "between"
    folder = tmp_path / "in"
    folder.mkdir()
    onnx.save(model, str(folder / "model.int8.onnx"))
    (folder / "tokens.txt").write_bytes((published_by_sherpa / "tokens.txt").read_bytes())
    with caplog.at_level(logging.WARNING):
        bundle = import_folder(folder, tmp_path / "out", vad_folder=published_vad)
    assert "quantized in another way; its graph is used as it is" in caplog.text
    made = onnx.load(str(bundle / "asr.int8.onnx"))
    weights = {node.input[1] for node in made.graph.node if node.op_type == "MatMulInteger"}
    assert {tensor.data_type for tensor in made.graph.initializer if tensor.name in weights} == {onnx.TensorProto.INT8}
    ids = open_for_check(bundle / "asr.int8.onnx").run(["token_ids"], feeds(40))[0]
    np.testing.assert_array_equal(ids, their_logits(folder / "model.int8.onnx", feeds(40)).argmax(-1))


def test_a_weight_in_the_wrong_place_is_found_out(
    published_by_sherpa: Path, published_vad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def swapped(source: GraphSource):
        network = read_published(source)
        first, second = network.blocks
        return replace(network, blocks=(first, replace(second, w_1=replace(second.w_1, weight=first.w_1.weight))))

    monkeypatch.setattr(imported, "read_published", swapped)
    with caplog.at_level(logging.WARNING):
        bundle = import_folder(published_by_sherpa, tmp_path / "out", vad_folder=published_vad)
    assert "its graph is used as it is" in caplog.text
    assert "Attention" not in {node.op_type for node in onnx.load(str(bundle / "asr.int8.onnx")).graph.node}


WITHOUT_TORCH = """
import sys
for name in ("torch", "funasr", "sentencepiece", "modelscope", "librosa"):
    sys.modules[name] = None
sys.argv = ["models", "import", *sys.argv[1:]]
from models.__main__ import main
code = main()
from engine.bundle import Bundle
from engine.pipeline import Engine
print(sorted(Bundle.load(sys.argv[-1]).variants), Engine(Bundle.load(sys.argv[-1])).precision)
sys.exit(code)
"""


@pytest.mark.parametrize("published", PUBLISHED)
def test_nothing_but_onnx_is_needed(published: str, published_vad: Path, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    command = [sys.executable, "-c", WITHOUT_TORCH, str(request.getfixturevalue(published))]
    command += ["--vad", str(published_vad), "--output", str(tmp_path / "bundle")]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "HOME": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['int8'] int8"
