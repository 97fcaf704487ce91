"""A changed copy of a graph that shares the original's weights, for looking inside while a recipe or an evaluation runs.

The copy has to lie beside the data file: ONNX Runtime opens no external data through a symbolic link or a parent folder, and the
``onnx`` package opens none that has a second name. It is hidden, and gone when the context ends.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import onnx

PREFIX = ".probe-"


@contextmanager
def probe_graph(model: onnx.ModelProto, folder: Path) -> Iterator[Path]:
    """Write a graph whose external data lies in ``folder``, and take it away at the end.

    Where ``folder`` cannot be written, its data files are copied to a temporary place.
    """
    temporary: Path | None = None
    if not os.access(folder, os.W_OK):
        temporary = Path(tempfile.mkdtemp(prefix=PREFIX))
        for data in folder.glob("*.data"):
            shutil.copyfile(data, temporary / data.name)
    handle, name = tempfile.mkstemp(dir=temporary or folder, prefix=PREFIX, suffix=".onnx")
    os.close(handle)
    try:
        onnx.save(model, name)
        yield Path(name)
    finally:
        Path(name).unlink(missing_ok=True)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def with_outputs(graph: Path, tensors: Sequence[str]) -> Iterator[Path]:
    """A copy of a graph that also answers ``tensors`` (float32)."""
    model = onnx.load(str(graph), load_external_data=False)
    answered = {output.name for output in model.graph.output}
    for tensor in tensors:
        if tensor not in answered:
            model.graph.output.append(onnx.helper.make_tensor_value_info(tensor, onnx.TensorProto.FLOAT, None))
    with probe_graph(model, graph.parent) as path:
        yield path
