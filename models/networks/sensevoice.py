"""The SenseVoice-Small network in PyTorch, in the form that trains, exports and loads the official checkpoint.

The architecture is FunAudioLLM's SenseVoice-Small (https://arxiv.org/abs/2407.04051): prompt embeddings in front of
the features, SAN-M blocks (self-attention plus a depthwise FSMN memory on the values, https://arxiv.org/abs/2006.01713),
one linear layer to the vocabulary, CTC. Parameter names are the official checkpoint's, so that ``model.pt`` loads with
``strict=True``. The code is written anew for export: no mask when a batch has one length, one fused attention operator,
positions as a constant table. The graphs made of it are in ``models.export.export``, ``models.export.gpu_graph`` and
``models.export.logits``.

What this file does not do: features (``engine.speech.features``), decoding (``engine.speech.ctc``), training (``models.starter``).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

PROMPT_POSITIONS = 4
EMBEDDING_ROWS = 16  # 7 spare + 7 languages + 2 text norms, as upstream lays its table out


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"relu": torch.relu, "gelu": nn.functional.gelu}


@dataclass(frozen=True, kw_only=True)
class SenseVoiceConfig:
    """Sizes of one SenseVoice network; the defaults are SenseVoice-Small's."""

    input_size: int = 560
    output_size: int = 512
    attention_heads: int = 4
    linear_units: int = 2048
    num_blocks: int = 50
    tp_blocks: int = 20
    kernel_size: int = 11
    vocab_size: int = 25055
    #: Between the two layers of a feed-forward: SenseVoice's "relu", or "gelu" for a network that begins with Whisper's blocks.
    activation: str = "relu"

    def __post_init__(self) -> None:
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation is {self.activation!r}; choose one of {', '.join(ACTIVATIONS)}")

    @classmethod
    def from_official(cls, config: dict[str, Any], *, vocab_size: int, input_size: int = 560) -> SenseVoiceConfig:
        """Read the sizes out of an official ``config.yaml`` that was parsed to a dict."""
        encoder = config["encoder_conf"]
        return cls(
            input_size=input_size,
            output_size=encoder["output_size"],
            attention_heads=encoder["attention_heads"],
            linear_units=encoder["linear_units"],
            num_blocks=encoder["num_blocks"],
            tp_blocks=encoder["tp_blocks"],
            kernel_size=encoder["kernel_size"],
            vocab_size=vocab_size,
        )


