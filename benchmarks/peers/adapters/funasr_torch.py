"""FunASR's ``AutoModel`` in PyTorch with its VAD, options as SenseVoice's README has them; ``model`` is ``fp32`` or ``bf16``."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
import torch
from funasr import AutoModel
from numpy.typing import NDArray

SPOKEN = {"language": "auto", "use_itn": True}


class _FunasrTorch:
    def __init__(self, model: AutoModel, *, half: bool) -> None:
        self._model, self._half = model, half

    def _precision(self) -> AbstractContextManager[object]:
        return torch.autocast("cpu", torch.bfloat16) if self._half else nullcontext()

    def recognize(self, samples: NDArray[np.float32]) -> str:
        with self._precision():
            text: str = self._model.inference(torch.from_numpy(samples), **SPOKEN)[0]["text"]
        return text

    def transcribe(self, file: Path) -> int:
        with self._precision():
            found = self._model.generate(input=str(file), cache={}, batch_size_s=60, merge_vad=True, merge_length_s=15, **SPOKEN)
        text: str = found[0]["text"]
        return text.count("<|withitn|>")


def open_runtime(folder: Path, *, model: str, threads: int) -> _FunasrTorch:
    """Load both checkpoints."""
    opened = AutoModel(
        model=str(folder / "checkpoint"),
        vad_model=str(folder / "checkpoint" / "vad"),
        vad_kwargs={"max_single_segment_time": 30_000},
        device="cpu",
        ncpu=threads,
        disable_update=True,
        disable_pbar=True,
    )
    return _FunasrTorch(opened, half=model == "bf16")
