"""A bundle's weights as the beginning of a training: of the same network, of a deeper one or one with wider feed-forward layers, or
with other units.

A block that the bundle lacks begins silent: it adds nothing to the stream it stands in until it has learnt to (the idea of
https://arxiv.org/abs/2003.04887); so does a hidden unit of a feed-forward layer. A unit of text that the bundle lacks begins as the
longest known unit that it begins with (``▁seven`` as ``▁s``), less likely, or unlikely where there is none.
"""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from models.networks.sensevoice import SanmBlock, SenseVoice
from models.networks.weights import sensevoice_of
from models.starter.corpus import CorpusError
from models.starter.units import pieces_of

_NEW_UNIT_SCALE = 0.3
#: A logit: a longer unit has e⁻¹ of its beginning's odds until it has learnt more.
_LONGER_UNIT_BEHIND = 1.0


@torch.no_grad()
def begin_with(network: SenseVoice, bundle: Path, *, pieces: list[str]) -> None:
    """Fill ``network``, whose units are ``pieces``, from a bundle's FP32 graph; CorpusError where its sizes do not allow it."""
    known = sensevoice_of(bundle / "asr.fp32.onnx")
    sizes = {name: (getattr(known.config, name), getattr(network.config, name)) for name in ("output_size", "linear_units", "kernel_size")}
    wrong = [f"{name} is {old} there and {new} here" for name, (old, new) in sizes.items() if old != new and name != "linear_units"]
    wrong += [f"linear_units is {old} there and only {new} here" for old, new in [sizes["linear_units"]] if old > new]
    if wrong or known.config.num_blocks > network.config.num_blocks or known.config.tp_blocks != network.config.tp_blocks:
        what = wrong or [f"it has {known.config.num_blocks} + {known.config.tp_blocks} blocks"]
        raise CorpusError(f"a training cannot begin with {bundle}: {'; '.join(what)}; change config.yaml or train without --init")
    for block in cast("list[SanmBlock]", list(network.encoder.encoders))[known.config.num_blocks - 1 :]:
        _silence(block)
    weights = network.state_dict()
    for name, before in known.state_dict().items():
        if not name.startswith("ctc."):
            _fill(name, weights[name], before)
    _copy_units(network, known, old=pieces_of(bundle), new=pieces)


def _fill(name: str, value: Tensor, before: Tensor) -> None:
    """Copy a weight in place; hidden units that ``before`` lacks keep what they listen to and say nothing yet."""
    if name.endswith("feed_forward.w_2.weight"):
        value.zero_()
    value[tuple(slice(size) for size in before.shape)] = before


def _silence(block: SanmBlock) -> None:
    for parameter in (block.self_attn.linear_out.weight, block.self_attn.linear_out.bias):
        parameter.zero_()
    # The memory adds the values themselves.
    block.self_attn.linear_q_k_v.weight[2 * block.self_attn.size :].zero_()
    block.self_attn.linear_q_k_v.bias[2 * block.self_attn.size :].zero_()
    block.feed_forward.w_2.weight.zero_()
    block.feed_forward.w_2.bias.zero_()


def _copy_units(network: SenseVoice, known: SenseVoice, *, old: list[str], new: list[str]) -> None:
    places = {piece: index for index, piece in enumerate(old)}
    head, before = network.ctc.ctc_lo, known.ctc.ctc_lo
    head.weight.mul_(_NEW_UNIT_SCALE)
    head.bias.fill_(float(before.bias.min()))
    for index, piece in enumerate(new):
        known_piece = next((piece[:size] for size in range(len(piece), 0, -1) if piece[:size] in places), None)
        if known_piece is not None:
            head.weight[index] = before.weight[places[known_piece]]
            head.bias[index] = before.bias[places[known_piece]] - (0.0 if known_piece == piece else _LONGER_UNIT_BEHIND)
