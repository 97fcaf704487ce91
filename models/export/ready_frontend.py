"""How a ready-made model wants its features: stacking and CMVN, out of the folder's files or its graph's metadata."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from engine.speech.features import FBANK_BINS, Cmvn
from models.bundle.cmvn import write_cmvn
from models.export.graph_file import ExportError

CONFIG_NAMES = ("config.yaml", "vad.yaml")
CMVN_NAMES = ("am.mvn", "vad.mvn")


@dataclass(frozen=True, kw_only=True)
class Frontend:
    """How a model wants its features, and the CMVN file where the folder has one."""

    lfr_m: int
    lfr_n: int
    cmvn: Cmvn
    path: Path | None

    @property
    def features(self) -> int:
        """Features a frame: 80 * lfr_m."""
        return FBANK_BINS * self.lfr_m

    def write_cmvn(self, path: Path) -> Cmvn:
        """Write the text that ``am.mvn`` holds: -> what a reader gets."""
        if self.path is not None:
            shutil.copyfile(self.path, path)
        else:
            write_cmvn(path, means=-self.cmvn.shift.astype(np.float64), deviations=1.0 / self.cmvn.scale.astype(np.float64))
        return Cmvn.load(path, expected_dim=self.features)


def config_of(folder: Path) -> dict[str, Any] | None:
    """The settings of a folder's config.yaml or vad.yaml; None where it has neither, ExportError where they cannot be read."""
    path = next((folder / name for name in CONFIG_NAMES if (folder / name).is_file()), None)
    if path is None:
        return None
    try:
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ExportError(f"{path} is not readable YAML ({type(error).__name__}); fetch it again") from error
    if not isinstance(config, dict):
        raise ExportError(f"{path} holds no settings; fetch it again")
    return config


def frontend_of(folder: Path, config: Mapping[str, Any] | None, metadata: Mapping[str, str], *, given: int = 0) -> Frontend:
    """Stacking and CMVN of a folder, from its files or its graph's metadata; ``given`` is what the graph takes (0: unknown).

    Raises ExportError, and CmvnShapeError where the CMVN is of another length.
    """
    settings = (config or {}).get("frontend_conf") or ((config or {}).get("WavFrontend") or {}).get("frontend_conf") or {}
    given_sizes = (settings.get("lfr_m", metadata.get("lfr_window_size")), settings.get("lfr_n", metadata.get("lfr_window_shift")))
    sizes = [str(size) for size in given_sizes]
    if not all(size.isdecimal() and int(size) > 0 for size in sizes):
        raise ExportError(
            f"{folder} does not say how frames are stacked: no lfr_m and lfr_n in {' or '.join(CONFIG_NAMES)}; fetch it again"
        )
    lfr_m, lfr_n = (int(size) for size in sizes)
    features = FBANK_BINS * lfr_m
    if given not in (0, features):
        raise ExportError(
            f"{folder}: the graph takes {given} features where lfr_m {lfr_m} makes {features}; the configuration is another model's"
        )
    path = next((folder / name for name in CMVN_NAMES if (folder / name).is_file()), None)
    if path is not None:
        return Frontend(lfr_m=lfr_m, lfr_n=lfr_n, cmvn=Cmvn.load(path, expected_dim=features), path=path)
    if not {"neg_mean", "inv_stddev"} <= set(metadata):
        raise ExportError(f"{folder} has no CMVN ({' or '.join(CMVN_NAMES)}, or neg_mean and inv_stddev in the graph); fetch it again")
    return Frontend(lfr_m=lfr_m, lfr_n=lfr_n, cmvn=_stated_cmvn(folder, metadata, features=features), path=None)


def _stated_cmvn(folder: Path, metadata: Mapping[str, str], *, features: int) -> Cmvn:
    """CMVN out of sherpa-onnx's metadata: comma-separated ``neg_mean`` and ``inv_stddev``."""
    vectors = []
    for key in ("neg_mean", "inv_stddev"):
        try:
            vector = np.array([float(value) for value in metadata[key].split(",")], np.float32)
        except ValueError as error:
            raise ExportError(f"{folder}: {key} in the graph's metadata is no list of numbers; fetch it again") from error
        if len(vector) != features or not np.isfinite(vector).all():
            raise ExportError(f"{folder}: {key} in the graph's metadata holds {len(vector)} values where {features} numbers are needed")
        vectors.append(vector)
    if not (vectors[1] > 0).all():
        raise ExportError(f"{folder}: inv_stddev in the graph's metadata must be above 0 everywhere; fetch it again")
    return Cmvn(*vectors)
