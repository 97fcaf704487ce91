"""Ready-made ONNX graphs → graphs that keep the bundle contract; ``models.export.parity`` compares the two.

FunASR's and sherpa-onnx's SenseVoice answer with logits and want the length of the features as an input; FunASR's FSMN-VAD
comes with caches or without. Nothing inside a graph is touched: its inputs become values computed in front of it, and arg-max,
log-probability and tag probabilities (as in :class:`models.export.export.AsrGraph`) are appended behind its logits. Operators are
written for the graph's own opset.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from engine.speech.recognizer import PROMPT_POSITIONS
from models.export.graph_file import ExportError, lift_constants
from models.export.top_tokens import add_top_tokens

#: Frames that an imported graph is stated to reach, and is run at: as many as the network's position table gives our own.
MAX_FRAMES = 1024 - PROMPT_POSITIONS
LOWEST_OPSET = 11
#: From this opset on, reductions take their axes as an input (https://onnx.ai/onnx/operators/onnx__ReduceMax.html).
AXES_AS_INPUT_OPSET = 18
OWN = "lightvoice::"


@dataclass(frozen=True, kw_only=True)
class Ports:
    """What a ready-made ASR graph calls its inputs; the first output holds the logits."""

    speech: str
    lengths: str
    language: str
    textnorm: str

    @property
    def names(self) -> tuple[str, str, str, str]:
        """All four, in the order of the graph."""
        return self.speech, self.lengths, self.language, self.textnorm


#: FunASR's exporter (``funasr/models/sense_voice/export_meta.py``).
FUNASR = Ports(speech="speech", lengths="speech_lengths", language="language", textnorm="textnorm")
#: sherpa-onnx's exporter (``scripts/sense-voice/export-onnx.py``).
SHERPA = Ports(speech="x", lengths="x_length", language="language", textnorm="text_norm")


def inputs_of(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    """The inputs a graph must be fed, by name (old files list their weights among the inputs too)."""
    weights = {tensor.name for tensor in model.graph.initializer}
    return {entry.name: entry for entry in model.graph.input if entry.name not in weights}


def metadata_of(model: onnx.ModelProto) -> dict[str, str]:
    """What a graph says about itself."""
    return {entry.key: entry.value for entry in model.metadata_props}


def ports_of(model: onnx.ModelProto) -> Ports | None:
    """Which exporter's SenseVoice graph this is, by its inputs; None if it is neither's."""
    names = set(inputs_of(model))
    return next((ports for ports in (FUNASR, SHERPA) if set(ports.names) == names), None)


def feature_size(model: onnx.ModelProto, *, name: str) -> int:
    """Features a frame, the last dimension of an input; 0 where the graph leaves it open."""
    dims = inputs_of(model)[name].type.tensor_type.shape.dim
    return dims[-1].dim_value if dims else 0


def convert_asr(model: onnx.ModelProto, ports: Ports, *, features: int, tag_ids: Sequence[int], metadata: Mapping[str, str]) -> None:
    """Give a logits graph the inputs and outputs of a bundle's ASR graph, in place; its first output must be the logits."""
    graph, inputs = model.graph, inputs_of(model)
    opset = _opset(model)
    logits = graph.output[0].name
    contract = {"speech": TensorProto.FLOAT, "language": TensorProto.INT32, "textnorm": TensorProto.INT32}
    front = [
        helper.make_node("Shape", ["speech"], [f"{OWN}shape"]),
        helper.make_node("Gather", [f"{OWN}shape", f"{OWN}one"], [f"{OWN}frames"], axis=0),
    ]
    for own, name in zip(("speech", f"{OWN}frames", "language", "textnorm"), ports.names, strict=True):
        inner, kind = f"{OWN}{name}", inputs[name].type.tensor_type.elem_type
        _rename(graph, name, inner)
        front.append(helper.make_node("Cast", [own], [inner], to=kind))
    nodes = [*front, *graph.node, *_tail(logits, opset=opset)]
    graph.initializer.extend(
        [
            numpy_helper.from_array(np.array([1], np.int64), f"{OWN}one"),
            numpy_helper.from_array(np.array([0], np.int64), f"{OWN}start"),
            numpy_helper.from_array(np.array([PROMPT_POSITIONS], np.int64), f"{OWN}stop"),
            numpy_helper.from_array(np.array([-1], np.int64), f"{OWN}last"),
            numpy_helper.from_array(np.array(tag_ids, np.int64), f"{OWN}tag_ids"),
        ]
    )
    shapes: dict[str, list[int | str]] = {"speech": [1, "frames", features], "language": [1], "textnorm": [1]}
    _replace_ports(
        graph,
        nodes,
        inputs=[helper.make_tensor_value_info(name, kind, shapes[name]) for name, kind in contract.items()],
        outputs=[
            helper.make_tensor_value_info("token_ids", TensorProto.INT32, [1, "positions"]),
            helper.make_tensor_value_info("log_probs", TensorProto.FLOAT, [1, "positions"]),
            helper.make_tensor_value_info("tag_probs", TensorProto.FLOAT, [1, PROMPT_POSITIONS, len(tag_ids)]),
        ],
    )
    add_top_tokens(model)
    _finish(model, metadata)


