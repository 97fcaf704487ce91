"""A quantized graph with its activations left in float: the same weights, and no rounding on the way.

Two INT8 graphs of one network cannot be compared directly: where one adds in another order, a rounding falls the other way now and then,
and seventy layers later every number has moved. With the activations in float nothing rounds, and a weight in the wrong place shows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.export.lean.graph_source import GraphSource, link_or_copy
from models.export.lean.published_network import Product, products_of

NAME = "float-activations.onnx"
#: An initializer: the first of a list, twice.
_TWO = "float_activations_two"


def write_with_float_activations(source: GraphSource, folder: Path) -> Path:
    """Write the graph into ``folder``, with second names of its data files beside it: -> its path. Run it without optimizations:
    they would turn all weights into float at once.
    """
    folder.mkdir()
    model = onnx.ModelProto()
    model.CopyFrom(source.model)
    _replace_products(model.graph, products_of(source))
    for location in {entry.value for tensor in model.graph.initializer for entry in tensor.external_data if entry.key == "location"}:
        (folder / location).parent.mkdir(parents=True, exist_ok=True)
        link_or_copy(source.path.parent / location, folder / location)
    (folder / NAME).write_bytes(model.SerializeToString())
    return folder / NAME


def _replace_products(graph: onnx.GraphProto, products: Sequence[Product]) -> None:
    """Put float products in the place of integer ones, in place."""
    integer = [product for product in products if product.is_integer]
    gone = {output for product in integer for node in product.nodes for output in node.output}
    new = {product.result: _float_nodes(product, index) for index, product in enumerate(integer)}
    graph.initializer.append(numpy_helper.from_array(np.zeros(2, np.int64), _TWO))
    nodes: list[onnx.NodeProto] = []
    for node in graph.node:
        kept = [] if gone.intersection(node.output) else [node]
        nodes += next((new[name] for name in node.output if name in new), kept)
    del graph.node[:]
    graph.node.extend(nodes)


def _float_nodes(product: Product, index: int) -> list[onnx.NodeProto]:
    """``source · ((weight - zero point) · scale)``, and the bias where the integer product adds it.

    The weight is given its own shape plus nothing, which is known once ``source`` is: ONNX Runtime would make all weights float before
    anything else, a gigabyte at once.
    """
    part = f"float_activations_{index}"
    nodes = [
        helper.make_node("Shape", [product.source], [f"{part}_any"]),
        helper.make_node("Sub", [f"{part}_any", f"{part}_any"], [f"{part}_zeros"]),
        helper.make_node("Gather", [f"{part}_zeros", _TWO], [f"{part}_nothing"]),
        helper.make_node("Shape", [product.weight], [f"{part}_shape"]),
        helper.make_node("Add", [f"{part}_shape", f"{part}_nothing"], [f"{part}_when_ready"]),
        helper.make_node("Reshape", [product.weight, f"{part}_when_ready"], [f"{part}_integers"]),
        helper.make_node("Cast", [f"{part}_integers"], [f"{part}_weight"], to=TensorProto.FLOAT),
    ]
    centred = f"{part}_weight"
    if product.zero_point is not None:
        centred = f"{part}_centred"
        nodes += [
            helper.make_node("Cast", [product.zero_point], [f"{part}_zero_point"], to=TensorProto.FLOAT),
            helper.make_node("Sub", [f"{part}_weight", f"{part}_zero_point"], [centred]),
        ]
    nodes.append(helper.make_node("Mul", [centred, str(product.scale)], [f"{part}_scaled"]))
    if not product.result_has_bias:
        return [*nodes, helper.make_node("MatMul", [product.source, f"{part}_scaled"], [product.result])]
    return [
        *nodes,
        helper.make_node("MatMul", [product.source, f"{part}_scaled"], [f"{part}_product"]),
        helper.make_node("Add", [f"{part}_product", str(product.bias)], [product.result]),
    ]
