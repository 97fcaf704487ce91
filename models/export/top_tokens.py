"""The likeliest tokens of every frame, for a beam search: outputs of an ASR graph that cost nothing until somebody asks for them.

ONNX Runtime computes every node, also those whose outputs nobody fetches: ``only_execute_path_to_fetches`` does nothing in the released
builds, as an operator profile of 1.31.1 shows. So how many are wanted is an input with a default::

    top_k (1,) int64 -> top_ids (B, P, top_k) int32, top_log_probs (B, P, top_k) float32, the likeliest first

Not fed, it is what the graph needs anyway: 1 where ``TopK`` finds the best token, and that very operator finds the others when they are
asked for; 0 beside an ``ArgMax``, where ``TopK`` then returns before it looks at a logit. A reader that does not know the input feeds
nothing, and gets what it got before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.export.cpu_graph.head import comparisons_of

TOP_K, TOP_IDS, TOP_LOG_PROBS = "top_k", "top_ids", "top_log_probs"
#: From this opset on the axes of Unsqueeze are an input (https://onnx.ai/onnx/operators/onnx__Unsqueeze.html).
_AXES_AS_INPUT_OPSET = 13
_OWN = "/top/"
#: The input behind an operator: shape inference of the ``onnx`` package takes the default of an input for a constant.
_COUNT = f"{_OWN}count"


def add_top_tokens(model: onnx.ModelProto) -> bool:
    """Add the input and the outputs to a graph that answers ``token_ids`` and ``log_probs``, in place: -> whether it has logits."""
    graph = model.graph
    found = comparisons_of(graph)
    if not found:
        return False
    shared = all(node.op_type == "TopK" for node in found)
    _store(graph, TOP_K, [int(shared)])
    graph.input.append(helper.make_tensor_value_info(TOP_K, TensorProto.INT64, [1]))
    for name, value in (("zero", [0]), ("one", [1]), ("last", [-1])):
        _store(graph, f"{_OWN}{name}", value)
    graph.node.insert(0, _node("Abs", [TOP_K], [_COUNT]))
    parts = _widen(graph, found) if shared else _add_search(graph, found[0].input[0])
    ids, values = _best_of(graph, parts)
    opset = max(entry.version for entry in model.opset_import if entry.domain in ("", "ai.onnx"))
    unsqueezed = f"{_OWN}log_prob"
    graph.node.extend(
        [
            _node("Cast", [ids], [TOP_IDS], to=TensorProto.INT32),
            _node("Slice", [values, f"{_OWN}zero", f"{_OWN}one", f"{_OWN}last"], [f"{_OWN}best"]),
            _node("Sub", [values, f"{_OWN}best"], [f"{_OWN}behind"]),
            _node("Unsqueeze", ["log_probs", f"{_OWN}last"], [unsqueezed])
            if opset >= _AXES_AS_INPUT_OPSET
            else _node("Unsqueeze", ["log_probs"], [unsqueezed], axes=[-1]),
            _node("Add", [f"{_OWN}behind", unsqueezed], [TOP_LOG_PROBS]),
        ]
    )
    known = next(output for output in graph.output if output.name == "log_probs").type.tensor_type.shape.dim
    shape: list[int | str] = [*(dim.dim_param or dim.dim_value for dim in known), TOP_K]
    graph.output.append(helper.make_tensor_value_info(TOP_IDS, TensorProto.INT32, shape))
    graph.output.append(helper.make_tensor_value_info(TOP_LOG_PROBS, TensorProto.FLOAT, shape))
    return True


def _widen(graph: onnx.GraphProto, searches: Sequence[onnx.NodeProto]) -> list[tuple[str, str]]:
    """Let the graph's own TopK nodes find ``top_k`` tokens, and hand the first to whoever read it before: -> names of ids and logits."""
    parts, nodes, offset = [], [], 0
    wanted = {id(node): index for index, node in enumerate(searches)}
    for node in graph.node:
        nodes.append(node)
        index = wanted.get(id(node))
        if index is None:
            continue
        part = f"{_OWN}{index}_"
        if len(searches) > 1:  # a piece of the vocabulary may hold fewer tokens than are wanted
            size = _tokens_of(graph, node.input[0])
            _store(graph, f"{part}size", [size])
            _store(graph, f"{part}offset", [offset])
            offset += size
            nodes.insert(-1, _node("Min", [_COUNT, f"{part}size"], [f"{part}count"]))
        node.input[1] = _COUNT if len(searches) == 1 else f"{part}count"
        for place, kind in enumerate(("values", "places")):
            first, node.output[place] = node.output[place], f"{part}{kind}"
            nodes.append(_node("Slice", [f"{part}{kind}", f"{_OWN}zero", f"{_OWN}one", f"{_OWN}last"], [first]))
        if len(searches) > 1:
            nodes.append(_node("Add", [f"{part}places", f"{part}offset"], [f"{part}ids"]))
        parts.append((f"{part}ids" if len(searches) > 1 else f"{part}places", f"{part}values"))
    kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(kept)
    return parts


def _add_search(graph: onnx.GraphProto, logits: str) -> list[tuple[str, str]]:
    values, places = f"{_OWN}0_values", f"{_OWN}0_places"
    graph.node.append(_node("TopK", [logits, _COUNT], [values, places], axis=-1))
    return [(places, values)]


def _best_of(graph: onnx.GraphProto, parts: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """The best of the parts' best: -> the names of their ids and of their logits, the best first."""
    if len(parts) == 1:
        return parts[0]
    graph.node.extend(
        [
            _node("Concat", [ids for ids, _ in parts], [f"{_OWN}all_ids"], axis=-1),
            _node("Concat", [values for _, values in parts], [f"{_OWN}all_values"], axis=-1),
            _node("TopK", [f"{_OWN}all_values", _COUNT], [f"{_OWN}values", f"{_OWN}places"], axis=-1),
            _node("GatherElements", [f"{_OWN}all_ids", f"{_OWN}places"], [f"{_OWN}ids"], axis=-1),
        ]
    )
    return f"{_OWN}ids", f"{_OWN}values"


def _tokens_of(graph: onnx.GraphProto, logits: str) -> int:
    """The tokens of a piece of the vocabulary: the length of the bias that was added to it."""
    producer = next(node for node in graph.node if logits in node.output)  # the addition, or a quantized product that adds the bias itself
    vectors = (tensor for tensor in graph.initializer if tensor.name in producer.input and len(tensor.dims) == 1)
    return max(int(vector.dims[0]) for vector in vectors)


def _store(graph: onnx.GraphProto, name: str, values: Sequence[int]) -> None:
    graph.initializer.append(numpy_helper.from_array(np.array(values, np.int64), name))


def _node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **options: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, outputs, name=f"{_OWN}{operator}/{outputs[0].removeprefix(_OWN)}", **options)
