"""One model of an imported bundle: which graph files it gets of which sources, and what they say about themselves.

Upstream's quantized files are one variant. Where the FP32 file is there too, ``int8`` is our own recipe and theirs becomes the variant
``int8-upstream``; alone, theirs is ``int8``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from engine.errors import first_line
from engine.speech.features import Cmvn
from models.bundle.upstream_layout import frontend_metadata
from models.export.graph_file import ExportError
from models.export.ready_frontend import Frontend
from models.export.ready_made import Graphs
from models.quantize import dynamic

FULL, INT8, UPSTREAM = "fp32", "int8", "int8-upstream"


@dataclass(frozen=True, kw_only=True)
class MadeModel:
    """One model's graphs in a bundle: file name by variant, stacking, and the number of weights (0 where no graph tells)."""

    files: Mapping[str, str]
    frontend: Frontend
    parameters: int


def sources_of(graphs: Graphs) -> dict[str, Path]:
    """The files to convert, by the variant they become."""
    theirs = INT8 if graphs.full is None else UPSTREAM
    return {variant: path for variant, path in ((FULL, graphs.full), (theirs, graphs.quantized)) if path is not None}


def file_names(graphs: Graphs, model: str) -> dict[str, str]:
    """The graph files that a model gets, by variant."""
    variants = dict.fromkeys([*([FULL] if graphs.full else []), INT8, *sources_of(graphs)])
    return {variant: f"{model}.{variant}.onnx" for variant in variants}


def variant_of(target: Path) -> str:
    """``asr.int8-upstream.onnx`` -> ``int8-upstream``."""
    return target.name.split(".")[1]


def stacking(frontend: Frontend, cmvn: Cmvn) -> dict[str, str]:
    """The metadata of a graph about its features."""
    return frontend_metadata(cmvn, lfr_m=frontend.lfr_m, lfr_n=frontend.lfr_n)


def labelled(target: Path, metadata: Mapping[str, str], *, float_products: int) -> dict[str, str]:
    """The metadata of a converted graph; of a quantized one also how many products its makers left in float."""
    if variant_of(target) == FULL:
        return dict(metadata)
    return {**metadata, "quantization": "upstream", "float_products": str(float_products)}


def quantize(source: Path, target: Path, *, external: bool, fused: bool) -> None:
    """Our own INT8 of a converted graph; ExportError where ONNX Runtime's quantizer cannot follow it."""
    try:
        dynamic.quantize(source, target, external=external, fused=fused)
    except (RuntimeError, ValueError) as error:  # what ONNX Runtime's quantizer raises for graphs it cannot follow
        raise ExportError(
            f"{source.name} cannot be quantized ({first_line(error)[:200]}); import the folder with its quantized file alone"
        ) from error


def is_quantized(model: onnx.ModelProto) -> bool:
    """Whether a graph has weights of 8 bits."""
    return any(tensor.data_type in (onnx.TensorProto.UINT8, onnx.TensorProto.INT8) for tensor in model.graph.initializer)
