"""Static INT8: activation ranges are measured beforehand on a calibration set and written into the graph as QDQ pairs.

ONNX Runtime fuses each pair with its MatMul to ``MatMulIntegerToFloat``. The output of a MatMul gets no pair of its own
(``OpTypesToExcludeOutputQuantization``): with one, the fusion does not happen and the graph is slower than dynamic INT8.
Weights are signed, one scale a channel; activations unsigned, one scale a tensor.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np
import onnx
from onnxruntime.quantization import CalibrationMethod as OrtMethod
from onnxruntime.quantization import QuantType
from onnxruntime.quantization.calibrate import TensorData, TensorsData
from onnxruntime.quantization.qdq_quantizer import QDQQuantizer

from models.bundle.variants import Source
from models.export.graph_file import save_graph
from models.jobs.progress import track
from models.quantize.calibration import DEFAULT_CLIPS, CalibrationSet
from models.quantize.dynamic import label_graph, quiet_quantizer
from models.quantize.ranges import CalibrationMethod, activation_ranges
from models.quantize.rules import weight_products
from models.quantize.settings import Count, RecipeOptions

log = logging.getLogger(__name__)

_FEWEST_CLIPS = 300


class StaticOptions(RecipeOptions, frozen=True):
    """How ranges are chosen, and over how many clips."""

    method: CalibrationMethod = CalibrationMethod.PERCENTILE
    percentile: Annotated[float, msgspec.Meta(ge=90, le=100)] = 99.999
    clips: Count = DEFAULT_CLIPS


def write(
    source: Source, folder: Path, variant: str, *, clips: CalibrationSet, options: StaticOptions, keep_float: Collection[str] = ()
) -> Mapping[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`; the record holds the coverage report."""
    if len(clips) < _FEWEST_CLIPS:
        log.warning("calibrating with %d clips; %d or more that sound like your recordings give better ranges", len(clips), _FEWEST_CLIPS)
    for model, graph, external in (("asr", source.asr, True), ("vad", source.vad, False)):
        feeds = clips.asr_feeds() if model == "asr" else clips.vad_feeds()
        tensors = activations_of(graph, keep_float)
        log.info("%s: ranges of %d tensors over %d clips (%s)", graph.name, len(tensors), len(clips), options.method)
        watched = track(feeds, len(clips), f"{graph.name}: ranges")
        ranges = activation_ranges(graph, tensors, watched, method=options.method, percentile=options.percentile)
        quantize(graph, folder / f"{model}.{variant}.onnx", ranges, external=external, keep_float=keep_float)
    return {
        "recipe": "static",
        "method": str(options.method),
        "percentile": options.percentile if options.method is CalibrationMethod.PERCENTILE else None,
        "calibration": clips.coverage(),
        "used_recordings": {"calibration": clips.content_sums()},
    }


def activations_of(graph: Path, keep_float: Collection[str] = ()) -> list[str]:
    """The tensors whose range matters: what flows into each MatMul with a stored weight, each once."""
    nodes = weight_products(onnx.load(str(graph), load_external_data=False).graph)
    return list(dict.fromkeys(node.input[0] for node in nodes if node.op_type == "MatMul" and node.name not in keep_float))


def quantize(
    source: Path,
    target: Path,
    ranges: Mapping[str, tuple[float, float]],
    *,
    external: bool,
    keep_float: Collection[str] = (),
    recipe: str = "static",
) -> None:
    """Write the QDQ version of an FP32 graph whose MatMul inputs keep within ``ranges``."""
    model = onnx.load(str(source))
    known = {info.name for info in (*model.graph.value_info, *model.graph.input)}
    for tensor in ranges:
        if tensor not in known:  # shape inference stops at the fused attention; the quantizer needs to know that these are floats
            model.graph.value_info.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    nodes = [node.name for node in weight_products(model.graph) if node.op_type == "MatMul" and node.name not in keep_float]
    bounds = {
        name: TensorData(lowest=np.array(min(low, 0.0), np.float32), highest=np.array(max(high, 0.0), np.float32))
        for name, (low, high) in ranges.items()
    }
    quantizer = QDQQuantizer(
        model,
        per_channel=True,
        reduce_range=False,
        weight_qType=QuantType.QInt8,
        activation_qType=QuantType.QUInt8,
        tensors_range=TensorsData(OrtMethod.MinMax, bounds),
        nodes_to_quantize=nodes,
        nodes_to_exclude=[],
        op_types_to_quantize=["MatMul"],
        extra_options={"OpTypesToExcludeOutputQuantization": ["MatMul"], "WeightSymmetric": True, "ActivationSymmetric": False},
    )
    with quiet_quantizer():
        quantizer.quantize_model()
    result = quantizer.model.model
    label_graph(result, source, recipe=recipe)
    save_graph(result, target, external=external)
