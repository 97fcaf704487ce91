"""Tiny ready-made folders in upstream's layouts, made of the random checkpoint: what the hubs offer, but small.

The graphs are written as upstream's exporters write them (plain matrix products and a mask, no fused attention), in their opsets,
with their names, their metadata, and quantized with unsigned weights.
"""

from __future__ import annotations

import json
import shutil
import warnings
from pathlib import Path
from unittest import mock

import onnx
import torch
from onnxruntime.quantization import QuantType, quantize_dynamic
from torch import Tensor, nn

from engine.speech.features import Cmvn
from models.bundle.bpe_pieces import read_pieces
from models.bundle.upstream_layout import frontend_metadata, prompt_metadata, write_tokens
from models.export.export import VadGraph
from models.networks.checkpoint import Checkpoint, load_fsmn_vad, load_sensevoice
from models.networks.sensevoice import SenseVoice
from models.quantize.dynamic import quiet_quantizer

SHERPA_NAMES = ["x", "x_length", "language", "text_norm"], ["logits"]
FUNASR_NAMES = ["speech", "speech_lengths", "language", "textnorm"], ["ctc_logits", "encoder_out_lens"]


class UpstreamGraph(nn.Module):
    """The masked network as upstream exports it: logits, and their length where ``counts`` says so."""

    def __init__(self, network: SenseVoice, *, counts: bool) -> None:
        super().__init__()
        self.network, self.counts = network, counts

    def forward(self, speech: Tensor, lengths: Tensor, language: Tensor, textnorm: Tensor):
        logits = self.network(speech, language, textnorm, lengths)
        return (logits, lengths + 4) if self.counts else logits


def attention(query: Tensor, key: Tensor, value: Tensor, attn_mask: Tensor | None) -> Tensor:
    """Scaled dot products written out, as upstream's own code has them: the operator itself cannot be exported below opset 14."""
    scores = query @ key.transpose(-2, -1) * query.shape[-1] ** -0.5
    return torch.softmax(scores if attn_mask is None else scores.masked_fill(~attn_mask, -1e9), dim=-1) @ value


def export(module: nn.Module, inputs: tuple[Tensor, ...], path: Path, names: tuple[list[str], list[str]], *, opset: int) -> Path:
    axes = {name: {0: "batch_size"} for name in (*names[0], *names[1])}
    axes[names[0][0]][1] = "feats_length"
    axes[names[1][0]][1] = "logits_length"
    # Upstream has no fused attention: its graphs must be made of what plain PyTorch exports to.
    plain = mock.patch("torch.onnx.is_in_onnx_export", return_value=False)
    with warnings.catch_warnings(), plain, mock.patch("torch.nn.functional.scaled_dot_product_attention", attention):
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module, inputs, str(path), input_names=names[0], output_names=names[1], dynamic_axes=axes, opset_version=opset, dynamo=False
        )
    return path


def quantize(source: Path, target: Path) -> None:
    """As FunASR and sherpa-onnx do: unsigned weights."""
    with quiet_quantizer():
        quantize_dynamic(str(source), str(target), op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QUInt8)


def asr_graph(checkpoint: Path, path: Path, names: tuple[list[str], list[str]], *, opset: int, integers: torch.dtype = torch.int32) -> Path:
    network = load_sensevoice(Checkpoint.open(checkpoint))
    row = [torch.tensor([value, value], dtype=integers) for value in (0, 15)]
    inputs = (torch.randn(2, 30, 560), torch.tensor([6, 30], dtype=integers), *row)
    return export(UpstreamGraph(network, counts=len(names[1]) == 2).eval(), inputs, path, names, opset=opset)


def funasr_folder(checkpoint: Path, folder: Path, *, opset: int = 14, integers: torch.dtype = torch.int32, bpe: bool = False) -> Path:
    """``iic/SenseVoiceSmall-onnx``: model.onnx, model_quant.onnx, am.mvn, config.yaml, tokens.json (or the bpe model)."""
    folder.mkdir(parents=True)
    asr_graph(checkpoint, folder / "model.onnx", FUNASR_NAMES, opset=opset, integers=integers)
    quantize(folder / "model.onnx", folder / "model_quant.onnx")
    for name in ("am.mvn", "config.yaml"):
        shutil.copyfile(checkpoint / name, folder / name)
    if bpe:
        shutil.copyfile(next(checkpoint.glob("*.model")), folder / "chn_jpn_yue_eng_ko_spectok.bpe.model")
    else:
        (folder / "tokens.json").write_text(json.dumps(pieces_of(checkpoint), ensure_ascii=False), encoding="utf-8")
    return folder


def sherpa_folder(checkpoint: Path, folder: Path, *, opset: int = 13) -> Path:
    """sherpa-onnx's: model.onnx, model.int8.onnx, tokens.txt; CMVN, stacking and prompt rows in the metadata."""
    folder.mkdir(parents=True)
    path = asr_graph(checkpoint, folder / "model.onnx", SHERPA_NAMES, opset=opset)
    cmvn = Cmvn.load(checkpoint / "am.mvn", expected_dim=560)
    metadata = prompt_metadata() | frontend_metadata(cmvn, lfr_m=7, lfr_n=6)
    metadata |= {"model_type": "sense_voice_ctc", "version": "2", "normalize_samples": "0", "vocab_size": "400"}
    set_metadata(path, **metadata)
    quantize(path, folder / "model.int8.onnx")
    write_tokens(folder / "tokens.txt", pieces_of(checkpoint))
    return folder


def vad_folder(checkpoint: Path, folder: Path, *, softmax: bool = True) -> Path:
    """``iic/speech_fsmn_vad_zh-cn-16k-common-onnx`` of the checkpoint's FSMN-VAD: model.onnx, model_quant.onnx, am.mvn, config.yaml."""
    folder.mkdir(parents=True)
    network = load_fsmn_vad(Checkpoint.open(checkpoint / "vad"))
    module = VadGraph(network).eval() if softmax else network
    export(module, (torch.randn(1, 30, 400),), folder / "model.onnx", (["speech"], ["logits"]), opset=14)
    quantize(folder / "model.onnx", folder / "model_quant.onnx")
    shutil.copyfile(checkpoint / "vad" / "am.mvn", folder / "am.mvn")
    (folder / "config.yaml").write_text("WavFrontend:\n  frontend_conf:\n    lfr_m: 5\n    lfr_n: 1\n", encoding="utf-8")
    return folder


def pieces_of(checkpoint: Path) -> list[str]:
    return read_pieces(checkpoint, vocab_size=400)


def set_metadata(path: Path, **values: str) -> None:
    """Add to or replace a graph's metadata."""
    model = onnx.load(str(path))
    kept = {entry.key: entry.value for entry in model.metadata_props} | values
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, kept)
    onnx.save(model, str(path))
