"""FP16 for GPUs: the masked graph in half precision, checked for overflow and for equal answers, or refused.

Half precision ends at 65 504, and SAN-M's activations can pass it. Every intermediate value is looked at over the calibration
clips first; the nodes whose values come near the end stay in FP32. Sums over the vocabulary and the softmaxes stay there always.
On a CPU this variant only costs time (ONNX Runtime converts back and forth around every node): it is for ``--device cuda``.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.transformers.float16 import convert_float_to_float16

from models.bundle.variants import Source
from models.export.export import AsrGraph
from models.export.gpu_graph import check_batch, export_batch
from models.export.graph_file import ExportError, open_for_check, save_graph
from models.export.probe import with_outputs
from models.networks.weights import sensevoice_of
from models.quantize.calibration import CalibrationSet
from models.quantize.graph_metadata import metadata_of, set_metadata, tag_ids_of
from models.quantize.settings import Count, RecipeOptions

log = logging.getLogger(__name__)

HALF_MAX = 65_504.0
#: A value that came within a quarter of the end over the calibration clips may pass it tomorrow.
SAFE_MAX = 0.25 * HALF_MAX
#: What half precision is too coarse for: sums over the vocabulary, and the logarithm of a probability near 1.
ALWAYS_FP32 = ("ReduceLogSumExp", "ReduceMax", "Softmax", "ArgMax", "Sub", "Log")
#: How far log probabilities may move. Half precision keeps 11 bits, and a logit of 16 is then known to 1/64.
TOLERANCE = 0.1
CHECK_CLIPS = 12


class Fp16Options(RecipeOptions, frozen=True):
    """How many clips the half-precision graph is compared on."""

    clips: Count = CHECK_CLIPS


def write(source: Source, folder: Path, variant: str, *, clips: CalibrationSet) -> Mapping[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`; the record names what stayed in FP32.

    ExportError where half precision does not give FP32's answers; the bundle then stays as it was.
    """
    asr, vad = folder / f"asr.{variant}.onnx", folder / f"vad.{variant}.onnx"
    network = sensevoice_of(source.asr)
    metadata = metadata_of(source.asr)
    tag_ids = tag_ids_of(metadata)
    export_batch(network, asr, tag_ids=tag_ids, metadata=metadata)
    feeds = [{**feed, "speech_lengths": np.array([feed["speech"].shape[1]], np.int32)} for feed in _first(clips.asr_feeds())]
    expected = [open_for_check(asr).run(["token_ids", "log_probs", "tag_probs"], feed) for feed in feeds]
    kept = risky_nodes(asr, feeds)
    convert(asr, asr, kept=kept, external=True)
    worst = _compare(asr, feeds, expected)
    check_batch(AsrGraph(network, tag_ids).eval(), asr, tolerance=TOLERANCE)
    vad_feeds = _first(clips.vad_feeds())
    convert(source.vad, vad, kept=risky_nodes(source.vad, vad_feeds), external=False)
    vad_worst = _compare_vad(vad, source.vad, vad_feeds)
    log.info("fp16 equals fp32 to %.1e (ASR, log probability) and %.1e (VAD, probability)", worst, vad_worst)
    return {"recipe": "fp16", "kept_in_fp32": sorted(kept), "worst_log_probability": worst, "worst_vad_probability": vad_worst}


def _first(feeds: Any) -> list[dict[str, NDArray[Any]]]:
    return [feed for feed, _ in zip(feeds, range(CHECK_CLIPS), strict=False)]


def risky_nodes(graph: Path, feeds: Collection[Mapping[str, NDArray[Any]]]) -> list[str]:
    """Names of the nodes that produced or received a value beyond :data:`SAFE_MAX` on any clip."""
    model = onnx.load(str(graph), load_external_data=False).graph
    tensors = _float_tensors(model)
    largest = dict.fromkeys(tensors, 0.0)
    with with_outputs(graph, tensors) as path:
        session = open_for_check(path)
        for feed in feeds:
            for name, value in zip(tensors, session.run(tensors, dict(feed)), strict=True):
                largest[name] = max(largest[name], float(np.abs(value).max(initial=0.0)))
        del session
    beyond = {name for name, value in largest.items() if not value <= SAFE_MAX}
    risky = [node.name for node in model.node if beyond & {*node.input, *node.output}]
    if risky:
        top = max(beyond, key=lambda name: largest[name])
        log.warning("%s: %d nodes stay in FP32, %s reaches %.0f", graph.name, len(risky), top, largest[top])
    return risky


