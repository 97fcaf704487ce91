"""The vocabulary's layer of an exported graph in pieces, so that the logits of all tokens are in memory at no time.

25 055 logits a frame are 50 MB for 30 s of audio, their softmax another 50: a fifth of what lightweight mode took in all. Of each piece
the best token and its share of the piece are kept, which is all that the best token and its share of the whole need:

    share of the whole = share of its piece · (sum of exponentials of the piece) / (sum over all pieces)

The sums are taken relative to the best logit of all, so that nothing overflows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from engine.speech.recognizer import PROMPT_POSITIONS

#: Logits of one piece for ten seconds are 2.8 MB: they stay in the caches of a small processor. The starter's vocabulary is one piece.
PIECE = 4096
LAYER = "ctc.ctc_lo"
_NODE, _WEIGHT = "/network/ctc/ctc_lo", f"network.{LAYER}"
_FIRST, _PROMPT, _ONE, _LAST = "head_first", "head_prompt", "head_one", "head_last"
_COMPARING = ("ArgMax", "TopK")
_PIECE_NUMBER = re.compile(r"^head_(\d+)_logits")


def split_head(model: onnx.ModelProto, *, piece: int = PIECE) -> int:
    """Rewrite the last product of an ASR graph and what follows it, in place: -> the number of pieces.

    A vocabulary of at most ``piece`` tokens stays whole, and so does a graph without our outputs. The weights become
    ``network.ctc.ctc_lo.<n>.weight`` (D, V_n) and ``….bias`` (V_n).
    """
    graph = model.graph
    found = _head_of(graph)
    if found is None:
        return 1
    product, addition = found
    values = {tensor.name: tensor for tensor in graph.initializer}
    weight = numpy_helper.to_array(values[product.input[1]])
    bias_name = next(name for name in addition.input if name in values)
    bias = numpy_helper.to_array(values[bias_name])
    edges = edges_of(len(bias), piece=piece)
    if len(edges) == 2:
        return 1
    tag_ids = next(json.loads(entry.value) for entry in model.metadata_props if entry.key == "tag_token_ids")
    source = product.input[0]
    _remove_after(graph, product, needed=source)
    products: list[onnx.NodeProto] = []
    for index, (start, stop) in enumerate(pairwise(edges)):
        _store(graph, f"{_WEIGHT}.{index}.weight", np.ascontiguousarray(weight[:, start:stop]))
        _store(graph, f"{_WEIGHT}.{index}.bias", bias[start:stop])
        products += float_product(source, index)
    append_head(graph, products, edges=edges, tag_ids=tag_ids)
    return len(edges) - 1


def edges_of(vocab_size: int, *, piece: int = PIECE) -> list[int]:
    """Where the pieces of a vocabulary begin, and where the last one ends."""
    return [*range(0, vocab_size, piece), vocab_size]


def piece_logits(index: int) -> str:
    """The tensor (1, T, V_n) with the logits of a piece."""
    return f"head_{index}_logits"


def append_head(graph: onnx.GraphProto, products: Sequence[onnx.NodeProto], *, edges: Sequence[int], tag_ids: Sequence[int]) -> None:
    """Append the answers of an ASR graph, in place; ``products`` compute :func:`piece_logits` of every piece between two ``edges``."""
    for index, start in enumerate(edges[:-1]):
        _store(graph, f"head_offset_{index}", np.array([start], np.int64))
    for name, value in ((_FIRST, 0), (_PROMPT, PROMPT_POSITIONS), (_ONE, 1), (_LAST, -1)):
        _store(graph, name, np.array([value], np.int64))
    graph.node.extend([*products, *_pieces(len(edges) - 1), *_whole(len(edges) - 1)])
    graph.node.extend(_tags(graph, tag_ids, edges))


def float_product(source: str, index: int) -> list[onnx.NodeProto]:
    """The logits of a piece: the weight's product and the bias."""
    part = f"head_{index}_product"
    return [
        helper.make_node("MatMul", [source, f"{_WEIGHT}.{index}.weight"], [part], name=f"{_NODE}/{index}/MatMul"),
        helper.make_node("Add", [part, f"{_WEIGHT}.{index}.bias"], [piece_logits(index)], name=f"{_NODE}/{index}/Add"),
    ]


