"""L1 pruning: the smallest weights of every layer, as many as asked, and archives that shrink."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
prune_torch = pytest.importorskip("torch.nn.utils.prune")

from engine.bundle import Bundle  # noqa: E402 - torch decides whether this file runs
from engine.runtime.onnx_operators import count_products  # noqa: E402
from models.quantize.prune import PruneError, compressed_bytes, prune, prune_graph, prune_weights, to_markdown  # noqa: E402


@pytest.mark.parametrize("amount", [0.1, 0.5, 0.9])
def test_it_prunes_what_torch_prunes(amount: float) -> None:
    weights = np.random.default_rng(3).standard_normal((40, 25)).astype(np.float32)
    layer = torch.nn.Linear(25, 40)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
    prune_torch.l1_unstructured(layer, "weight", amount=amount)
    np.testing.assert_array_equal(prune_weights(weights, amount), layer.weight.detach().numpy())


def test_every_layer_loses_the_same_share(exported_bundle: Path, tmp_path: Path) -> None:
    layers = prune_graph(exported_bundle / "asr.fp32.onnx", tmp_path / "asr.fp32-pruned.onnx", amount=0.25, external=True)
    assert len(layers) == count_products(exported_bundle / "asr.fp32.onnx").floating + 3  # the depthwise convolutions of three blocks
    for weights, zeros in layers.values():
        assert zeros == pytest.approx(0.25, abs=1 / weights + 0.01)


def test_the_bundle_gets_both_variants_and_the_table(exported_bundle: Path, tmp_path: Path) -> None:
    bundle = shutil.copytree(exported_bundle, tmp_path / "bundle")
    record = prune(bundle, amount=0.3, then_quantize=True)
    assert set(Bundle.load(bundle).variants) == {"fp32", "int8", "fp32-pruned", "int8-pruned"}
    sizes = record["sizes"]
    assert sizes["fp32-pruned"]["compressed_bytes"] < 0.95 * sizes["fp32"]["compressed_bytes"]
    assert sizes["fp32-pruned"]["bytes"] == pytest.approx(sizes["fp32"]["bytes"], rel=0.01)  # said plainly: as large as before
    assert sizes["int8-pruned"]["compressed_bytes"] < sizes["int8"]["compressed_bytes"]
    assert count_products(bundle / "asr.int8-pruned.onnx").floating == 0
    table = to_markdown(record)
    assert "| int8-pruned |" in table and "the same speed" in table


@pytest.mark.parametrize("amount", [0.0, 1.0, -0.1, 3.0, float("nan")])
def test_an_amount_that_is_no_share_is_refused(exported_bundle: Path, tmp_path: Path, amount: float) -> None:
    with pytest.raises(PruneError, match="not between 0 and 1"):
        prune_graph(exported_bundle / "vad.fp32.onnx", tmp_path / "x.onnx", amount=amount, external=False)
    assert not list(tmp_path.iterdir())


def test_compressed_size_is_zips(tmp_path: Path) -> None:
    import zlib

    path = tmp_path / "x.onnx"
    path.write_bytes(bytes(1000) + bytes(range(256)) * 20)
    assert compressed_bytes(path) == len(zlib.compress(path.read_bytes(), 6))
