"""Tiny ONNX graphs that keep the bundle contract, and a whole bundle made of them.

The ASR graph hears the loudest of its first ``V`` features: frame by frame its arg-max is the place of that feature, so a
test decides what is "said". The VAD graph calls a frame silent when its first feature is low.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

PIECES = (
    "<blank>",
    "▁hello",
    "▁world",
    "s",
    "你",
    "好",
    "<|zh|>",
    "<|en|>",
    "<|nospeech|>",
    "<|HAPPY|>",
    "<|EMO_UNKNOWN|>",
    "<|Speech|>",
    "<|BGM|>",
    "<|withitn|>",
    "<|woitn|>",
)
TAG_IDS = tuple(index for index, piece in enumerate(PIECES) if piece.startswith("<|"))
ASR_FEATURES, VAD_FEATURES = 560, 400


def _weight(name: str, values: np.ndarray) -> onnx.TensorProto:
    return numpy_helper.from_array(values, name)


def asr_model(*, searches: bool = True, places: Sequence[int] = range(len(PIECES))) -> onnx.ModelProto:
    """speech (1, T, 560), language (1,), textnorm (1,) -> token_ids (1, T + 4), log_probs (1, T + 4), tag_probs (1, 4, K).

    With ``searches`` it also takes top_k (1,) and answers top_ids and top_log_probs (1, T + 4, top_k), which older graphs do not.
    ``places`` are the features that the pieces are heard in.
    """
    size = len(PIECES)
    projection = np.zeros((ASR_FEATURES, size), np.float32)
    projection[list(places)] = np.eye(size, dtype=np.float32) * 8
    prompt = np.zeros((1, 4, ASR_FEATURES), np.float32)
    for position, piece in enumerate(("<|en|>", "<|EMO_UNKNOWN|>", "<|Speech|>", "<|woitn|>")):
        prompt[0, position, places[PIECES.index(piece)]] = 1.0
    prompt[0, 1, places[PIECES.index("<|HAPPY|>")]] = 0.9
    nodes = [
        helper.make_node("Concat", ["prompt", "speech"], ["x"], axis=1),
        helper.make_node("MatMul", ["x", "projection"], ["product"]),
        helper.make_node("Cast", ["language"], ["language_f"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["textnorm"], ["textnorm_f"], to=TensorProto.FLOAT),
        helper.make_node("Add", ["language_f", "textnorm_f"], ["asked"]),
        helper.make_node("Mul", ["asked", "zero"], ["nothing"]),
        helper.make_node("Add", ["product", "nothing"], ["logits"]),
        helper.make_node("ArgMax", ["logits"], ["best"], axis=-1, keepdims=0),
        helper.make_node("Cast", ["best"], ["token_ids"], to=TensorProto.INT32),
        helper.make_node("ReduceMax", ["logits"], ["top"], axes=[-1], keepdims=0),
        helper.make_node("ReduceLogSumExp", ["logits"], ["total"], axes=[-1], keepdims=0),
        helper.make_node("Sub", ["top", "total"], ["log_probs"]),
        helper.make_node("Slice", ["logits", "from0", "to4", "axis1"], ["head"]),
        helper.make_node("Softmax", ["head"], ["shares"], axis=-1),
        helper.make_node("Gather", ["shares", "tag_ids"], ["tag_probs"], axis=2),
    ]
    weights = [
        _weight("prompt", prompt),
        _weight("projection", projection),
        _weight("zero", np.zeros(1, np.float32)),
        _weight("from0", np.array([0], np.int64)),
        _weight("to4", np.array([4], np.int64)),
        _weight("axis1", np.array([1], np.int64)),
        _weight("tag_ids", np.array(TAG_IDS, np.int64)),
    ]
    inputs = [
        helper.make_tensor_value_info("speech", TensorProto.FLOAT, [1, "T", ASR_FEATURES]),
        helper.make_tensor_value_info("language", TensorProto.INT32, [1]),
        helper.make_tensor_value_info("textnorm", TensorProto.INT32, [1]),
    ]
    outputs = [
        helper.make_tensor_value_info("token_ids", TensorProto.INT32, [1, "P"]),
        helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, [1, "P"]),
        helper.make_tensor_value_info("tag_probs", TensorProto.FLOAT, [1, 4, len(TAG_IDS)]),
    ]
    if searches:
        weights += [_weight("top_k", np.array([0], np.int64)), _weight("last", np.array([-1], np.int64))]
        inputs.append(helper.make_tensor_value_info("top_k", TensorProto.INT64, [1]))
        nodes += [
            helper.make_node("TopK", ["logits", "top_k"], ["top_logits", "top_places"], axis=-1),
            helper.make_node("Cast", ["top_places"], ["top_ids"], to=TensorProto.INT32),
            helper.make_node("Unsqueeze", ["total", "last"], ["totals"]),
            helper.make_node("Sub", ["top_logits", "totals"], ["top_log_probs"]),
        ]
        outputs += [
            helper.make_tensor_value_info("top_ids", TensorProto.INT32, [1, "P", "top_k"]),
            helper.make_tensor_value_info("top_log_probs", TensorProto.FLOAT, [1, "P", "top_k"]),
        ]
    return _model(nodes, inputs, outputs, weights, {"tag_token_ids": json.dumps(TAG_IDS), "max_frames": "1020"})


def vad_model(*, place: int = 0) -> onnx.ModelProto:
    """speech (1, T, 400) -> probs (1, T, 2): silence where the first feature, or the one at ``place``, is low."""
    projection = np.zeros((VAD_FEATURES, 2), np.float32)
    projection[place] = (-4.0, 4.0)
    nodes = [helper.make_node("MatMul", ["speech", "projection"], ["logits"]), helper.make_node("Softmax", ["logits"], ["probs"], axis=-1)]
    inputs = [helper.make_tensor_value_info("speech", TensorProto.FLOAT, [1, "T", VAD_FEATURES])]
    outputs = [helper.make_tensor_value_info("probs", TensorProto.FLOAT, [1, "T", 2])]
    return _model(nodes, inputs, outputs, [_weight("projection", projection)], {})


def _model(nodes: list[Any], inputs: list[Any], outputs: list[Any], weights: list[Any], metadata: dict[str, str]) -> onnx.ModelProto:
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    return model


def quantized(source: Path, target: Path) -> None:
    """The dynamic INT8 version of a graph, really in integers."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(str(source), str(target), op_types_to_quantize=["MatMul"], per_channel=True, weight_type=QuantType.QInt8)
    model = onnx.load(str(target))
    helper.set_model_props(model, {entry.key: entry.value for entry in onnx.load(str(source)).metadata_props})
    onnx.save(model, str(target))


