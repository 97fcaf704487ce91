"""Where a graph's time goes, operator by operator, and how far its matrix products are from what this processor multiplies at best.

``python -m benchmarks.operator_profile GRAPH… [--frames 167] [--threads 1] [--runs 9] [--json FILE]``

A node's time is its shortest of all runs: another process can only make it longer. The limit is the time that the graph's weight products
take as bare ``MatMulInteger`` (INT8) or ``MatMul`` (FP32) operators whose weights lie in the cache: no graph of them can be faster.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from benchmarks.command_line import figures_parser, markdown_table, write_figures
from engine.runtime.onnx_operators import FLOAT_PRODUCTS, INTEGER_PRODUCTS
from engine.runtime.session import SLOW_FUSIONS
from models.networks.sensevoice import PROMPT_POSITIONS

FEATURES = 560
LIMIT_RUNS = 30
#: Operators that take less than this in every graph share one line.
SHOWN_MS = 0.1
_MATRIX = 2
_RAN = "_kernel_time"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """Milliseconds of one graph; ``limit_ms`` is what its products take alone, at ``limit_gops`` 10⁹ operations a second."""

    graph: str
    frames: int
    threads: int
    operators_ms: Mapping[str, float]
    nodes: Mapping[str, int]
    products_gop: float
    limit_ms: float
    limit_gops: float

    @property
    def total_ms(self) -> float:
        """All nodes together."""
        return sum(self.operators_ms.values())


def profile(graph: Path, *, frames: int, threads: int, runs: int) -> Profile:
    """Run an ASR graph on noise and measure: ``frames`` LFR frames a run, after one that is not counted."""
    operators_ms, nodes = operator_times(graph, frames=frames, threads=threads, runs=runs)
    shapes, integer = weight_shapes(graph)
    rows = frames + PROMPT_POSITIONS
    limit_ms = sum(count * product_ms(rows, *shape, integer=integer, threads=threads) for shape, count in shapes.items())
    gop = sum(count * 2e-9 * rows * inner * outer for (inner, outer), count in shapes.items())
    return Profile(
        graph=str(graph),
        frames=frames,
        threads=threads,
        operators_ms=operators_ms,
        nodes=nodes,
        products_gop=gop,
        limit_ms=limit_ms,
        limit_gops=1000 * gop / limit_ms,
    )


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_mem_pattern = False
    options.log_severity_level = 3
    return options


def operator_times(graph: Path, *, frames: int, threads: int, runs: int) -> tuple[dict[str, float], dict[str, int]]:
    """Milliseconds and number of nodes by operator, the costliest first."""
    options = _options(threads)
    options.enable_profiling = True
    with tempfile.TemporaryDirectory() as folder:
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"], disabled_optimizers=list(SLOW_FUSIONS)
        )
        speech = np.random.default_rng(9527).standard_normal((1, frames, FEATURES)).astype(np.float32)
        feeds = {"speech": speech, "language": np.zeros(1, np.int32), "textnorm": np.full(1, 15, np.int32)}
        for _ in range(runs + 1):
            session.run(None, feeds)
        events = json.loads(Path(session.end_profiling()).read_text(encoding="utf-8"))
    shortest: dict[tuple[str, str], float] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith(_RAN):
            key = event["args"]["op_name"], event["name"]
            shortest[key] = min(shortest.get(key, float("inf")), event["dur"] / 1000)
    times: Counter[str] = Counter()
    for (operator, _), taken_ms in shortest.items():
        times[operator] += taken_ms  # type: ignore[assignment]  # Counter's values are annotated as whole numbers
    nodes = Counter(operator for operator, _ in shortest)
    return {operator: float(taken_ms) for operator, taken_ms in times.most_common()}, dict(nodes)


def weight_shapes(graph: Path) -> tuple[dict[tuple[int, int], int], bool]:
    """(rows, columns) of the stored weights that the graph multiplies with and how often, and whether they are integers."""
    model = onnx.load(str(graph), load_external_data=False).graph
    stored = {tensor.name: tuple(tensor.dims) for tensor in model.initializer}
    # In a QDQ graph the weight is behind its DequantizeLinear.
    stored |= {
        node.output[0]: stored[node.input[0]] for node in model.node if node.op_type == "DequantizeLinear" and node.input[0] in stored
    }
    products = [
        node for node in model.node if node.op_type in INTEGER_PRODUCTS | FLOAT_PRODUCTS and len(stored.get(node.input[1], ())) == _MATRIX
    ]
    shapes = Counter(stored[node.input[1]] for node in products)
    dequantized = any(node.op_type == "DequantizeLinear" for node in model.node)
    integer = dequantized or any(node.op_type in INTEGER_PRODUCTS for node in products)
    return {(int(inner), int(outer)): count for (inner, outer), count in shapes.items()}, integer


def product_ms(rows: int, inner: int, outer: int, *, integer: bool, threads: int) -> float:
    """Shortest time of one bare product, (rows, inner) times a stored (inner, outer)."""
    rng = np.random.default_rng(0)
    if integer:
        operator, kinds, answer = "MatMulInteger", (np.uint8, np.int8), TensorProto.INT32
        factors = [rng.integers(0, 127, shape).astype(kind) for shape, kind in zip(((rows, inner), (inner, outer)), kinds, strict=True)]
    else:
        operator, answer = "MatMul", TensorProto.FLOAT
        factors = [rng.standard_normal(shape).astype(np.float32) for shape in ((rows, inner), (inner, outer))]
    left, right = factors
    inputs = [helper.make_tensor_value_info("left", helper.np_dtype_to_tensor_dtype(left.dtype), left.shape)]
    outputs = [helper.make_tensor_value_info("product", answer, [rows, outer])]
    node = helper.make_node(operator, ["left", "right"], ["product"])
    graph = helper.make_graph([node], operator, inputs, outputs, [numpy_helper.from_array(right, "right")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), _options(threads), providers=["CPUExecutionProvider"])
    taken = []
    for _ in range(LIMIT_RUNS):
        started = time.perf_counter()
        session.run(None, {"left": left})
        taken.append(1000 * (time.perf_counter() - started))
    return min(taken)


def to_markdown(profiles: list[Profile]) -> str:
    """One column a graph: operators, their sum, and the limit of the products."""
    known = list(dict.fromkeys(name for entry in profiles for name in entry.operators_ms))
    names = [name for name in known if any(entry.operators_ms.get(name, 0.0) >= SHOWN_MS for entry in profiles)]
    heads = [Path(entry.graph).name for entry in profiles]
    rows = [
        (name, *(f"{entry.operators_ms[name]:.1f} ({entry.nodes[name]})" if name in entry.nodes else "–" for entry in profiles))
        for name in names
    ]
    others = [entry.total_ms - sum(entry.operators_ms.get(name, 0.0) for name in names) for entry in profiles]
    rows.append(("others", *(f"{value:.1f}" for value in others)))
    rows.append(("all", *(f"{entry.total_ms:.1f}" for entry in profiles)))
    limits = [f"{entry.limit_ms:.1f} ({entry.limit_gops:.0f} GOP/s)" for entry in profiles]
    rows.append((f"the {profiles[0].products_gop:.1f} GOP of products alone", *limits))
    return markdown_table(("operator, ms (nodes)", *heads), rows)


def main() -> int:
    """Print the table and write the figures."""
    parser = figures_parser("operator_profile", __doc__)
    parser.add_argument("graphs", type=Path, nargs="+", metavar="GRAPH")
    parser.add_argument("--frames", type=int, default=167, help="LFR frames of 60 ms (167: ten seconds)")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=9)
    arguments = parser.parse_args()
    settings: dict[str, Any] = {"frames": arguments.frames, "threads": arguments.threads, "runs": arguments.runs}
    profiles = [profile(graph, **settings) for graph in arguments.graphs]
    print(to_markdown(profiles))
    write_figures(arguments.json, [asdict(entry) for entry in profiles])
    return 0


if __name__ == "__main__":
    sys.exit(main())
