"""The full-logits variant of SenseVoice that other runtimes load: sherpa-onnx and funasr-onnx.

Both expect features, their length, a language row and a text norm row, in this order, and CTC logits back. Names and
metadata keys are the ones sherpa-onnx reads (its ``scripts/sense-voice/export-onnx.py``); funasr-onnx goes by order alone
and wants the length of the logits as a second output. The weights stay inside the file: sherpa-onnx opens it from memory.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from engine.speech.features import Cmvn
from models.bundle.upstream_layout import frontend_metadata, prompt_metadata, write_tokens
from models.export.export import finish_graph, write_onnx
from models.export.graph_file import PARITY_TOLERANCE, ExportError, open_for_check
from models.networks.sensevoice import PROMPT_POSITIONS, SenseVoice

log = logging.getLogger(__name__)

BPE_MODEL = "chn_jpn_yue_eng_ko_spectok.bpe.model"


class LogitsGraph(nn.Module):
    """x (1, T, 560), x_length (1,), language (1,), text_norm (1,) -> logits (1, T + 4, V), their length (1,)."""

    def __init__(self, network: SenseVoice) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, x_length: Tensor, language: Tensor, text_norm: Tensor) -> tuple[Tensor, Tensor]:
        return self.network(x, language, text_norm), x_length + PROMPT_POSITIONS


def export_logits(network: SenseVoice, path: Path, *, metadata: dict[str, str]) -> None:
    """Write the logits graph as one file; ExportError if its logits are not the network's."""
    graph = LogitsGraph(network.eval()).eval()
    inputs = (
        torch.randn(1, 60, network.config.input_size),
        torch.tensor([60], dtype=torch.int32),
        torch.tensor([0], dtype=torch.int32),
        torch.tensor([15], dtype=torch.int32),
    )
    names, outputs = ["x", "x_length", "language", "text_norm"], ["logits", "logits_length"]
    # The batch axis is symbolic because readers expect it so; without a mask a batch must be of one length.
    axes = {**{name: {0: "batch"} for name in (*names, *outputs)}, "x": {0: "batch", 1: "frames"}, "logits": {0: "batch", 1: "positions"}}
    write_onnx(graph, inputs, path, names=names, outputs=outputs, axes=axes)
    fixed = {"model_type": "sense_voice_ctc", "version": "1", "model_author": "iic", "maintainer": "LightVoice", "normalize_samples": "0"}
    finish_graph(path, metadata={**fixed, "vocab_size": str(network.config.vocab_size), **metadata}, external=False)
    check_logits(graph, path)


@torch.inference_mode()
def check_logits(graph: LogitsGraph, path: Path, *, lengths: Sequence[int] = (1, 33, 167)) -> float:
    """Compare the file with its network: -> the worst difference of a logit; ExportError above the tolerance."""
    session, worst = open_for_check(path), 0.0
    for length in lengths:
        speech = torch.randn(1, length, graph.network.config.input_size, generator=torch.Generator().manual_seed(length))
        prompt = torch.tensor([4], dtype=torch.int32), torch.tensor([14], dtype=torch.int32)
        count = torch.tensor([length], dtype=torch.int32)
        expected, _ = graph(speech, count, *prompt)
        arrays = (value.numpy() for value in (speech, count, *prompt))
        logits, total = session.run(None, dict(zip(("x", "x_length", "language", "text_norm"), arrays, strict=True)))
        if total.tolist() != [length + PROMPT_POSITIONS]:
            raise ExportError(f"{path.name}: it counts {total.tolist()} positions for {length} frames")
        worst = max(worst, float(np.abs(logits - expected.numpy()).max()))
    if not worst <= PARITY_TOLERANCE:
        raise ExportError(f"{path.name}: logits differ by {worst:.2e} from the network's (tolerance {PARITY_TOLERANCE:g})")
    log.info("%s equals its network to %.1e", path.name, worst)
    return worst


def write_logits_folder(folder: Path, network: SenseVoice, *, checkpoint: Path, pieces: Sequence[str], frontend: dict[str, Any]) -> None:
    """Fill ``folder`` with what both runtimes read: model.onnx, tokens.txt, am.mvn, config.yaml, the bpe model."""
    folder.mkdir(parents=True)
    cmvn = Cmvn.load(checkpoint / "am.mvn", expected_dim=network.config.input_size)
    metadata = prompt_metadata() | frontend_metadata(cmvn, lfr_m=frontend["m"], lfr_n=frontend["n"])
    export_logits(network, folder / "model.onnx", metadata=metadata)
    write_tokens(folder / "tokens.txt", pieces)
    for name in ("am.mvn", "config.yaml"):
        shutil.copyfile(checkpoint / name, folder / name)
    for model in sorted(checkpoint.glob("*.model"))[:1]:
        shutil.copyfile(model, folder / BPE_MODEL)
