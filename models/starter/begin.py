"""A student that begins with Whisper's blocks: the same layers, the FSMN memory silenced, two new blocks in front.

Whisper's encoder block is SAN-M's without the memory: pre-norm attention and feed-forward. SAN-M adds the values themselves to the
output of attention, so that a memory whose centre tap is -1 and whose other taps are 0 leaves nothing of them. Whisper's activation is
GELU, and the student keeps it: with ReLU in its place the same rows agree with Whisper's output half as well (cosine 0.50, not 0.87).
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from models.networks.sensevoice import SanmBlock, SenseVoice
from models.starter.corpus import CorpusError
from models.starter.whisper import BLOCKS, HEADS, WIDTH

#: Blocks that learn to turn LFR rows into what Whisper's convolutions say.
FRONT_BLOCKS = 2
_NEW_BLOCK_SCALE = 0.3


def whisper_blocks(student_blocks: int) -> list[int]:
    """Which of Whisper's six blocks a student of so many takes, evenly from the first to the last: 4 -> [0, 2, 3, 5]."""
    if not 2 <= student_blocks <= BLOCKS:
        raise CorpusError(f"num_blocks leaves {student_blocks} for Whisper's; it must be {FRONT_BLOCKS + 2} to {FRONT_BLOCKS + BLOCKS}")
    return [round(index * (BLOCKS - 1) / (student_blocks - 1)) for index in range(student_blocks)]


@torch.no_grad()
def begin_with_whisper(network: SenseVoice, weights: Mapping[str, Tensor]) -> None:
    """Fill a network's blocks behind the front with Whisper's, in place; CorpusError where its sizes do not allow it."""
    config = network.config
    wanted = {"output_size": WIDTH, "attention_heads": HEADS, "linear_units": 4 * WIDTH, "tp_blocks": 0, "activation": "gelu"}
    wrong = [f"{name} is {getattr(config, name)}, not {value}" for name, value in wanted.items() if getattr(config, name) != value]
    if wrong:
        raise CorpusError(f"this network cannot begin with Whisper base: {'; '.join(wrong)}; change asr in config.yaml")
    blocks = [*network.encoder.encoders0, *network.encoder.encoders]
    for block, number in zip(blocks[FRONT_BLOCKS:], whisper_blocks(len(blocks) - FRONT_BLOCKS), strict=True):
        _fill(block, weights, f"blocks.{number}")
    for block in blocks[1:FRONT_BLOCKS]:
        block.self_attn.linear_out.weight.mul_(_NEW_BLOCK_SCALE)
        block.feed_forward.w_2.weight.mul_(_NEW_BLOCK_SCALE)
        _silence_memory(block)
    network.encoder.after_norm.weight.copy_(weights["ln_post.weight"])
    network.encoder.after_norm.bias.copy_(weights["ln_post.bias"])


def _silence_memory(block: SanmBlock) -> None:
    taps = block.self_attn.fsmn_block.weight
    taps.zero_()
    taps[:, 0, taps.shape[-1] // 2] = -1.0


def _fill(block: SanmBlock, weights: Mapping[str, Tensor], name: str) -> None:
    attention = block.self_attn
    parts = ("query", "key", "value")
    attention.linear_q_k_v.weight.copy_(torch.cat([weights[f"{name}.attn.{part}.weight"] for part in parts]))
    no_bias = torch.zeros(WIDTH)  # Whisper's keys have none: the softmax takes it out again
    attention.linear_q_k_v.bias.copy_(torch.cat([weights.get(f"{name}.attn.{part}.bias", no_bias) for part in parts]))
    layers: dict[str, nn.Linear | nn.LayerNorm]
    layers = {"attn.out": attention.linear_out, "mlp.0": block.feed_forward.w_1, "mlp.2": block.feed_forward.w_2}
    layers |= {"attn_ln": block.norm1, "mlp_ln": block.norm2}
    for part, layer in layers.items():
        layer.weight.copy_(weights[f"{name}.{part}.weight"])
        layer.bias.copy_(weights[f"{name}.{part}.bias"])
    _silence_memory(block)
