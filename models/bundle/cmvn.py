"""Write a CMVN file in the Kaldi text layout that the official models ship as ``am.mvn``."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write_cmvn(path: Path, *, means: np.ndarray, deviations: np.ndarray) -> None:
    """Write means (D,) and standard deviations (D,) so that reading gives ``(x - mean) / deviation``."""
    dim = len(means)
    shifts = " ".join(f"{value:.6f}" for value in -means)
    scales = " ".join(f"{value:.7f}" for value in 1.0 / np.maximum(deviations, 1e-3))
    path.write_text(
        f"<Nnet>\n<Splice> {dim} {dim}\n[ 0 ]\n"
        f"<AddShift> {dim} {dim}\n<LearnRateCoef> 0 [ {shifts} ]\n"
        f"<Rescale> {dim} {dim}\n<LearnRateCoef> 0 [ {scales} ]\n</Nnet>\n",
        encoding="utf-8",
    )