def sinusoidal_positions(length: int, depth: int) -> Tensor:
    """Position table counted from 1, sines then cosines: -> (1, length, depth) float32."""
    step = math.log(10000.0) / (depth / 2 - 1)
    inverse = torch.exp(torch.arange(depth // 2, dtype=torch.float32) * -step)
    angles = torch.arange(1, length + 1, dtype=torch.float32)[:, None] * inverse[None, :]
    return torch.cat([torch.sin(angles), torch.cos(angles)], dim=1)[None]


class _FusedAttention(torch.autograd.Function):
    """Exports as one ``com.microsoft::MultiHeadAttention``; in PyTorch it is scaled dot-product attention."""

    @staticmethod
    def forward(_: Any, query: Tensor, key: Tensor, value: Tensor, heads: int) -> Tensor:
        return attend(query, key, value, heads=heads, mask=None)

    @staticmethod
    def symbolic(g: Any, query: Any, key: Any, value: Any, heads: int) -> Any:
        return g.op("com.microsoft::MultiHeadAttention", query, key, value, num_heads_i=heads).setType(query.type())


class _MaskedAttention(torch.autograd.Function):
    """The same operator with a key padding mask, (B, T) int32, 1 where there is speech: for batches of unequal lengths."""

    @staticmethod
    def forward(_: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor, heads: int) -> Tensor:
        return attend(query, key, value, heads=heads, mask=mask.bool())

    @staticmethod
    def symbolic(g: Any, query: Any, key: Any, value: Any, mask: Any, heads: int) -> Any:
        bias = g.op("prim::Constant").setType(torch.OptionalType.ofTensor())
        attended = g.op("com.microsoft::MultiHeadAttention", query, key, value, bias, mask, num_heads_i=heads)
        return attended.setType(query.type())


def attend(query: Tensor, key: Tensor, value: Tensor, *, heads: int, mask: Tensor | None) -> Tensor:
    """Multi-head attention, inputs and output (B, T, D); ``mask`` is (B, T) bool, True where there is speech."""
    batch, length, size = query.shape
    shape = (batch, length, heads, size // heads)
    query, key, value = (tensor.reshape(shape).transpose(1, 2) for tensor in (query, key, value))
    attention_mask = None if mask is None else mask[:, None, None, :]
    if torch.is_grad_enabled() and query.device.type == "cpu":
        mixed = _attend_by_steps(query, key, value, attention_mask)
    else:
        mixed = nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attention_mask)
    return mixed.transpose(1, 2).reshape(batch, length, size)


def _attend_by_steps(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    """The same in plain products, (B, H, T, D): on a CPU the fused operator's gradient takes five times as long for short clips."""
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
    mixed: Tensor = scores.softmax(-1).to(value.dtype) @ value
    return mixed


class ChannelDropout(nn.Module):
    """Dropout of whole channels of an utterance, (B, T, D): forty times fewer random numbers, which were a quarter of a training step."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.share == 0.0:
            return x
        kept = torch.rand(x.shape[0], 1, x.shape[2], device=x.device) >= self.share
        return x * (kept.to(x.dtype) / (1.0 - self.share))


class SanmAttention(nn.Module):
    """Self-attention with an FSMN memory on the values: (B, T, in) -> (B, T, out)."""

    def __init__(self, *, heads: int, in_size: int, size: int, kernel_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.heads, self.size = heads, size
        self.linear_q_k_v = nn.Linear(in_size, size * 3)
        self.linear_out = nn.Linear(size, size)
        self.fsmn_block = nn.Conv1d(size, size, kernel_size, groups=size, bias=False, padding=(kernel_size - 1) // 2)
        self.dropout = ChannelDropout(dropout)

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        size = self.size
        query, key, value = self.linear_q_k_v(x).split([size, size, size], dim=-1)
        if not torch.onnx.is_in_onnx_export():
            attended = attend(query, key, value, heads=self.heads, mask=mask)
        elif mask is None:
            attended = _FusedAttention.apply(query, key, value, self.heads)  # type: ignore[no-untyped-call]  # torch gives apply no types
        else:
            attended = _MaskedAttention.apply(query, key, value, mask.to(torch.int32), self.heads)  # type: ignore[no-untyped-call]  # torch gives apply no types
        if mask is not None:
            value = value * mask[:, :, None].to(value.dtype)
        memory = self.fsmn_block(value.transpose(1, 2)).transpose(1, 2) + value
        memory = self.dropout(memory)
        if mask is not None:
            memory = memory * mask[:, :, None].to(memory.dtype)
        out: Tensor = self.linear_out(attended) + memory
        return out


class FeedForward(nn.Module):
    """Two linear layers with a ReLU (or GELU) between: (B, T, D) -> (B, T, D)."""

    def __init__(self, *, size: int, units: int, activation: str = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        self.activation = ACTIVATIONS[activation]
        self.w_1 = nn.Linear(size, units)
        self.w_2 = nn.Linear(units, size)
        self.dropout = ChannelDropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.w_2(self.dropout(self.activation(self.w_1(x))))
        return out


class SanmBlock(nn.Module):
    """One pre-norm SAN-M layer; where the width changes (the first layer) there is no residual around attention."""

    def __init__(self, *, config: SenseVoiceConfig, in_size: int, dropout: float = 0.0) -> None:
        super().__init__()
        size = config.output_size
        self.self_attn = SanmAttention(
            heads=config.attention_heads, in_size=in_size, size=size, kernel_size=config.kernel_size, dropout=dropout
        )
        self.feed_forward = FeedForward(size=size, units=config.linear_units, activation=config.activation, dropout=dropout)
        self.norm1 = nn.LayerNorm(in_size)
        self.norm2 = nn.LayerNorm(size)
        self.dropout = ChannelDropout(dropout)
        self.residual = in_size == size

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        attended = self.dropout(self.self_attn(self.norm1(x), mask))
        x = x + attended if self.residual else attended
        out: Tensor = x + self.dropout(self.feed_forward(self.norm2(x)))
        return out


class SanmEncoder(nn.Module):
    """Scale, positions, ``num_blocks`` layers, norm, ``tp_blocks`` layers, norm: (B, T, 560) -> (B, T, D)."""

    positions: Tensor

    def __init__(self, config: SenseVoiceConfig, *, dropout: float = 0.0, max_positions: int = 1024) -> None:
        super().__init__()
        size = config.output_size
        self.scale = size**0.5
        self.encoders0 = nn.ModuleList([SanmBlock(config=config, in_size=config.input_size, dropout=dropout)])
        self.encoders = nn.ModuleList([SanmBlock(config=config, in_size=size, dropout=dropout) for _ in range(config.num_blocks - 1)])
        self.tp_encoders = nn.ModuleList([SanmBlock(config=config, in_size=size, dropout=dropout) for _ in range(config.tp_blocks)])
        self.after_norm = nn.LayerNorm(size)
        self.tp_norm = nn.LayerNorm(size)
        self.register_buffer("positions", sinusoidal_positions(max_positions, config.input_size), persistent=False)

    def restore_positions(self) -> None:
        """Compute the position table again, after a network that was made without memory got some."""
        self.positions = sinusoidal_positions(self.positions.shape[1], self.positions.shape[2])

    def forward(self, x: Tensor, mask: Tensor | None, *, taps: dict[int, Tensor] | None = None) -> Tensor:
        """``taps`` names blocks by number, counted from 1; their output (B, T, D) is written there."""
        x = x * self.scale + self.positions[:, : x.shape[1]].to(x.dtype)
        for number, block in enumerate([*self.encoders0, *self.encoders], start=1):
            x = block(x, mask)
            if taps is not None and number in taps:
                taps[number] = x
        x = self.after_norm(x)
        for block in self.tp_encoders:
            x = block(x, mask)
        out: Tensor = self.tp_norm(x)
        return out


class CtcHead(nn.Module):
    """The linear layer to the vocabulary, named as in the official checkpoint (``ctc.ctc_lo``)."""

    def __init__(self, *, size: int, vocab_size: int) -> None:
        super().__init__()
        self.ctc_lo = nn.Linear(size, vocab_size)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.ctc_lo(x)
        return logits


class SenseVoice(nn.Module):
    """SenseVoice: features and prompts to logits.

    ``forward(speech (B, T, 560), language (B,), textnorm (B,), lengths (B,) or None) -> logits (B, T + 4, V)``.
    Without ``lengths`` no mask is made: every row must then be T frames long.
    """

    def __init__(self, config: SenseVoiceConfig, *, dropout: float = 0.0, max_positions: int = 1024) -> None:
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(EMBEDDING_ROWS, config.input_size)
        self.encoder = SanmEncoder(config, dropout=dropout, max_positions=max_positions)
        self.ctc = CtcHead(size=config.output_size, vocab_size=config.vocab_size)

    def forward(self, speech: Tensor, language: Tensor, textnorm: Tensor, lengths: Tensor | None = None) -> Tensor:
        logits: Tensor = self.ctc(self.encode(speech, language, textnorm, lengths))
        return logits

    def encode(
        self, speech: Tensor, language: Tensor, textnorm: Tensor, lengths: Tensor | None = None, *, taps: dict[int, Tensor] | None = None
    ) -> Tensor:
        """Everything before the vocabulary: -> (B, T + 4, D); ``taps`` as in SanmEncoder."""
        event_emotion = self.embed.weight[1:3][None].expand(speech.shape[0], -1, -1)
        prompt = [self.embed(language)[:, None], event_emotion, self.embed(textnorm)[:, None]]
        x = torch.cat([*prompt, speech], dim=1)
        mask = None
        if lengths is not None:
            mask = torch.arange(x.shape[1], device=x.device)[None] < (lengths + PROMPT_POSITIONS)[:, None]
        encoded: Tensor = self.encoder(x, mask, taps=taps)
        return encoded
