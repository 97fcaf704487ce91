"""The FSMN-VAD network in PyTorch: the original size, the official checkpoint's parameter names.

FSMN-VAD is FunASR's voice activity detector (https://arxiv.org/abs/2305.11013): two affine layers in, four FSMN
layers with 20 frames of left context each, two affine layers out, a softmax over 248 units of which unit 0 is silence.
It is causal, so a window with enough left context gives exactly the frames of one long pass.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class FsmnVadConfig:
    """Sizes of one FSMN-VAD network; the defaults are the official 16 kHz model's (428,746 parameters)."""

    input_dim: int = 400
    input_affine_dim: int = 140
    fsmn_layers: int = 4
    linear_dim: int = 250
    proj_dim: int = 128
    lorder: int = 20
    output_affine_dim: int = 140
    output_dim: int = 248


class _Affine(nn.Module):
    """A linear layer one level down, as the official names have it (``….linear.weight``)."""

    def __init__(self, in_dim: int, out_dim: int, *, bias: bool = True) -> None:
        super().__init__()
        self.linear = nn.Linear(in_dim, out_dim, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.linear(x)
        return y


class _Memory(nn.Module):
    """The FSMN memory: a causal depthwise convolution over ``lorder`` frames plus its input, (B, T, D) -> (B, T, D)."""

    def __init__(self, dim: int, lorder: int) -> None:
        super().__init__()
        self.lorder = lorder
        self.conv_left = nn.Conv2d(dim, dim, (lorder, 1), groups=dim, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        columns = x.transpose(1, 2)[..., None]
        padded = nn.functional.pad(columns, (0, 0, self.lorder - 1, 0))
        remembered: Tensor = columns + self.conv_left(padded)
        return remembered[..., 0].transpose(1, 2)


class _FsmnLayer(nn.Module):
    """Project, remember, expand: (B, T, 250) -> (B, T, 250)."""

    def __init__(self, config: FsmnVadConfig) -> None:
        super().__init__()
        self.linear = _Affine(config.linear_dim, config.proj_dim, bias=False)
        self.fsmn_block = _Memory(config.proj_dim, config.lorder)
        self.affine = _Affine(config.proj_dim, config.linear_dim)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.affine(self.fsmn_block(self.linear(x))))


class FsmnVad(nn.Module):
    """FSMN-VAD: ``forward(speech (B, T, 400)) -> (B, T, 248)`` logits; unit 0 is silence."""

    def __init__(self, config: FsmnVadConfig | None = None) -> None:
        super().__init__()
        config = config or FsmnVadConfig()
        self.config = config
        self.in_linear1 = _Affine(config.input_dim, config.input_affine_dim)
        self.in_linear2 = _Affine(config.input_affine_dim, config.linear_dim)
        self.fsmn = nn.Sequential(*[_FsmnLayer(config) for _ in range(config.fsmn_layers)])
        self.out_linear1 = _Affine(config.linear_dim, config.output_affine_dim)
        self.out_linear2 = _Affine(config.output_affine_dim, config.output_dim)

    def forward(self, speech: Tensor) -> Tensor:
        x = torch.relu(self.in_linear2(self.in_linear1(speech)))
        logits: Tensor = self.out_linear2(self.out_linear1(self.fsmn(x)))
        return logits
