"""A graph gives back the network it was exported from, ours and FunASR's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from models.export.export import AsrGraph, check_asr, export_vad  # noqa: E402 - torch decides whether this file runs
from models.export.graph_file import ExportError  # noqa: E402 - torch decides whether this file runs
from models.networks.checkpoint import Checkpoint, load_fsmn_vad, load_sensevoice  # noqa: E402
from models.networks.weights import fsmn_vad_of, sensevoice_of  # noqa: E402
from tests.models.export.graphs import session_of  # noqa: E402


def test_sensevoice_comes_back_weight_for_weight(random_checkpoint: Path, exported_bundle: Path) -> None:
    expected = load_sensevoice(Checkpoint.open(random_checkpoint))
    found = sensevoice_of(exported_bundle / "asr.fp32.onnx")
    assert found.config == expected.config
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_fsmn_vad_comes_back_weight_for_weight(random_checkpoint: Path, exported_bundle: Path) -> None:
    expected = load_fsmn_vad(Checkpoint.open(random_checkpoint / "vad"))
    found = fsmn_vad_of(exported_bundle / "vad.fp32.onnx")
    assert found.config == expected.config
    for name, value in expected.state_dict().items():
        assert torch.equal(found.state_dict()[name], value), name


def test_the_starter_comes_back(starter_bundle: Path) -> None:
    path = starter_bundle / "asr.fp32.onnx"
    tags = session_of(path).get_modelmeta().custom_metadata_map["tag_token_ids"]
    check_asr(AsrGraph(sensevoice_of(path), [int(index) for index in tags.strip("[]").split(",")]).eval(), path, lengths=(40,))


@pytest.mark.weights
@torch.inference_mode()
def test_the_real_fsmn_vad_comes_out_of_funasrs_graph(data_dir: Path, tmp_path: Path) -> None:
    path = data_dir / "fsmn-vad" / "model.onnx"
    network = fsmn_vad_of(path)
    assert sum(parameter.numel() for parameter in network.parameters()) == 428_738  # and 8 folded shape constants: 428 746
    speech = np.random.default_rng(0).standard_normal((1, 300, 400)).astype(np.float32)
    theirs = session_of(path).run(None, {"speech": speech})[0]
    np.testing.assert_allclose(torch.softmax(network(torch.from_numpy(speech)), -1).numpy(), theirs, atol=1e-5)
    export_vad(network, tmp_path / "vad.onnx", metadata={})
    np.testing.assert_allclose(session_of(tmp_path / "vad.onnx").run(None, {"speech": speech})[0], theirs, atol=1e-5)


def test_an_int8_graph_is_refused(exported_bundle: Path) -> None:
    with pytest.raises(ExportError, match=r"vad\.int8\.onnx"):
        fsmn_vad_of(exported_bundle / "vad.int8.onnx")
    with pytest.raises(ExportError, match=r"asr\.int8\.onnx"):
        sensevoice_of(exported_bundle / "asr.int8.onnx")


def test_another_network_is_refused(exported_bundle: Path) -> None:
    with pytest.raises(ExportError, match="no FSMN-VAD graph"):
        fsmn_vad_of(exported_bundle / "asr.fp32.onnx")
    with pytest.raises(ExportError, match="no SenseVoice graph"):
        sensevoice_of(exported_bundle / "vad.fp32.onnx")


def test_a_truncated_graph_is_named(exported_bundle: Path, tmp_path: Path) -> None:
    broken = tmp_path / "vad.fp32.onnx"
    broken.write_bytes((exported_bundle / "vad.fp32.onnx").read_bytes()[:4000])
    with pytest.raises(ExportError, match="cannot be read as an ONNX graph"):
        fsmn_vad_of(broken)
