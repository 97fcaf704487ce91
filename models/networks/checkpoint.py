"""Folders in the official layout (``model.pt``, ``config.yaml``, ``am.mvn``, a bpe model) → networks.

Checkpoints load with ``weights_only=True``: a pickle that wants to run code is refused.
"""

from __future__ import annotations

import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from engine.errors import first_line
from models.bundle.upstream_layout import RANDOM_MARK
from models.export.graph_file import ExportError
from models.networks.fsmn_vad import FsmnVad, FsmnVadConfig
from models.networks.sensevoice import SenseVoice, SenseVoiceConfig

SENSEVOICE_PREFIX = ""
VAD_PREFIX = "encoder."


@dataclass(frozen=True)
class Checkpoint:
    """One official folder: its configuration and the paths of its parts."""

    folder: Path
    config: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Checkpoint:
        """Read ``config.yaml``; ExportError says what the folder lacks."""
        missing = [name for name in ("model.pt", "config.yaml", "am.mvn") if not (folder / name).is_file()]
        if missing:
            raise ExportError(f"{folder} is not in the official layout: it lacks {', '.join(missing)}; fetch the model again")
        config = yaml.safe_load((folder / "config.yaml").read_text(encoding="utf-8"))
        if not isinstance(config, dict) or "encoder_conf" not in config:
            raise ExportError(f"{folder / 'config.yaml'} has no encoder_conf; fetch the model again")
        return cls(folder=folder, config=config)

    @property
    def kind(self) -> str:
        """``"sensevoice"`` or ``"fsmn-vad"``, by the encoder the configuration names."""
        encoder = self.config.get("encoder")
        if encoder == "SenseVoiceEncoderSmall":
            return "sensevoice"
        if encoder == "FSMN":
            return "fsmn-vad"
        raise ExportError(
            f"{self.folder / 'config.yaml'} describes the encoder {encoder!r}; SenseVoiceEncoderSmall and FSMN can be exported"
        )

    @property
    def is_random(self) -> bool:
        """Whether ``python -m models random-checkpoint`` wrote it: nobody trained these weights."""
        return bool(self.config.get(RANDOM_MARK, False))

    def weights(self, *, prefix: str) -> dict[str, torch.Tensor]:
        """The state dict of ``model.pt``, names below ``prefix`` only, the prefix taken off."""
        path = self.folder / "model.pt"
        try:
            state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        except (RuntimeError, pickle.UnpicklingError, EOFError, OSError, ValueError) as error:
            reason = first_line(error)[:200]
            raise ExportError(f"{path} cannot be read as a checkpoint ({reason}); fetch it again") from error
        for wrapper in ("state_dict", "model"):
            if isinstance(state.get(wrapper), dict):
                state = state[wrapper]
        return {name.removeprefix(prefix): value.float() for name, value in state.items() if name.startswith(prefix)}


def _load(network: nn.Module, weights: dict[str, torch.Tensor], path: Path) -> None:
    expected = network.state_dict()
    missing = sorted(set(expected) - set(weights))
    if missing:
        raise ExportError(f"{path} lacks {len(missing)} tensors, the first is {missing[0]}; it is another model, or its config.yaml is")
    for name, value in expected.items():
        if tuple(weights[name].shape) != tuple(value.shape):
            raise ExportError(f"{path}: {name} has the shape {tuple(weights[name].shape)} where config.yaml asks for {tuple(value.shape)}")
    network.load_state_dict({name: weights[name] for name in expected})


def load_sensevoice(checkpoint: Checkpoint) -> SenseVoice:
    """SenseVoice from its official folder; the vocabulary size is the checkpoint's own."""
    weights = checkpoint.weights(prefix=SENSEVOICE_PREFIX)
    if "ctc.ctc_lo.weight" not in weights:
        raise ExportError(f"{checkpoint.folder / 'model.pt'} has no ctc.ctc_lo.weight: it is not a SenseVoice checkpoint")
    config = SenseVoiceConfig.from_official(
        checkpoint.config, vocab_size=weights["ctc.ctc_lo.weight"].shape[0], input_size=weights["embed.weight"].shape[1]
    )
    with torch.device("meta"):
        network = SenseVoice(config)
    network = network.to_empty(device="cpu")
    network.encoder.restore_positions()
    _load(network, weights, checkpoint.folder / "model.pt")
    return network.eval()


def load_fsmn_vad(checkpoint: Checkpoint) -> FsmnVad:
    """FSMN-VAD from its official folder."""
    encoder = checkpoint.config["encoder_conf"]
    names = ("input_dim", "input_affine_dim", "fsmn_layers", "linear_dim", "proj_dim", "lorder", "output_affine_dim", "output_dim")
    network = FsmnVad(FsmnVadConfig(**{name: encoder[name] for name in names}))
    _load(network, checkpoint.weights(prefix=VAD_PREFIX), checkpoint.folder / "model.pt")
    return network.eval()
