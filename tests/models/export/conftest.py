"""Tiny models as sherpa-onnx and FunASR publish them, by FunASR's own network and exporter."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def published_by_sherpa(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model.int8.onnx (per tensor, unsigned) and tokens.txt."""
    pytest.importorskip("funasr")
    from benchmarks.published_files import publish_as_sherpa

    return publish_as_sherpa(random_checkpoint, tmp_path_factory.mktemp("published") / "sherpa-onnx-sense-voice")


@pytest.fixture(scope="session")
def published_by_funasr(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """model_quant.onnx (per channel, unsigned), am.mvn, config.yaml and tokens.json."""
    pytest.importorskip("funasr")
    from benchmarks.published_files import publish_as_funasr

    return publish_as_funasr(random_checkpoint, tmp_path_factory.mktemp("published") / "SenseVoiceSmall-onnx")


@pytest.fixture(scope="session")
def published_vad(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """FSMN-VAD's model.onnx, model_quant.onnx, am.mvn and config.yaml."""
    from tests.models.export.ready_made_folders import vad_folder

    return vad_folder(random_checkpoint, tmp_path_factory.mktemp("published") / "speech_fsmn_vad_zh-cn-16k-common-onnx")