def _float_tensors(graph: onnx.GraphProto) -> list[str]:
    """What the arithmetic nodes answer in float; the same operators also count lengths, in whole numbers."""
    floats = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    floats |= {entry.name for entry in graph.input if entry.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    found = []
    for node in graph.node:
        if floats & set(node.input) and node.op_type not in _WHOLE_NUMBERS:
            floats |= set(node.output)
            if node.op_type in _FLOAT_OPERATORS:
                found.append(node.output[0])
    return found


_WHOLE_NUMBERS = ("Shape", "ArgMax")
_FLOAT_OPERATORS = ("MatMul", "Add", "Mul", "Conv", "LayerNormalization", "MultiHeadAttention", "Relu")


def convert(source: Path, target: Path, *, kept: Collection[str], external: bool) -> None:
    """Write the half-precision version of a graph; inputs and outputs stay float32."""
    model = onnx.load(str(source))
    _detach_outputs(model.graph)
    converted = convert_float_to_float16(
        model, keep_io_types=True, disable_shape_infer=True, op_block_list=list(ALWAYS_FP32), node_block_list=list(kept)
    )
    set_metadata(converted, {**metadata_of(source), "quantization": "fp16"})
    save_graph(converted, target, external=external)


def _detach_outputs(graph: onnx.GraphProto) -> None:
    """Put an Identity between a node that stays in FP32 and the output it feeds: the converter mistypes such outputs without it."""
    answered = {output.name for output in graph.output}
    for node in list(graph.node):
        for index, name in enumerate(node.output):
            if node.op_type in ALWAYS_FP32 and name in answered:
                node.output[index] = f"{name}_fp32"
                graph.node.append(onnx.helper.make_node("Identity", [f"{name}_fp32"], [name], name=f"/{name}/Identity"))


def _compare(graph: Path, feeds: list[dict[str, NDArray[Any]]], expected: list[list[NDArray[Any]]]) -> float:
    """The worst change of a log probability; ExportError if a clear decision changed or a value is not finite."""
    session, worst = open_for_check(graph), 0.0
    for number, (feed, (ids, log_probs, tags)) in enumerate(zip(feeds, expected, strict=True), start=1):
        got_ids, got_log_probs, got_tags = session.run(["token_ids", "log_probs", "tag_probs"], feed)
        if not (np.isfinite(got_log_probs).all() and np.isfinite(got_tags).all()):
            raise ExportError(f"{graph.name}: clip {number} is not finite in half precision; use fp32-batch on this GPU")
        clear = log_probs > np.log(0.5 + TOLERANCE)  # the best of all tokens has more than half: no near-tie
        if not np.array_equal(got_ids[clear], ids[clear]):
            raise ExportError(f"{graph.name}: clip {number} is read differently in half precision; use fp32-batch on this GPU")
        worst = max(worst, float(np.abs(got_log_probs - log_probs).max()), float(np.abs(got_tags - tags).max()))
    if worst > TOLERANCE:
        raise ExportError(f"{graph.name}: a log probability moved by {worst:.3f} (limit {TOLERANCE}); use fp32-batch on this GPU")
    return worst


def _compare_vad(graph: Path, source: Path, feeds: list[dict[str, NDArray[Any]]]) -> float:
    half, full, worst = open_for_check(graph), open_for_check(source), 0.0
    for feed in feeds:
        worst = max(worst, float(np.abs(half.run(["probs"], feed)[0] - full.run(["probs"], feed)[0]).max()))
    if not worst <= TOLERANCE:
        raise ExportError(f"{graph.name}: a probability moved by {worst:.3f} in half precision (limit {TOLERANCE}); use fp32 for VAD")
    return worst
