"""A graph in ONNX Runtime itself, without the engine around it."""

from __future__ import annotations

from pathlib import Path


def session_of(path: Path):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