def write_cmvn(path: Path, *, dim: int, shift: float = 0.0, scale: float = 1.0) -> None:
    """A Kaldi nnet CMVN of one shift and one scale."""
    values = [" ".join([str(value)] * dim) for value in (shift, scale)]
    names = ("AddShift", "Rescale")
    body = "".join(f"<{name}> {dim} {dim}\n<LearnRateCoef> 0 [ {value} ]\n" for name, value in zip(names, values, strict=True))
    path.write_text(f"<Nnet>\n<Splice> {dim} {dim}\n[ 0 ]\n{body}</Nnet>\n", encoding="utf-8")


def write_manifest(folder: Path, **changes: Any) -> None:
    """``bundle.json`` for what the folder holds, with fields replaced by ``changes``."""
    names = sorted(path.name for path in folder.iterdir() if path.name != "bundle.json")
    files = {n: {"sha256": hashlib.sha256((folder / n).read_bytes()).hexdigest(), "bytes": (folder / n).stat().st_size} for n in names}
    fields = {
        "format": 1,
        "name": "tiny",
        "kind": "starter",
        "version": "1",
        "title": "Tiny",
        "description": "Graphs for tests.",
        "licence": "Apache-2.0",
        "sample_rate": 16_000,
        "lfr": {"asr": {"m": 7, "n": 6}, "vad": {"m": 5, "n": 1}},
        "languages": ["en", "zh"],
        "prompt": {"language": {"auto": 0, "zh": 3, "en": 4}, "textnorm": {"withitn": 14, "woitn": 15}},
        "variants": {name: {"asr": f"asr.{name}.onnx", "vad": f"vad.{name}.onnx"} for name in ("fp32", "int8")},
        "tokens": "tokens.txt",
        "cmvn": {"asr": "asr.mvn", "vad": "vad.mvn"},
        "parameters": {"asr": 8400, "vad": 800},
        "files": files,
    }
    (folder / "bundle.json").write_text(json.dumps({**fields, **changes}, ensure_ascii=False), encoding="utf-8")


def write_tiny_bundle(folder: Path, *, asr: onnx.ModelProto | None = None, vad: onnx.ModelProto | None = None) -> Path:
    """Write a complete bundle with FP32 and INT8; ``asr`` and ``vad`` in place of the graphs above."""
    folder.mkdir(parents=True)
    onnx.save(asr or asr_model(), str(folder / "asr.fp32.onnx"))
    onnx.save(vad or vad_model(), str(folder / "vad.fp32.onnx"))
    for model in ("asr", "vad"):
        quantized(folder / f"{model}.fp32.onnx", folder / f"{model}.int8.onnx")
    (folder / "tokens.txt").write_text("".join(f"{piece} {index}\n" for index, piece in enumerate(PIECES)), encoding="utf-8")
    write_cmvn(folder / "asr.mvn", dim=ASR_FEATURES)
    write_cmvn(folder / "vad.mvn", dim=VAD_FEATURES, shift=-8.0, scale=0.5)
    write_manifest(folder)
    return folder
