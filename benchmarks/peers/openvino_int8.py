"""FunASR's graph in INT8 as OpenVINO's own tools make it; run by the peers' Python, which has OpenVINO and NNCF.

``python -m benchmarks.peers.openvino_int8 MODEL.onnx FOLDER`` writes ``weights.xml`` (INT8 weights, activations quantized while it
runs) and ``full.xml`` (weights and activations, with scales from a few inputs: random weights recognize nothing in real ones either).
"""

from __future__ import annotations

import sys
from pathlib import Path

import nncf
import numpy as np
import openvino

#: Inputs of one length: NNCF stacks what it sees of them.
INPUTS, FRAMES = 4, 167


def _inputs() -> list[dict[str, np.ndarray]]:
    rng = np.random.default_rng(9527)
    return [
        {
            "speech": rng.standard_normal((1, FRAMES, 560)).astype(np.float32),
            "speech_lengths": np.array([FRAMES], np.int32),
            "language": np.array([0], np.int32),
            "textnorm": np.array([15], np.int32),
        }
        for _ in range(INPUTS)
    ]


def main() -> int:
    """Write both models."""
    graph, folder = Path(sys.argv[1]), Path(sys.argv[2])
    core = openvino.Core()
    weights = nncf.compress_weights(core.read_model(graph), mode=nncf.CompressWeightsMode.INT8_SYM)
    openvino.save_model(weights, folder / "weights.xml", compress_to_fp16=False)
    full = nncf.quantize(core.read_model(graph), nncf.Dataset(_inputs()), model_type=nncf.ModelType.TRANSFORMER, subset_size=INPUTS)
    openvino.save_model(full, folder / "full.xml", compress_to_fp16=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
