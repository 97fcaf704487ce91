"""Dynamic INT8: MatMul weights to signed 8 bit per channel, activations quantized while the graph runs.

The default recipe and what lightweight mode uses. Signed weights on purpose: ONNX Runtime's VNNI and AMX kernels take
U8S8 only, and the unsigned weights that other projects publish gain nothing. Embedding, depthwise convolution, Q·Kᵀ
and A·V stay in float: ``op_types_to_quantize`` names MatMul alone.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import onnx
from onnxruntime.quantization import QuantType, quantize_dynamic

from models.export import save_graph

OPERATORS = ["MatMul"]


def quantize(source: Path, target: Path, *, external: bool) -> None:
    """Write the dynamic INT8 version of an FP32 graph; ``external`` keeps the weights in ``<target>.data``."""
    with tempfile.TemporaryDirectory() as folder:
        quantized = Path(folder) / "quantized.onnx"
        quantize_dynamic(
            str(source),
            str(quantized),
            op_types_to_quantize=OPERATORS,
            per_channel=True,
            weight_type=QuantType.QInt8,
            use_external_data_format=external,
        )
        model = onnx.load(str(quantized))
        metadata = {entry.key: entry.value for entry in onnx.load(str(source), load_external_data=False).metadata_props}
        onnx.helper.set_model_props(model, {**metadata, "quantization": "dynamic"})
        save_graph(model, target, external=external)
