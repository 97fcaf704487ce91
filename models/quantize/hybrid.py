"""A graph of which some products come from the FP32 file and the others from its INT8 version, made in a moment.

Trying 70 choices of blocks would mean writing 70 files of hundreds of megabytes. Both versions already hold every weight:
a hybrid is a graph of a few hundred kilobytes whose tensors point into the two data files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx

from models.export.graph_file import save_graph
from models.export.probe import probe_graph
from models.quantize.dynamic import label_graph
from models.quantize.rules import weight_products


class Hybrid:
    """The FP32 and the INT8 version of one graph, ready to be combined; the INT8 one lies in or below the FP32 one's folder."""

    def __init__(self, full: Path, integer: Path) -> None:
        self.full_path, self.folder = full, full.parent
        self._full = onnx.load(str(full), load_external_data=False)
        self._integer = onnx.load(str(integer), load_external_data=False)
        for tensor in self._integer.graph.initializer:
            for entry in tensor.external_data:
                if entry.key == "location":
                    entry.value = (integer.parent / entry.value).relative_to(self.folder).as_posix()
        self._products = {node.name: node for node in weight_products(self._full.graph) if node.op_type == "MatMul"}
        self._weights = {tensor.name: tensor for tensor in self._full.graph.initializer}

    @property
    def products(self) -> tuple[str, ...]:
        """The names of the products that can be chosen."""
        return tuple(self._products)

    def graph(self, in_float: Collection[str]) -> onnx.ModelProto:
        """The INT8 graph with the products ``in_float`` as in the FP32 one; weights stay where they are."""
        model = onnx.ModelProto()
        model.CopyFrom(self._integer)
        restored = {self._products[name].output[0]: self._products[name] for name in in_float}
        nodes = []
        for node in model.graph.node:
            original = next((restored[output] for output in node.output if output in restored), None)
            nodes.append(node if original is None else original)
        nodes = _reachable(nodes, {output.name for output in model.graph.output})
        used = {name for node in nodes for name in node.input}
        stored = {tensor.name for tensor in model.graph.initializer}
        tensors = [tensor for tensor in model.graph.initializer if tensor.name in used]
        tensors += [self._weights[node.input[1]] for node in restored.values() if node.input[1] not in stored]
        kept = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
        weights = [onnx.TensorProto.FromString(tensor.SerializeToString()) for tensor in tensors]
        del model.graph.node[:], model.graph.initializer[:]
        model.graph.node.extend(kept)
        model.graph.initializer.extend(weights)
        return model

    @contextmanager
    def probe(self, in_float: Collection[str]) -> Iterator[Path]:
        """One hybrid for trying: a small file that points into both data files."""
        with probe_graph(self.graph(in_float), self.folder) as path:
            yield path

    def write_final(self, target: Path, in_float: Collection[str], *, recipe: str, external: bool) -> None:
        """Write one hybrid whole, with weights of its own."""
        model = self.graph(in_float)
        onnx.load_external_data_for_model(model, str(self.folder))
        label_graph(model, self.full_path, recipe=recipe)
        save_graph(model, target, external=external)


def _reachable(nodes: list[onnx.NodeProto], wanted: set[str]) -> list[onnx.NodeProto]:
    """The nodes that the wanted tensors depend on, in order."""
    needed, kept = set(wanted), []
    for node in reversed(nodes):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    return kept[::-1]