def _tail(logits: str, *, opset: int) -> list[onnx.NodeProto]:
    """Logits (1, P, V) -> token_ids (1, P), log_probs (1, P) = max - logsumexp, tag_probs (1, 4, K)."""
    return [
        helper.make_node("ArgMax", [logits], [f"{OWN}best"], axis=-1, keepdims=0),
        helper.make_node("Cast", [f"{OWN}best"], ["token_ids"], to=TensorProto.INT32),
        helper.make_node("Softmax", [logits], [f"{OWN}shares"], axis=-1),
        _reduce("ReduceMax", f"{OWN}shares", f"{OWN}top", opset=opset),
        helper.make_node("Log", [f"{OWN}top"], ["log_probs"]),
        helper.make_node("Slice", [f"{OWN}shares", f"{OWN}start", f"{OWN}stop", f"{OWN}one"], [f"{OWN}head"]),
        helper.make_node("Gather", [f"{OWN}head", f"{OWN}tag_ids"], ["tag_probs"], axis=2),
    ]


def _reduce(operator: str, source: str, target: str, *, opset: int) -> onnx.NodeProto:
    if opset >= AXES_AS_INPUT_OPSET:
        return helper.make_node(operator, [source, f"{OWN}last"], [target], keepdims=0)
    return helper.make_node(operator, [source], [target], axes=[-1], keepdims=0)


def convert_vad(model: onnx.ModelProto, path: Path, *, features: int, units: int, softmax: bool, metadata: Mapping[str, str]) -> None:
    """Give a ready-made FSMN-VAD graph the ports of a bundle's, in place: ``speech`` (1, T, F) -> ``probs`` (1, T, U).

    Caches become empty ones inside the graph; ``softmax`` appends the softmax that a graph of scores lacks.
    """
    graph = model.graph
    name, caches = vad_inputs(model, path)
    _opset(model)
    graph.initializer.extend(numpy_helper.from_array(value, cache) for cache, value in caches.items())
    _rename(graph, name, f"{OWN}{name}")
    front = helper.make_node("Identity", ["speech"], [f"{OWN}{name}"])
    scores = graph.output[0].name
    last = helper.make_node("Softmax", [scores], ["probs"], axis=-1) if softmax else helper.make_node("Identity", [scores], ["probs"])
    _replace_ports(
        graph,
        [front, *graph.node, last],
        inputs=[helper.make_tensor_value_info("speech", TensorProto.FLOAT, [1, "frames", features])],
        outputs=[helper.make_tensor_value_info("probs", TensorProto.FLOAT, [1, "frames", units])],
    )
    _finish(model, metadata)


def vad_inputs(model: onnx.ModelProto, path: Path) -> tuple[str, dict[str, NDArray[np.float32]]]:
    """The name of the features' input, and empty caches for the others."""
    inputs = inputs_of(model)
    features = [name for name in inputs if not name.startswith("in_cache")]
    if len(features) != 1:
        raise ExportError(f"{path} takes the inputs {', '.join(inputs)}; FSMN-VAD takes speech, and in_cache0 to in_cache3 at most")
    caches = {}
    for name in set(inputs) - set(features):
        shape = [dim.dim_value for dim in inputs[name].type.tensor_type.shape.dim]
        if not all(shape):
            raise ExportError(f"{path} leaves the shape of its input {name} open; export FSMN-VAD with a batch of one")
        caches[name] = np.zeros(shape, np.float32)
    return features[0], dict(sorted(caches.items()))


def _opset(model: onnx.ModelProto) -> int:
    opset = max((entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx")), default=0)
    if opset < LOWEST_OPSET:
        raise ExportError(f"the graph is of opset {opset}; {LOWEST_OPSET} or newer can be converted, so fetch a newer export")
    return opset


def _rename(graph: onnx.GraphProto, old: str, new: str) -> None:
    """Let every reader of a value read it under another name, readers inside branches and loops too."""
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == old:
                node.input[place] = new
        for attribute in node.attribute:
            for inner in [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]:
                _rename(inner, old, new)


def _replace_ports(
    graph: onnx.GraphProto,
    nodes: Sequence[onnx.NodeProto],
    *,
    inputs: Sequence[onnx.ValueInfoProto],
    outputs: Sequence[onnx.ValueInfoProto],
) -> None:
    kept = list(nodes)
    graph.value_info.extend(graph.output)  # known types stay known: the quantizer asks for those behind contrib operators
    for field, values in ((graph.node, kept), (graph.input, inputs), (graph.output, outputs)):
        del field[:]
        field.extend(values)


def _finish(model: onnx.ModelProto, metadata: Mapping[str, str]) -> None:
    model.ir_version = max(model.ir_version, 8)  # older files list their weights among the inputs
    model.producer_name = "lightvoice"
    del model.metadata_props[:]
    helper.set_model_props(model, dict(metadata))
    lift_constants(model)
