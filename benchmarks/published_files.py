"""SenseVoice as sherpa-onnx and FunASR publish it, made of a random checkpoint: FunASR's own network and exporter, both quantizations.

sherpa-onnx exports FunASR's network with a forward function of its own (``scripts/sense-voice/export-onnx.py``: opset 13, with the inputs
``x``, ``x_length``, ``language`` and ``text_norm``) and quantizes per tensor; FunASR (``funasr/utils/export_utils.py``) exports in opset 14
and quantizes per channel. Both choose unsigned weights.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from typing import Any

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from benchmarks.parity import export_as_funasr, funasr_model
from engine.speech.features import Cmvn
from models.bundle.bpe_pieces import read_pieces
from models.bundle.upstream_layout import frontend_metadata, prompt_metadata, write_tokens
from models.networks.checkpoint import Checkpoint
from models.quantize.dynamic import quiet_quantizer

EXPORTED = "exported.onnx"


class SherpaForward(nn.Module):
    """FunASR's network as sherpa-onnx exports it: logits (N, T + 4, V) alone."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.embed, self.encoder, self.head = network.embed, network.encoder, network.ctc.ctc_lo

    def forward(self, x: Tensor, x_length: Tensor, language: Tensor, text_norm: Tensor) -> Tensor:
        """Prompt rows language, 1, 2, text norm in front of the features; the encoder masks by length."""
        middle = self.embed(torch.tensor([[1, 2]])).repeat(x.size(0), 1, 1)
        prompted = torch.cat([self.embed(language)[:, None], middle, self.embed(text_norm)[:, None], x], dim=1)
        encoded, _ = self.encoder(prompted, x_length + 4)
        logits: Tensor = self.head(encoded)
        return logits


def vocab_size_of(checkpoint: Path) -> int:
    """The outputs of a checkpoint's network."""
    return int(Checkpoint.open(checkpoint).weights(prefix="ctc.")["ctc_lo.bias"].shape[0])


def publish_as_sherpa(checkpoint: Path, folder: Path, *, keep_full: bool = False) -> Path:
    """Write model.int8.onnx and tokens.txt as sherpa-onnx publishes them, with ``keep_full`` model.onnx too: -> ``folder``."""
    folder.mkdir(parents=True)
    full, size = folder / EXPORTED, vocab_size_of(checkpoint)
    network = SherpaForward(funasr_model(Checkpoint.open(checkpoint), vocab_size=size)).eval()
    integers = [torch.tensor(values, dtype=torch.int32) for values in ([80, 100], [0, 3], [14, 15])]
    names = ["x", "x_length", "language", "text_norm"]
    axes = {name: {0: "N"} for name in (*names, "logits")}
    axes["x"][1] = axes["logits"][1] = "T"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.randn(2, 100, 560), *integers),
            str(full),
            opset_version=13,
            input_names=names,
            output_names=["logits"],
            dynamic_axes=axes,
            dynamo=False,
        )
    del network
    cmvn = Cmvn.load(checkpoint / "am.mvn", expected_dim=560)
    fixed = {"model_type": "sense_voice_ctc", "version": "2", "model_author": "iic", "normalize_samples": "0", "vocab_size": str(size)}
    model = onnx.load(str(full))
    onnx.helper.set_model_props(model, {**fixed, **prompt_metadata(), **frontend_metadata(cmvn, lfr_m=7, lfr_n=6)})
    onnx.save(model, str(full))
    del model
    with quiet_quantizer():
        quantize_dynamic(str(full), str(folder / "model.int8.onnx"), op_types_to_quantize=["MatMul"], weight_type=QuantType.QUInt8)
    write_tokens(folder / "tokens.txt", read_pieces(checkpoint, vocab_size=size))
    _finish(full, keep=folder / "model.onnx" if keep_full else None)
    return folder


def publish_as_funasr(checkpoint: Path, folder: Path, *, keep_full: bool = False) -> Path:
    """Write model_quant.onnx, am.mvn, config.yaml and tokens.json as FunASR publishes them, with ``keep_full`` model.onnx too."""
    folder.mkdir(parents=True)
    full = folder / EXPORTED
    export_as_funasr(checkpoint, full)
    names = [node.name for node in onnx.load(str(full), load_external_data=False).graph.node]
    # What FunASR's exporter leaves out, by the names of other models' layers.
    left_out = [name for name in names if "output" in name or "bias_encoder" in name or "bias_decoder" in name]
    with quiet_quantizer():
        quantize_dynamic(
            str(full),
            str(folder / "model_quant.onnx"),
            op_types_to_quantize=["MatMul"],
            per_channel=True,
            reduce_range=False,
            weight_type=QuantType.QUInt8,
            nodes_to_exclude=left_out,
        )
    for name in ("am.mvn", "config.yaml"):
        shutil.copyfile(checkpoint / name, folder / name)
    pieces = read_pieces(checkpoint, vocab_size=vocab_size_of(checkpoint))
    (folder / "tokens.json").write_text(json.dumps(pieces, ensure_ascii=False), encoding="utf-8")
    _finish(full, keep=folder / "model.onnx" if keep_full else None)
    return folder


def _finish(full: Path, *, keep: Path | None) -> None:
    if keep is None:
        full.unlink()
    else:
        full.rename(keep)