def comparisons_of(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """The nodes that find the best tokens of a graph's logits, in the order of the file.

    Empty for a graph without any. Recipes rename and insert nodes; that the comparisons of logits come before every other one stays.
    """
    after: set[str] = set()
    found: list[onnx.NodeProto] = []
    for node in graph.node:
        compares = node.op_type in _COMPARING
        later = any(name in after for name in node.input)
        if compares and not later:
            found.append(node)
        if compares or later:
            after.update(node.output)
    return found


def logits_of(graph: onnx.GraphProto) -> list[str]:
    """The tensors that hold a graph's logits, (B, T, V_n) each, in the order of the vocabulary; empty for one without any."""
    names = list(dict.fromkeys(str(node.input[0]) for node in comparisons_of(graph)))
    numbers = [_PIECE_NUMBER.match(name) for name in names]
    if not all(numbers):
        return names
    # ONNX Runtime writes the nodes of a fused graph in an order of its own.
    return [name for _, name in sorted((int(number.group(1)), name) for number, name in zip(numbers, names, strict=True) if number)]


def _head_of(graph: onnx.GraphProto) -> tuple[onnx.NodeProto, onnx.NodeProto] | None:
    """The product with the vocabulary's weight and the addition of its bias."""
    logits = logits_of(graph)
    producers = {name: node for node in graph.node for name in node.output}
    stored = {tensor.name for tensor in graph.initializer}
    addition = producers.get(logits[0]) if len(logits) == 1 else None
    if addition is None or addition.op_type != "Add":
        return None
    product = next((producers[name] for name in addition.input if name in producers), None)
    if product is None or product.op_type != "MatMul" or product.input[1] not in stored:
        return None
    return product, addition


def _remove_after(graph: onnx.GraphProto, first: onnx.NodeProto, *, needed: str) -> None:
    """Take out a node, everything that comes of it, and what nobody but ``needed`` reads then."""
    gone = set(first.output)
    for node in graph.node:
        if any(name in gone for name in node.input):
            gone.update(node.output)
    kept = [node for node in graph.node if not gone.intersection(node.output)]
    read = {needed}
    alive: list[onnx.NodeProto] = []
    for node in reversed(kept):
        if read.intersection(node.output):
            alive.append(node)
            read.update(node.input)
    del graph.node[:], graph.value_info[:]
    graph.node.extend(reversed(alive))
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in read:
            del graph.initializer[index]


def _store(graph: onnx.GraphProto, name: str, value: NDArray[np.generic]) -> None:
    graph.initializer.append(numpy_helper.from_array(value, name))


def _node(operator: str, inputs: Sequence[str], outputs: Sequence[str], **options: Any) -> onnx.NodeProto:
    return helper.make_node(operator, inputs, outputs, name=f"/head/{outputs[0]}", **options)


def _pieces(count: int) -> list[onnx.NodeProto]:
    """Of each piece: its best logit, that one's number in the vocabulary, and its share of the piece."""
    nodes = []
    for index in range(count):
        part = f"head_{index}"
        nodes += [
            _node("TopK", [piece_logits(index), _ONE], [f"{part}_best", f"{part}_place"], axis=-1),
            _node("Softmax", [piece_logits(index)], [f"{part}_shares"], axis=-1),
            _node("GatherElements", [f"{part}_shares", f"{part}_place"], [f"{part}_share"], axis=-1),
            _node("Add", [f"{part}_place", f"head_offset_{index}"], [f"{part}_id"]),
            _node("Slice", [f"{part}_shares", _FIRST, _PROMPT, _ONE], [f"{part}_prompt"]),
        ]
    return nodes


def _whole(count: int) -> list[onnx.NodeProto]:
    """The best of the pieces' best; ``head_parts`` (1, T, count) is how much of the whole each piece holds."""
    parts = range(count)
    return [
        _node("Concat", [f"head_{index}_best" for index in parts], ["head_bests"], axis=-1),
        _node("Concat", [f"head_{index}_share" for index in parts], ["head_shares"], axis=-1),
        _node("Concat", [f"head_{index}_id" for index in parts], ["head_ids"], axis=-1),
        _node("TopK", ["head_bests", _ONE], ["head_best", "head_piece"], axis=-1),
        _node("GatherElements", ["head_ids", "head_piece"], ["head_id"], axis=-1),
        _node("Squeeze", ["head_id", _LAST], ["head_token"]),
        _node("Cast", ["head_token"], ["token_ids"], to=onnx.TensorProto.INT32),
        _node("Sub", ["head_bests", "head_best"], ["head_behind"]),
        _node("Exp", ["head_behind"], ["head_exponentials"]),
        _node("Div", ["head_exponentials", "head_shares"], ["head_sums"]),
        _node("ReduceSum", ["head_sums", _LAST], ["head_sum"], keepdims=1),
        _node("Log", ["head_sum"], ["head_log_sum"]),
        _node("Neg", ["head_log_sum"], ["head_log_prob"]),
        _node("Squeeze", ["head_log_prob", _LAST], ["log_probs"]),
        _node("Div", ["head_sums", "head_sum"], ["head_parts"]),
        _node("Slice", ["head_parts", _FIRST, _PROMPT, _ONE], ["head_prompt_parts"]),
    ]


def _tags(graph: onnx.GraphProto, tag_ids: Sequence[int], edges: Sequence[int]) -> list[onnx.NodeProto]:
    """The tags' probabilities at the four prompt positions, (1, 4, K), in the order of ``tag_ids``."""
    nodes: list[onnx.NodeProto] = []
    gathered: list[str] = []
    order: list[int] = []
    for index, (start, stop) in enumerate(pairwise(edges)):
        here = [place for place, token in enumerate(tag_ids) if start <= token < stop]
        if not here:
            continue
        order += here
        part = f"head_{index}"
        _store(graph, f"{part}_tag_places", np.array([tag_ids[place] - start for place in here], np.int64))
        _store(graph, f"{part}_number", np.array([index], np.int64))
        nodes += [
            _node("Gather", [f"{part}_prompt", f"{part}_tag_places"], [f"{part}_tags"], axis=2),
            _node("Gather", ["head_prompt_parts", f"{part}_number"], [f"{part}_part"], axis=2),
            _node("Mul", [f"{part}_tags", f"{part}_part"], [f"{part}_tag_probs"]),
        ]
        gathered.append(f"{part}_tag_probs")
    _store(graph, "head_tag_order", np.argsort(order).astype(np.int64))
    return [
        *nodes,
        _node("Concat", gathered, ["head_tag_probs"], axis=2),
        _node("Gather", ["head_tag_probs", "head_tag_order"], ["tag_probs"], axis=2),
    ]
