"""What a published SenseVoice graph holds: its products, norms, memories and embeddings, found by structure.

Exporters name nodes and weights in their own ways, and drop the names of folded ones. What they cannot change is the order of the
network: every product and norm needs what the one before it answers. A SAN-M block is norm, product (q-k-v), product (out), norm, product,
product; after the first group of blocks and after the second comes one norm more; the last product is the vocabulary's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from models.export.graph_file import ExportError
from models.export.lean.graph_source import GraphSource

#: A norm is "n", a product "p".
_NETWORK = re.compile(r"((?:nppnpp)+)n((?:nppnpp)*)np")
_BLOCK_EVENTS = 6
_INTEGER, _FLOAT, _FUSED = "MatMulInteger", "MatMul", "DynamicQuantizeMatMul"
_HEAD_SHAPE = 4  # (batch, frames, heads, size of a head)


class UnmappedGraphError(ExportError):
    """A graph that is not built as SenseVoice is, or that cannot be told to be: it can only be used as it is."""


@dataclass(frozen=True)
class Product:
    """One product with a stored weight (in, out) and its bias.

    ``source`` is the float tensor that is multiplied, ``result`` the float product, with the bias where ``result_has_bias``. ``nodes`` are
    those between the two. ``scale`` and ``zero_point`` are of the weight, None for one in float.
    """

    weight: str
    bias: str | None
    scale: str | None
    zero_point: str | None
    source: str
    result: str
    result_has_bias: bool
    nodes: tuple[onnx.NodeProto, ...] = field(repr=False)

    @property
    def is_integer(self) -> bool:
        """Whether it is computed in integers."""
        return self.scale is not None


@dataclass(frozen=True)
class Norm:
    """One layer norm."""

    weight: str
    bias: str
    epsilon: float


@dataclass(frozen=True)
class Block:
    """One SAN-M block; ``memory`` is the weight of its FSMN memory."""

    norm1: Norm
    qkv: Product
    out: Product
    norm2: Norm
    w_1: Product
    w_2: Product
    memory: str


@dataclass(frozen=True)
class PublishedNetwork:
    """The parts of a SenseVoice graph, named as in its file."""

    embedding: str
    blocks: tuple[Block, ...]
    tp_blocks: tuple[Block, ...]
    after_norm: Norm
    tp_norm: Norm
    head: Product
    heads: int

    @property
    def products(self) -> tuple[Product, ...]:
        """All products with a stored weight."""
        of_blocks = [product for block in (*self.blocks, *self.tp_blocks) for product in (block.qkv, block.out, block.w_1, block.w_2)]
        return (*of_blocks, self.head)


class _Reader:
    """The graph of a file with its values and who makes and reads what."""

    def __init__(self, source: GraphSource) -> None:
        self.source, self.graph = source, source.model.graph
        self.stored = source.stored
        self.producers = {name: node for node in self.graph.node for name in node.output}
        self.readers: dict[str, list[onnx.NodeProto]] = {}
        for node in self.graph.node:
            for name in node.input:
                self.readers.setdefault(name, []).append(node)

    def weight(self, name: str) -> str | None:
        """The stored weight behind a name: equal weights are stored once and passed on by Identity, some through a Cast."""
        while name not in self.stored:
            node = self.producers.get(name)
            if node is None or node.op_type not in ("Identity", "Cast"):
                return None
            name = node.input[0]
        return name

    def values(self, name: str) -> NDArray[Any] | None:
        """The values of a stored weight or of a constant."""
        stored = self.weight(name)
        if stored is not None:
            return self.source.array(stored)
        node = self.producers.get(name)
        if node is None or node.op_type != "Constant":
            return None
        attribute = node.attribute[0]
        return numpy_helper.to_array(attribute.t) if attribute.name == "value" else np.asarray(helper.get_attribute_value(attribute))

    def next(self, name: str, operator: str) -> onnx.NodeProto | None:
        """The first node of a kind that reads a value."""
        return next((node for node in self.readers.get(name, []) if node.op_type == operator), None)

    def vector_beside(self, node: onnx.NodeProto, name: str) -> str | None:
        """The stored vector that a node takes beside a value."""
        found = [self.weight(other) for other in node.input if other != name]
        return next((other for other in found if other is not None and len(self.stored[other].dims) == 1), None)


def products_of(source: GraphSource) -> list[Product]:
    """The products with a stored weight of a graph, in its order; UnmappedGraphError where one cannot be followed."""
    reader = _Reader(source)
    return [product for node in reader.graph.node if (product := _product(reader, node)) is not None]


def read_published(source: GraphSource) -> PublishedNetwork:
    """The parts of a published SenseVoice graph; UnmappedGraphError where it is built in another way."""
    reader = _Reader(source)
    events = list(_events(reader))
    kinds = "".join("n" if isinstance(event, Norm) else "p" for event in events)
    found = _NETWORK.fullmatch(kinds)
    memories = [name for node in reader.graph.node if (name := _memory(reader, node)) is not None]
    if found is None:
        raise UnmappedGraphError(f"{source.path} is not built of SAN-M blocks as SenseVoice is ({_counted(kinds)})")
    first, second = (len(group) // _BLOCK_EVENTS for group in found.groups())
    if len(memories) != first + second:
        raise UnmappedGraphError(f"{source.path} has {len(memories)} FSMN memories for {first + second} blocks")
    blocks = _blocks(events[: first * _BLOCK_EVENTS], memories[:first])
    rest = events[first * _BLOCK_EVENTS :]
    after_norm, tp_norm, head = rest[0], rest[-2], rest[-1]
    if not (isinstance(after_norm, Norm) and isinstance(tp_norm, Norm) and isinstance(head, Product)):
        raise UnmappedGraphError(f"{source.path} is not built of SAN-M blocks as SenseVoice is ({_counted(kinds)})")
    size = reader.stored[blocks[0].out.weight].dims[1]
    return PublishedNetwork(
        embedding=_embedding(reader, features=reader.stored[blocks[0].qkv.weight].dims[0]),
        blocks=blocks,
        tp_blocks=_blocks(rest[1:-2], memories[first:]),
        after_norm=after_norm,
        tp_norm=tp_norm,
        head=head,
        heads=_heads(reader, size=size),
    )


def _counted(kinds: str) -> str:
    return f"{kinds.count('n')} norms, {kinds.count('p')} products with a stored weight"


def _events(reader: _Reader) -> Iterator[Norm | Product]:
    for node in reader.graph.node:
        event = _norm(reader, node) or _product(reader, node)
        if event is not None:
            yield event


def _blocks(events: list[Norm | Product], memories: list[str]) -> tuple[Block, ...]:
    made = []
    for index, memory in enumerate(memories):
        norm1, qkv, out, norm2, w_1, w_2 = events[index * _BLOCK_EVENTS : (index + 1) * _BLOCK_EVENTS]
        if isinstance(norm1, Norm) and isinstance(norm2, Norm) and all(isinstance(one, Product) for one in (qkv, out, w_1, w_2)):
            made.append(Block(norm1, qkv, out, norm2, w_1, w_2, memory))  # type: ignore[arg-type]  # all() tells mypy nothing
    return tuple(made)


def _norm(reader: _Reader, node: onnx.NodeProto) -> Norm | None:
    """A norm that ends in this node: LayerNormalization, or the division by a deviation and what follows it."""
    if node.op_type == "LayerNormalization":
        weight, bias = (reader.weight(name) for name in node.input[1:3])
        epsilon = next((attribute.f for attribute in node.attribute if attribute.name == "epsilon"), 1e-5)
        return None if weight is None or bias is None else Norm(weight, bias, float(epsilon))
    if node.op_type != "Div":
        return None
    root = reader.producers.get(node.input[1])
    scaled = reader.next(node.output[0], "Mul")
    shifted = None if scaled is None else reader.next(scaled.output[0], "Add")
    if root is None or root.op_type != "Sqrt" or scaled is None or shifted is None:
        return None
    weight, bias = reader.vector_beside(scaled, node.output[0]), reader.vector_beside(shifted, scaled.output[0])
    variance = reader.producers.get(root.input[0])
    epsilons = [] if variance is None else [reader.values(name) for name in variance.input]
    epsilon = next((float(value.reshape(-1)[0]) for value in epsilons if value is not None and value.size == 1), None)
    if weight is None or bias is None or epsilon is None:
        raise UnmappedGraphError(f"{reader.source.path}: the norm at {node.name or node.output[0]} cannot be followed")
    return Norm(weight, bias, epsilon)


def _product(reader: _Reader, node: onnx.NodeProto) -> Product | None:
    """The product with a stored weight at a node, if there is one; UnmappedGraphError for a quantized one that cannot be followed."""
    if node.op_type not in (_INTEGER, _FLOAT, _FUSED):
        return None
    weight = reader.weight(node.input[1])
    if weight is None or len(reader.stored[weight].dims) != 2:
        if node.op_type == _FLOAT:
            return None  # of attention
        raise UnmappedGraphError(f"{reader.source.path}: {node.name or node.output[0]} multiplies two activations in integers")
    if node.op_type == _INTEGER:
        return _integer_product(reader, node, weight)
    if node.op_type == _FUSED:
        given = [*node.input[2:], "", "", ""][:3]
        scale, zero_point, bias = (reader.weight(name) if name else None for name in given)
        return Product(weight, bias, scale, zero_point, node.input[0], node.output[0], bias is not None, (node,))
    return Product(weight, _bias(reader, node.output[0]), None, None, node.input[0], node.output[0], False, (node,))


def _integer_product(reader: _Reader, node: onnx.NodeProto, weight: str) -> Product:
    """``DynamicQuantizeLinear → MatMulInteger → Cast → Mul``, as ONNX Runtime's quantize_dynamic writes it."""
    quantize = reader.producers.get(node.input[0])
    cast = reader.next(node.output[0], "Cast")
    scaled = None if cast is None else reader.next(cast.output[0], "Mul")
    factors = [] if scaled is None or cast is None else [reader.producers.get(name) for name in scaled.input if name != cast.output[0]]
    factor = factors[0] if factors else None
    scales = [] if factor is None or factor.op_type != "Mul" else [reader.weight(name) for name in factor.input]
    scale = next((name for name in scales if name is not None), None)
    zero_point = reader.weight(node.input[3]) if len(node.input) > 3 and node.input[3] else None
    if quantize is None or quantize.op_type != "DynamicQuantizeLinear" or cast is None or scaled is None or scale is None:
        raise UnmappedGraphError(f"{reader.source.path}: the product {node.name or node.output[0]} is quantized in another way")
    result = scaled.output[0]
    return Product(weight, _bias(reader, result), scale, zero_point, quantize.input[0], result, False, (node, cast, scaled))


