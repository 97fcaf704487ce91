"""What stands in for ONNX Runtime's session; a test says what a run of it does."""

from __future__ import annotations

from typing import Any


class GraphDouble:
    """A graph without inputs, outputs and metadata, on the processor."""

    def get_providers(self) -> list[str]:
        return ["CPUExecutionProvider"]

    def get_inputs(self) -> list[Any]:
        return []

    get_outputs = get_inputs

    def get_modelmeta(self) -> Any:
        return type("Meta", (), {"custom_metadata_map": {}})()
