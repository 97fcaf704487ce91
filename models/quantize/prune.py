"""L1 pruning: in every layer the weights of the smallest magnitude become zero.

This makes no kernel faster and no loaded model smaller. Zeros scattered over a dense matrix are multiplied like any other
number. What shrinks is the file *after compression*, which is why the report counts compressed bytes; the magnitude criterion is that
of Han et al., https://arxiv.org/abs/1506.02626.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from engine.errors import LightVoiceError
from engine.files.sizes import BYTES_PER_MB
from models.bundle.variants import Source, add_variant, graph_files
from models.export.graph_file import save_graph
from models.quantize import dynamic
from models.quantize.graph_metadata import metadata_of, set_metadata
from models.quantize.rules import weight_products

log = logging.getLogger(__name__)

PRUNED, PRUNED_INT8 = "fp32-pruned", "int8-pruned"
CHUNK_BYTES = 1 << 22


class PruneError(LightVoiceError):
    """An amount that leaves nothing, or nothing to prune."""


def prune_weights(values: NDArray[np.float32], amount: float) -> NDArray[np.float32]:
    """Set the ``round(amount * size)`` entries of the smallest magnitude to zero; the shape stays."""
    count = round(amount * values.size)
    if count == 0:
        return values
    flat = values.ravel().copy()
    flat[np.argpartition(np.abs(flat), count - 1)[:count]] = 0.0
    return flat.reshape(values.shape)


def prune_graph(source: Path, target: Path, *, amount: float, external: bool) -> dict[str, tuple[int, float]]:
    """Write the pruned version of an FP32 graph: -> each layer's number of weights and their share of zeros.

    PruneError for an amount outside 0 to 1.
    """
    if not 0 < amount < 1:
        raise PruneError(f"amount {amount} is not between 0 and 1; 0.1 prunes a tenth of every layer's weights")
    model = onnx.load(str(source))
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    layers = {}
    for node in weight_products(model.graph):
        tensor = stored[node.input[1]]
        values = prune_weights(numpy_helper.to_array(tensor), amount)
        tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
        layers[node.name] = (values.size, float((values == 0).mean()))
    if not layers:
        raise PruneError(f"{source.name} has no weight products; it is no FP32 graph of this workshop")
    set_metadata(model, {**metadata_of(source), "pruned": str(amount)})
    save_graph(model, target, external=external)
    return layers


def compressed_bytes(path: Path) -> int:
    """Bytes of a graph and its external weights after DEFLATE (as in a zip file), without writing them."""
    total = 0
    for file in graph_files(path):
        packer = zlib.compressobj(6)
        with file.open("rb") as handle:
            while chunk := handle.read(CHUNK_BYTES):
                total += len(packer.compress(chunk))
        total += len(packer.flush())
    return total


def prune(bundle: Path, *, amount: float, then_quantize: bool) -> dict[str, Any]:
    """Add ``fp32-pruned`` to a bundle, and with ``then_quantize`` also ``int8-pruned``: -> sparsity and sizes, in bytes."""
    record = add_variant(bundle, PRUNED, lambda source, folder, variant: _write(source, folder, variant, amount=amount))
    if then_quantize:
        record["int8"] = add_variant(
            bundle, PRUNED_INT8, lambda source, folder, variant: _write_int8(source, folder, variant, amount=amount)
        )
    return {**record, "sizes": size_table(bundle)}


def _write(source: Source, folder: Path, variant: str, *, amount: float) -> Mapping[str, Any]:
    record: dict[str, Any] = {"recipe": "prune", "amount": amount}
    for model, graph, external in (("asr", source.asr, True), ("vad", source.vad, False)):
        layers = prune_graph(graph, folder / f"{model}.{variant}.onnx", amount=amount, external=external)
        weights = sum(count for count, _ in layers.values())
        zeros = sum(count * share for count, share in layers.values()) / weights
        log.info("%s: %d layers, %.1f %% of %d weights are zero", model, len(layers), 100 * zeros, weights)
        record[model] = {"layers": len(layers), "weights": weights, "zeros": round(zeros, 4)}
    return record


def _write_int8(source: Source, folder: Path, variant: str, *, amount: float) -> Mapping[str, Any]:
    for model, external in (("asr", True), ("vad", False)):
        pruned = source.bundle.path(f"{model}.{PRUNED}.onnx")
        dynamic.quantize(pruned, folder / f"{model}.{variant}.onnx", external=external, recipe="prune, then dynamic")
    return {"recipe": "prune, then dynamic", "amount": amount}


def size_table(bundle: Path) -> dict[str, dict[str, int]]:
    """Bytes of every variant's graphs as they are and compressed."""
    opened = Source.of(bundle).bundle
    table = {}
    for variant, files in opened.variants.items():
        paths = [opened.path(name) for name in (files.asr, files.vad)]
        plain = round(opened.size_mb(variant) * BYTES_PER_MB)
        table[variant] = {"bytes": plain, "compressed_bytes": sum(compressed_bytes(path) for path in paths)}
    return table


def to_markdown(record: Mapping[str, Any]) -> str:
    """The sizes as a table, and below it what pruning does not do."""
    rows = ["| variant | MB | MB compressed |", "|---|---|---|"]
    for variant, sizes in record["sizes"].items():
        rows.append(f"| {variant} | {sizes['bytes'] / 1e6:.1f} | {sizes['compressed_bytes'] / 1e6:.1f} |")
    note = "Zeros scattered over dense weights: a smaller archive, the same memory, the same speed."
    return "\n".join([*rows, "", note])