def _bias(reader: _Reader, product: str) -> str | None:
    addition = reader.next(product, "Add")
    return None if addition is None else reader.vector_beside(addition, product)


def _memory(reader: _Reader, node: onnx.NodeProto) -> str | None:
    """The weight (D, 1, K) of a depthwise convolution."""
    weight = reader.weight(node.input[1]) if node.op_type == "Conv" else None
    if weight is None or len(reader.stored[weight].dims) < 3 or reader.stored[weight].dims[1] != 1:
        return None
    return weight


def _embedding(reader: _Reader, *, features: int) -> str:
    for node in reader.graph.node:
        weight = reader.weight(node.input[0]) if node.op_type == "Gather" else None
        if weight is not None and len(reader.stored[weight].dims) == 2 and reader.stored[weight].dims[1] == features:
            return weight
    raise UnmappedGraphError(f"{reader.source.path} looks up no embedding of {features} numbers for its prompt")


def _heads(reader: _Reader, *, size: int) -> int:
    """The heads of attention: the third number of the shape (batch, frames, heads, size of a head) that something is given."""
    for node in reader.graph.node:
        if node.op_type in ("Attention", "MultiHeadAttention"):
            named = {attribute.name: attribute.i for attribute in node.attribute}
            return int(named.get("q_num_heads") or named["num_heads"])
        if node.op_type != "Concat" or len(node.input) != _HEAD_SHAPE or reader.next(node.output[0], "Reshape") is None:
            continue
        value = reader.values(node.input[2])
        heads = int(value.reshape(-1)[0]) if value is not None and value.size == 1 else 0
        if heads > 0 and size % heads == 0:
            return heads
    raise UnmappedGraphError(f"{reader.source.path} does not tell how many heads its attention has")
