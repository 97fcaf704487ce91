"""Fixtures of the workshop's tests; all of them need torch, which the slim install does not have."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def random_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny checkpoint in the official layout, with FSMN-VAD in ``vad/``."""
    pytest.importorskip("torch")
    from models.networks.random_checkpoint import write_random_checkpoint

    folder = tmp_path_factory.mktemp("checkpoint") / "tiny"
    write_random_checkpoint(folder, size="tiny")
    return folder


@pytest.fixture(scope="session")
def exported_bundle(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny checkpoint as a bundle with FP32 and dynamic INT8."""
    from models.export.assemble import add_dynamic_int8, assemble

    output = tmp_path_factory.mktemp("bundle") / "tiny"
    assemble(random_checkpoint, output, name="tiny")
    add_dynamic_int8(output)
    return output
