"""The GPU variants on a GPU: the engine answers as on the CPU, batches as their rows, and INT8 is refused with the reason."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from engine.audio.waveform import Waveform  # noqa: E402 - torch decides whether this file runs
from engine.bundle import Bundle  # noqa: E402
from engine.errors import ProviderUnavailableError  # noqa: E402
from engine.pipeline import Engine  # noqa: E402
from engine.runtime.session import Session  # noqa: E402
from models.export.assemble import add_dynamic_int8, assemble  # noqa: E402
from models.export.gpu_graph import unequal_batch  # noqa: E402
from models.quantize.recipe_names import RecipeName  # noqa: E402
from models.quantize.recipes import QuantizeOptions, run  # noqa: E402

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not Path("/dev/nvidia0").exists(), reason="no CUDA device here")]


@pytest.fixture(scope="module")
def bundle(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = assemble(random_checkpoint, tmp_path_factory.mktemp("gpu") / "bundle", gpu=True)
    add_dynamic_int8(folder)
    run(QuantizeOptions(bundle=folder, recipe=RecipeName.FP16, clips=4))
    return folder


@pytest.mark.parametrize("variant", ["fp32-batch", "fp16"])
def test_the_engine_answers_as_on_the_cpu(bundle: Path, variant: str) -> None:
    audio = Waveform((0.1 * np.random.default_rng(0).standard_normal(48_000)).astype(np.float32))
    heard = {}
    for device, precision in (("cpu", "fp32"), ("cuda", variant)):
        engine = Engine(Bundle.load(bundle), precision=precision, device=device)
        try:
            heard[device] = engine.transcribe(audio)
            assert all(session["provider"].startswith(device.upper()) for session in engine.resources()["sessions"])
        finally:
            engine.close()
    assert [segment.start_ms for segment in heard["cuda"].segments] == [segment.start_ms for segment in heard["cpu"].segments]


@pytest.mark.parametrize(("variant", "tolerance"), [("fp32-batch", 1e-2), ("fp16", 0.1)])
def test_a_batch_equals_its_rows(bundle: Path, variant: str, tolerance: float) -> None:
    path = bundle / f"asr.{variant}.onnx"
    gpu = Session.open(path, model="asr", precision=variant, device="cuda")
    assert gpu.provider == "CUDAExecutionProvider"
    feeds = unequal_batch(560)
    log_probs = gpu.run(["log_probs"], feeds)[0]
    for row, length in enumerate(feeds["speech_lengths"]):
        alone = {name: value[row : row + 1] for name, value in feeds.items()}
        alone["speech"] = alone["speech"][:, :length]
        np.testing.assert_allclose(gpu.run(["log_probs"], alone)[0][0], log_probs[row, : length + 4], atol=tolerance)


def test_int8_on_a_gpu_is_refused(bundle: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(bundle, tmp_path / "copy")
    engine = Engine(Bundle.load(copy), precision="int8", device="cuda")
    try:
        with pytest.raises(ProviderUnavailableError, match="no kernels for dynamic INT8"):
            engine.transcribe(Waveform(np.ones(16_000, np.float32) * 0.1))
    finally:
        engine.close()
