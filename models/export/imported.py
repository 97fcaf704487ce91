"""Ready-made folders → graph files of a bundle: FP32, our dynamic INT8, and upstream's own INT8, each checked.

Upstream's quantized files carry unsigned weights, which the fast integer kernels do not take (``models.quantize.dynamic``). Where
the FP32 file is there too, ``int8`` is our own recipe and theirs becomes the variant ``int8-upstream``; alone, theirs is ``int8``.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from engine.errors import first_line
from engine.speech.features import Cmvn
from engine.tags import TAG_POSITIONS, TextNorm, piece_of
from models.bundle.upstream_layout import frontend_metadata
from models.export.export import export_vad
from models.export.graph_file import ExportError, save_graph
from models.export.logits_graph import MAX_FRAMES, convert_asr, convert_vad, load_graph
from models.export.parity import check_asr, check_runs, check_vad, probe_asr, probe_vad
from models.export.ready_made import AsrFolder, Frontend, Graphs, VadFolder, frontend_of
from models.networks.checkpoint import Checkpoint, load_fsmn_vad
from models.quantize import dynamic

log = logging.getLogger(__name__)

FULL, INT8, UPSTREAM = "fp32", "int8", "int8-upstream"
#: Frames of the run that shows that our own INT8 graph works.
TRIAL_FRAMES = 50


@dataclass(frozen=True, kw_only=True)
class MadeModel:
    """One model's graphs in a bundle: file name by variant, stacking, and the number of weights (0 where no FP32 graph tells)."""

    files: Mapping[str, str]
    frontend: Frontend
    parameters: int


def make_asr(asr: AsrFolder, staging: Path) -> MadeModel:
    """Write a ready-made SenseVoice's graphs and ``asr.mvn`` into ``staging``; ExportError where one differs from its source."""
    ids = {piece: index for index, piece in enumerate(asr.pieces)}
    tag_ids = [ids[piece_of(tag)] for family in TAG_POSITIONS for tag in family if piece_of(tag) in ids]
    if not tag_ids:
        raise ExportError(f"{asr.folder}: none of its {len(asr.pieces)} tokens is a tag (<|en|>, <|HAPPY|>, …); they are another model's")
    cmvn = asr.frontend.write_cmvn(staging / "asr.mvn")
    metadata = _stacking(asr.frontend, cmvn) | _asr_metadata(asr, tag_ids)
    files, parameters = _names(asr.graphs, "asr"), 0
    for variant, source in _sources(asr.graphs).items():
        parameters = max(parameters, _convert_asr(asr, source, staging / files[variant], tag_ids=tag_ids, metadata=metadata))
    if FULL in files:
        _quantize(staging / files[FULL], staging / files[INT8], external=True)
        speech = np.random.default_rng(9527).standard_normal((1, TRIAL_FRAMES, asr.frontend.features), np.float32)
        feeds = {"speech": speech, "language": np.zeros(1, np.int32), "textnorm": np.full(1, asr.prompt["textnorm"]["woitn"], np.int32)}
        check_runs(staging / files[INT8], feeds, model="asr", precision=INT8)
    return MadeModel(files=files, frontend=asr.frontend, parameters=parameters)


def make_vad(vad: VadFolder, staging: Path) -> MadeModel:
    """Write a ready-made FSMN-VAD's graphs and ``vad.mvn`` into ``staging``; ExportError where one differs from its source."""
    metadata = {"model_type": "fsmn_vad", **_stacking(vad.frontend, vad.frontend.write_cmvn(staging / "vad.mvn"))}
    files, parameters = _names(vad.graphs, "vad"), 0
    for variant, source in _sources(vad.graphs).items():
        parameters = max(parameters, _convert_vad(vad, source, staging / files[variant], metadata=metadata))
    if FULL in files:
        _quantize_vad(staging, files, features=vad.frontend.features)
    return MadeModel(files=files, frontend=vad.frontend, parameters=parameters)


def make_vad_of_checkpoint(folder: Path, staging: Path) -> MadeModel:
    """Export an official FSMN-VAD checkpoint to stand beside ready-made ASR graphs."""
    checkpoint = Checkpoint.open(folder)
    if checkpoint.kind != "fsmn-vad":
        raise ExportError(f"{folder} holds {checkpoint.kind} where fsmn-vad is needed; name the VAD's folder with --vad")
    network = load_fsmn_vad(checkpoint)
    frontend = frontend_of(folder, checkpoint.config, {}, given=network.config.input_dim)
    metadata = _stacking(frontend, frontend.write_cmvn(staging / "vad.mvn"))
    files = {FULL: "vad.fp32.onnx", INT8: "vad.int8.onnx"}
    export_vad(network, staging / files[FULL], metadata=metadata)
    _quantize_vad(staging, files, features=frontend.features)
    return MadeModel(files=files, frontend=frontend, parameters=sum(parameter.numel() for parameter in network.parameters()))


