"""Which operators an ONNX file holds, read from its bytes: proof that a file called INT8 multiplies in integers.

Reads the protobuf wire format (https://protobuf.dev/programming-guides/encoding/) of ModelProto → GraphProto → NodeProto
and skips every weight, so that a 250 MB file costs milliseconds and the ``onnx`` package is not needed at runtime.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.errors import GraphContractError

INTEGER_PRODUCTS = frozenset(
    {"MatMulInteger", "DynamicQuantizeMatMul", "MatMulIntegerToFloat", "QLinearMatMul", "QGemm", "QAttention", "ConvInteger", "QLinearConv"}
)
FLOAT_PRODUCTS = frozenset({"MatMul", "Gemm", "FusedMatMul"})

# Field numbers of onnx.proto
_MODEL_GRAPH, _MODEL_METADATA = 7, 14
_ENTRY_KEY, _ENTRY_VALUE = 1, 2
_GRAPH_NODE, _GRAPH_INITIALIZER = 1, 5
_NODE_INPUT, _NODE_OUTPUT, _NODE_TYPE = 1, 2, 4
_TENSOR_NAME = 8
_CONTINUES, _LAST_SHIFT = 0x80, 63
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class ProductCount:
    """Matrix products with weights: how many run in integers, how many in float, how many of those the file means to be so."""

    integer: int
    floating: int
    meant_floating: int = 0


def _varint(data: mmap.mmap, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        value |= (byte % _CONTINUES) << shift
        place += 1
        if byte < _CONTINUES:
            return value, place
        shift += 7
        if shift > _LAST_SHIFT:
            raise IndexError("varint too long")


def _fields(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int, int]]:
    """The length-delimited fields of a message: (field number, start, end); others are stepped over."""
    place = start
    while place < end:
        key, place = _varint(data, place)
        kind = key & 7
        if kind == _VARINT:
            _, place = _varint(data, place)
        elif kind == _FIXED64:
            place += 8
        elif kind == _FIXED32:
            place += 4
        elif kind == _BYTES:
            length, place = _varint(data, place)
            if place + length > end:
                raise IndexError("field runs past its message")
            yield key >> 3, place, place + length
            place += length
        else:
            raise IndexError(f"wire type {kind}")


def count_products(path: Path) -> ProductCount:
    """Count the weight products of an ONNX file; GraphContractError if it is no ONNX file.

    A dynamic Q·Kᵀ (two activations) is no weight product. A float weight is an initializer, a Cast of one, or the output of
    DequantizeLinear, which the runtime fuses with its product into an integer one when it can: those count as integer.
    A mixed-precision file states in its metadata (``float_products``) how many it keeps in float on purpose.
    """
    try:
        with path.open("rb") as handle, mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ) as data:
            nodes, weights = _read_graph(data)
            meant = int(_read_metadata(data).get("float_products", "0"))
    except (IndexError, ValueError, UnicodeDecodeError) as error:
        raise GraphContractError(path=path, reason=f"it is no readable ONNX file ({error})") from error
    weights |= {output for kind, inputs, outputs in nodes if kind == "Cast" and weights.issuperset(inputs) for output in outputs}
    dequantized = {output for kind, _, outputs in nodes if kind == "DequantizeLinear" for output in outputs}
    integer = floating = 0
    for kind, inputs, _ in nodes:
        if kind in INTEGER_PRODUCTS:
            integer += 1
        elif kind in FLOAT_PRODUCTS and len(inputs) > 1:
            integer += inputs[1] in dequantized and inputs[0] in dequantized
            floating += inputs[1] in weights or (inputs[1] in dequantized and inputs[0] not in dequantized)
    return ProductCount(integer=integer, floating=floating, meant_floating=meant)


def _read_graph(data: mmap.mmap) -> tuple[list[tuple[str, list[str], list[str]]], set[str]]:
    nodes: list[tuple[str, list[str], list[str]]] = []
    weights: set[str] = set()
    for number, start, end in _fields(data, 0, len(data)):
        if number != _MODEL_GRAPH:
            continue
        for inner, begin, stop in _fields(data, start, end):
            if inner == _GRAPH_NODE:
                nodes.append(_read_node(data, begin, stop))
            elif inner == _GRAPH_INITIALIZER:
                weights |= {data[a:b].decode() for field, a, b in _fields(data, begin, stop) if field == _TENSOR_NAME}
    return nodes, weights


def _read_metadata(data: mmap.mmap) -> dict[str, str]:
    entries = {}
    for number, start, end in _fields(data, 0, len(data)):
        if number == _MODEL_METADATA:
            parts = {field: data[a:b].decode() for field, a, b in _fields(data, start, end)}
            entries[parts.get(_ENTRY_KEY, "")] = parts.get(_ENTRY_VALUE, "")
    return entries


def _read_node(data: mmap.mmap, start: int, end: int) -> tuple[str, list[str], list[str]]:
    kind, inputs, outputs = "", [], []
    for number, begin, stop in _fields(data, start, end):
        if number == _NODE_TYPE:
            kind = data[begin:stop].decode()
        elif number == _NODE_INPUT:
            inputs.append(data[begin:stop].decode())
        elif number == _NODE_OUTPUT:
            outputs.append(data[begin:stop].decode())
    return kind, inputs, outputs
