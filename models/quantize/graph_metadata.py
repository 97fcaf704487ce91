"""The metadata of a graph: its recipe, the ids of the tag tokens, what other runtimes read."""

from __future__ import annotations

import json
from pathlib import Path

import onnx


def metadata_of(graph: Path) -> dict[str, str]:
    """The metadata of a graph's file; its weights are not read."""
    return {entry.key: entry.value for entry in onnx.load(str(graph), load_external_data=False).metadata_props}


def set_metadata(model: onnx.ModelProto, metadata: dict[str, str]) -> None:
    """Replace a graph's metadata."""
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, metadata)


def tag_ids_of(metadata: dict[str, str]) -> list[int]:
    """The ids of the tag tokens whose probabilities an ASR graph answers."""
    return [int(index) for index in json.loads(metadata["tag_token_ids"])]
