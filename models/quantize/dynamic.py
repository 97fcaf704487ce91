"""Dynamic INT8: MatMul weights to signed 8 bit per channel, activations quantized while the graph runs.

The default recipe and what lightweight mode uses. Signed weights on purpose: ONNX Runtime's VNNI and AMX kernels take
U8S8 only, and the unsigned weights that other projects publish gain nothing. Embedding, depthwise convolution, Q·Kᵀ
and A·V stay in float: ``op_types_to_quantize`` names MatMul alone.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from engine.runtime.session import SLOW_FUSIONS
from models.bundle.variants import Source
from models.export.graph_file import EXTERNAL_BYTES, save_graph
from models.quantize.graph_metadata import metadata_of, set_metadata

log = logging.getLogger(__name__)

OPERATORS = ("MatMul",)

#: Where ONNX Runtime's quantizers write to the root logger.
_QUANTIZER_FILES = ("quantize.py", "matmul.py", "onnx_quantizer.py", "base_quantizer.py", "qdq_quantizer.py", "quant_utils.py")


def write(source: Source, folder: Path, variant: str) -> dict[str, Any]:
    """The recipe for a whole bundle, as :data:`models.bundle.variants.Recipe`."""
    quantize(source.asr, folder / f"asr.{variant}.onnx", external=True)
    quantize(source.vad, folder / f"vad.{variant}.onnx", external=False)
    return {"recipe": "dynamic"}


def quantize(
    source: Path,
    target: Path,
    *,
    external: bool,
    operators: Sequence[str] = OPERATORS,
    keep_float: Collection[str] = (),
    recipe: str = "dynamic",
    fused: bool = True,
) -> None:
    """Write the dynamic INT8 version of an FP32 graph; ``external`` keeps the weights in ``<target>.data``.

    A graph with external weights is fused (:func:`fuse`) unless ``fused`` is False.

    ``keep_float`` names nodes that stay as they are; the graph's metadata counts them, so that a runtime can tell a product
    that was left in float on purpose from one that was forgotten.
    """
    log.info("quantizing %s", source.name)
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        quantized = Path(folder) / "quantized.onnx"
        with quiet_quantizer():
            quantize_dynamic(
                str(source),
                str(quantized),
                op_types_to_quantize=list(operators),
                per_channel=True,
                weight_type=QuantType.QInt8,
                nodes_to_exclude=list(keep_float),
                use_external_data_format=external,
            )
        model = onnx.load(str(quantized))
        label_graph(model, source, recipe=recipe)
        save_graph(model, target, external=external)
    if external and fused:
        fuse(target)


def fuse(path: Path) -> None:
    """Let ONNX Runtime fuse the quantized products of a graph with external weights once and for all, in place.

    It would do so whenever it opens the file: 281 chains of four operators of SenseVoice-Small become one
    ``DynamicQuantizeMatMul`` each, and the file opens in four fifths of the time.
    """
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        fused = Path(folder) / "fused.onnx"
        options.optimized_model_filepath = str(fused)
        options.add_session_config_entry("session.optimized_model_external_initializers_file_name", "fused.data")
        options.add_session_config_entry("session.optimized_model_external_initializers_min_size_in_bytes", str(EXTERNAL_BYTES))
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(SLOW_FUSIONS))
        model = onnx.load(str(fused))
        set_metadata(model, metadata_of(path))
        save_graph(model, path, external=True)


def label_graph(model: onnx.ModelProto, source: Path, *, recipe: str) -> None:
    """Copy the source's metadata to a quantized graph, and write its recipe and how many weight products stayed in float."""
    counted = {"quantization": recipe, "float_products": str(count_float_products(model.graph))}
    set_metadata(model, {**metadata_of(source), **counted})


def count_float_products(graph: onnx.GraphProto) -> int:
    """MatMul and Gemm nodes with a float weight."""
    weights = {tensor.name for tensor in graph.initializer if tensor.data_type == onnx.TensorProto.FLOAT}
    return sum(node.op_type in ("MatMul", "Gemm") and len(node.input) > 1 and node.input[1] in weights for node in graph.node)


@contextmanager
def quiet_quantizer() -> Iterator[None]:
    """Keep ONNX Runtime's quantizers from advising a step that these graphs do not need, and from a line per tensor."""
    root = logging.getLogger()

    def of_ours(record: logging.LogRecord) -> bool:
        return record.levelno >= logging.ERROR or not record.pathname.endswith(_QUANTIZER_FILES)

    root.addFilter(of_ours)
    try:
        yield
    finally:
        root.removeFilter(of_ours)
