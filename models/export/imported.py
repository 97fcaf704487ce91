"""A ready-made SenseVoice → graph files of a bundle, each compared with its source.

A graph that is built as SenseVoice is becomes our CPU graph (``models.export.lean``), with its own weights to the last bit. Any other one
is used as it is, with the bundle's inputs and outputs around it (``models.export.logits_graph``).
"""

from __future__ import annotations

import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx

from engine.runtime.session import release_memory
from engine.tags import TAG_POSITIONS, TextNorm, piece_of
from models.export.graph_file import DifferentAnswersError, ExportError, save_graph, write_types
from models.export.large_blocks import return_large_blocks
from models.export.lean.float_activations import write_with_float_activations
from models.export.lean.graph_source import GraphSource
from models.export.lean.lean_graph import write_lean_graph
from models.export.lean.published_network import UnmappedGraphError, read_published
from models.export.lean.signed_weights import sign_weights
from models.export.logits_graph import MAX_FRAMES, convert_asr
from models.export.made_model import FULL, INT8, MadeModel, file_names, is_quantized, labelled, quantize, sources_of, stacking, variant_of
from models.export.parity import FLOAT_LENGTHS, Probe, check_asr, check_runs, check_without_rounding, open_source, probe_asr
from models.export.ready_made import AsrFolder
from models.quantize import dynamic

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class _Conversion:
    """What the conversion of every graph of a folder needs."""

    asr: AsrFolder
    tag_ids: Sequence[int]
    metadata: Mapping[str, str]

    def probes(self, path: Path, *, named: Path, without_rounding: bool = False) -> list[Probe]:
        """What a source graph answers to random features; errors call it ``named``."""
        found = probe_asr(
            open_source(path, named=named, optimized=not without_rounding),
            self.asr.ports,
            named=named,
            features=self.asr.frontend.features,
            tag_ids=self.tag_ids,
            vocab_size=len(self.asr.pieces),
            lengths=FLOAT_LENGTHS if without_rounding else None,
        )
        release_memory()
        return found


def make_asr(asr: AsrFolder, staging: Path) -> MadeModel:
    """Write a ready-made SenseVoice's graphs and ``asr.mvn`` into ``staging``; ExportError where one differs from its source."""
    ids = {piece: index for index, piece in enumerate(asr.pieces)}
    tag_ids = [ids[piece_of(tag)] for family in TAG_POSITIONS for tag in family if piece_of(tag) in ids]
    if not tag_ids:
        raise ExportError(f"{asr.folder}: none of its {len(asr.pieces)} tokens is a tag (<|en|>, <|HAPPY|>, …); they are another model's")
    cmvn = asr.frontend.write_cmvn(staging / "asr.mvn")
    conversion = _Conversion(asr=asr, tag_ids=tag_ids, metadata=stacking(asr.frontend, cmvn) | _metadata(asr, tag_ids))
    files, parameters, lean = file_names(asr.graphs, "asr"), 0, True
    for variant, path in sources_of(asr.graphs).items():
        made, weights = _convert(conversion, path, staging / files[variant])
        parameters, lean = max(parameters, weights), lean and made
    if FULL in files:
        # Other tools look for the products one by one in graphs that came from elsewhere.
        quantize(staging / files[FULL], staging / files[INT8], external=True, fused=lean)
        _check_runs(asr, staging / files[INT8], frames=50)
    return MadeModel(files=files, frontend=asr.frontend, parameters=parameters)


def _check_runs(asr: AsrFolder, path: Path, *, frames: int) -> None:
    speech = np.random.default_rng(9527).standard_normal((1, frames, asr.frontend.features), np.float32)
    feeds = {"speech": speech, "language": np.zeros(1, np.int32), "textnorm": np.full(1, asr.prompt["textnorm"]["woitn"], np.int32)}
    check_runs(path, feeds, model="asr", precision=variant_of(path))


def _metadata(asr: AsrFolder, tag_ids: Sequence[int]) -> dict[str, str]:
    norms = {"with_itn": TextNorm.WITHITN, "without_itn": TextNorm.WOITN}
    return {
        "model_type": "sense_voice_small",
        "tag_token_ids": json.dumps(list(tag_ids)),
        "max_frames": str(MAX_FRAMES),
        "vocab_size": str(len(asr.pieces)),
        **{f"lang_{language}": str(row) for language, row in asr.prompt["language"].items()},
        **{key: str(asr.prompt["textnorm"][norm.value]) for key, norm in norms.items()},
    }


def _convert(conversion: _Conversion, path: Path, target: Path) -> tuple[bool, int]:
    """Convert one graph and compare: -> (whether it is our CPU graph now, its number of weights where it tells)."""
    log.info("converting %s", path)
    return_large_blocks()
    source = GraphSource.open(path)
    if variant_of(target) != FULL and not is_quantized(source.model):
        raise ExportError(f"{path} says that it is quantized and has its weights in float; fetch it again")
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        runnable = source.runnable(Path(place))
        try:
            return True, _rewrite(conversion, source, runnable, target, Path(place))
        except (UnmappedGraphError, DifferentAnswersError) as error:
            log.warning("%s; its graph is used as it is, which is slower", error)
        return False, _wrap(conversion, source, runnable, target)


def _rewrite(conversion: _Conversion, source: GraphSource, runnable: Path, target: Path, place: Path) -> int:
    """Write our CPU graph with a source's weights, and compare without rounding: -> its number of weights."""
    network = read_published(source)
    floats = sum(not product.is_integer for product in network.products)
    metadata = labelled(target, conversion.metadata, float_products=floats)
    weights = write_lean_graph(source, network, target, tag_ids=conversion.tag_ids, metadata=metadata)
    if variant_of(target) == FULL:
        write_types(target)
        check_asr(target, conversion.probes(runnable, named=source.path), integer=False, precision=FULL)
        return weights
    theirs = write_with_float_activations(source, place / "theirs")
    probes = conversion.probes(theirs, named=source.path, without_rounding=True)
    check_without_rounding(write_with_float_activations(GraphSource.open(target), place / "ours"), probes, of=target)
    _check_runs(conversion.asr, target, frames=MAX_FRAMES)
    return weights


def _wrap(conversion: _Conversion, source: GraphSource, runnable: Path, target: Path) -> int:
    """Write a source's own graph with the bundle's inputs and outputs, and compare: -> its number of float weights."""
    asr, probes, model = conversion.asr, conversion.probes(runnable, named=source.path), source.whole()
    products = dynamic.count_float_products(model.graph)
    metadata = labelled(target, conversion.metadata, float_products=products)
    convert_asr(model, asr.ports, features=asr.frontend.features, tag_ids=conversion.tag_ids, metadata=metadata)
    sign_weights(model)
    weights = float_weights(model)
    save_graph(model, target, external=True)
    del model  # a gigabyte, and the check opens the file again
    check_asr(target, probes, integer=variant_of(target) != FULL, precision=variant_of(target))
    return weights


def float_weights(model: onnx.ModelProto) -> int:
    """Float weights of a graph; 0 for a quantized one, which does not tell how many its source had."""
    if is_quantized(model):
        return 0
    return sum(int(np.prod(tensor.dims)) for tensor in model.graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT)