def _quantize_vad(staging: Path, files: Mapping[str, str], *, features: int) -> None:
    _quantize(staging / files[FULL], staging / files[INT8], external=False)
    speech = np.random.default_rng(9527).standard_normal((1, TRIAL_FRAMES, features), np.float32)
    check_runs(staging / files[INT8], {"speech": speech}, model="vad", precision=INT8)


def _quantize(source: Path, target: Path, *, external: bool) -> None:
    try:
        # Other tools look for the products one by one in graphs that came from elsewhere.
        dynamic.quantize(source, target, external=external, fused=False)
    except (RuntimeError, ValueError) as error:  # what ONNX Runtime's quantizer raises for graphs it cannot follow
        raise ExportError(
            f"{source.name} cannot be quantized ({first_line(error)[:200]}); import the folder with its quantized file alone"
        ) from error


def _sources(graphs: Graphs) -> dict[str, Path]:
    """The files to convert, by the variant they become."""
    theirs = INT8 if graphs.full is None else UPSTREAM
    return {variant: path for variant, path in ((FULL, graphs.full), (theirs, graphs.quantized)) if path is not None}


def _names(graphs: Graphs, model: str) -> dict[str, str]:
    variants = dict.fromkeys([*([FULL] if graphs.full else []), INT8, *_sources(graphs)])
    return {variant: f"{model}.{variant}.onnx" for variant in variants}


def _stacking(frontend: Frontend, cmvn: Cmvn) -> dict[str, str]:
    return frontend_metadata(cmvn, lfr_m=frontend.lfr_m, lfr_n=frontend.lfr_n)


def _asr_metadata(asr: AsrFolder, tag_ids: Sequence[int]) -> dict[str, str]:
    norms = {"with_itn": TextNorm.WITHITN, "without_itn": TextNorm.WOITN}
    return {
        "model_type": "sense_voice_small",
        "tag_token_ids": json.dumps(list(tag_ids)),
        "max_frames": str(MAX_FRAMES),
        "vocab_size": str(len(asr.pieces)),
        **{f"lang_{language}": str(row) for language, row in asr.prompt["language"].items()},
        **{key: str(asr.prompt["textnorm"][norm.value]) for key, norm in norms.items()},
    }


def _convert_asr(asr: AsrFolder, source: Path, target: Path, *, tag_ids: Sequence[int], metadata: Mapping[str, str]) -> int:
    """Convert one graph and compare: -> its number of float weights."""
    log.info("converting %s", source)
    features = asr.frontend.features
    probes = probe_asr(source, asr.ports, features=features, tag_ids=tag_ids, vocab_size=len(asr.pieces))
    model = load_graph(source)
    convert_asr(model, asr.ports, features=features, tag_ids=tag_ids, metadata=_labelled(model, target, metadata))
    weights = _float_weights(model)
    save_graph(model, target, external=True)
    del model  # a gigabyte, and the check opens the file again
    check_asr(target, probes, integer=_variant(target) != FULL, precision=_variant(target))
    return weights


def _convert_vad(vad: VadFolder, source: Path, target: Path, *, metadata: Mapping[str, str]) -> int:
    """Convert one graph and compare, with a softmax where its answers are not yet probabilities: -> its number of float weights."""
    log.info("converting %s", source)
    model, features = load_graph(source), vad.frontend.features
    pairs = probe_vad(source, model, features=features)
    softmax = not all((scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1.0, atol=1e-3) for _, scores in pairs)
    units = pairs[0][1].shape[-1]
    convert_vad(model, source, features=features, units=units, softmax=softmax, metadata=_labelled(model, target, metadata))
    save_graph(model, target, external=False)
    expected = [(speech, _softmax(scores) if softmax else scores) for speech, scores in pairs]
    check_vad(target, expected, integer=_variant(target) != FULL, precision=_variant(target))
    return _float_weights(model)


def _softmax(scores: np.ndarray) -> np.ndarray:
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True), np.float32)


def _variant(target: Path) -> str:
    """``asr.int8-upstream.onnx`` -> ``int8-upstream``."""
    return target.name.split(".")[1]


def _labelled(model: onnx.ModelProto, target: Path, metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata of a converted graph; of a quantized one also how many products its makers left in float."""
    if _variant(target) == FULL:
        return dict(metadata)
    return {**metadata, "quantization": "upstream", "float_products": str(dynamic.count_float_products(model.graph))}


def _float_weights(model: onnx.ModelProto) -> int:
    """Float weights of a graph; 0 for a quantized one, which does not tell how many its source had."""
    if any(tensor.data_type in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8) for tensor in model.graph.initializer):
        return 0
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT)
