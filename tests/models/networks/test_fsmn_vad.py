"""Our FSMN-VAD network against FunASR's encoder and against the real ONNX graph."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from models.networks.fsmn_vad import FsmnVad  # noqa: E402 - torch decides whether this file runs

ENCODER = {
    "input_dim": 400,
    "input_affine_dim": 140,
    "fsmn_layers": 4,
    "linear_dim": 250,
    "proj_dim": 128,
    "lorder": 20,
    "rorder": 0,
    "lstride": 1,
    "rstride": 0,
    "output_affine_dim": 140,
    "output_dim": 248,
}


@torch.inference_mode()
def test_probabilities_equal_upstreams_encoder() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        encoder = pytest.importorskip("funasr.models.fsmn_vad_streaming.encoder")
    theirs = encoder.FSMN(**ENCODER).eval()
    ours = FsmnVad().eval()
    ours.load_state_dict(theirs.state_dict(), strict=True)
    speech = torch.randn(1, 300, 400, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(torch.softmax(ours(speech), -1), theirs(speech, {}), atol=1e-5, rtol=0)


@torch.inference_mode()
def test_it_is_causal() -> None:
    network = FsmnVad().eval()
    speech = torch.randn(1, 200, 400, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(network(speech)[:, :120], network(speech[:, :120]), atol=1e-6, rtol=0)


@pytest.mark.weights
def test_the_real_weights_have_our_shape(data_dir: Path) -> None:
    onnx = pytest.importorskip("onnx")
    graph = onnx.load(str(data_dir / "fsmn-vad" / "model.onnx")).graph
    real = sum(int(np.prod(tensor.dims)) for tensor in graph.initializer if len(tensor.dims) >= 1)
    ours = sum(parameter.numel() for parameter in FsmnVad().parameters())
    assert abs(real - ours) <= 16
