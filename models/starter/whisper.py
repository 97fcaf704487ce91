"""Whisper base's encoder: read from a file that people have, and run.

Whisper is OpenAI's (https://github.com/openai/whisper, MIT licence). Its base size is what the starter begins with and learns from. Three
formats hold the same numbers: OpenAI's ``base.pt``, ``model.safetensors`` of Hugging Face, and CTranslate2's ``model.bin``
(https://github.com/OpenNMT/CTranslate2). All are read into OpenAI's parameter names.
"""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.files.content import sha256_of
from models.starter.corpus import CorpusError
from models.starter.mixed_precision import mixed_precision

WIDTH, HEADS, BLOCKS, MEL_BINS, HOP = 512, 8, 6, 80, 160
#: Files that were read and checked, by sha256; another file is read as well, if the person says so.
KNOWN = {
    "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e": "OpenAI's base.pt",
    "905e5bf8336bcc625ba4e33498d675a4b935504118c594d868c36e91a60c1a57": "CTranslate2's model.bin of Whisper base, float16",
}
_FORMATS = {".pt": "OpenAI", ".safetensors": "Hugging Face", ".bin": "CTranslate2"}
_CT2_TYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}


def teacher_file(path: Path) -> Path:
    """The weights' file: ``path`` itself, or the one in that folder; CorpusError where there is none or more than one."""
    if path.is_file():
        return path
    found = [path / name for name in ("base.pt", "model.safetensors", "model.bin") if (path / name).is_file()]
    if len(found) != 1:
        what = "no" if not found else "more than one"
        raise CorpusError(f"{path} holds {what} base.pt, model.safetensors or model.bin of Whisper base; name the file itself")
    return found[0]


def read_teacher(path: Path, *, any_file: bool = False) -> dict[str, Tensor]:
    """The encoder's weights by OpenAI's names, float32.

    CorpusError where the file is damaged, of another size than base, or (unless ``any_file``) not one of :data:`KNOWN`.
    """
    path = teacher_file(path)
    digest = sha256_of(path)
    if digest not in KNOWN and not any_file:
        known = "; ".join(f"{name}: {value}" for value, name in KNOWN.items())
        raise CorpusError(f"{path} has the sha256 {digest}, which nobody has checked ({known}); add --any-teacher if you trust it")
    reader = {".pt": _read_openai, ".safetensors": _read_hugging_face, ".bin": _read_ctranslate2}.get(path.suffix)
    if reader is None:
        raise CorpusError(f"{path}: weights end in {', '.join(_FORMATS)}, not in {path.suffix or 'nothing'}")
    try:
        weights = reader(path)
    except (OSError, ValueError, KeyError, struct.error, RuntimeError, IndexError) as error:
        raise CorpusError(f"{path} cannot be read as {_FORMATS[path.suffix]}'s weights ({str(error)[:120]}); fetch it again") from error
    _check(weights, path)
    return {name: value.float().contiguous() for name, value in weights.items()}


def _check(weights: dict[str, Tensor], path: Path) -> None:
    missing = [name for name in _names() if name not in weights]
    width = weights["conv1.weight"].shape[0] if "conv1.weight" in weights else None
    blocks = 1 + max((int(found.group(1)) for found in (re.match(r"blocks\.(\d+)\.", name) for name in weights) if found), default=-1)
    if width != WIDTH or blocks != BLOCKS:
        raise CorpusError(
            f"{path} is a Whisper of width {width} and {blocks} encoder blocks; the starter begins with base: {WIDTH} and {BLOCKS}"
        )
    if missing:
        raise CorpusError(f"{path} lacks {len(missing)} of the encoder's weights, the first is {missing[0]}; fetch it again")


def _names() -> list[str]:
    names = ["conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "positional_embedding", "ln_post.weight", "ln_post.bias"]
    parts = ("attn.query", "attn.key", "attn.value", "attn.out", "attn_ln", "mlp.0", "mlp.2", "mlp_ln")
    for block in range(BLOCKS):
        names += [f"blocks.{block}.{part}.{kind}" for part in parts for kind in ("weight", "bias") if (part, kind) != ("attn.key", "bias")]
    return names


def _read_openai(path: Path) -> dict[str, Tensor]:
    state = torch.load(path, map_location="cpu", weights_only=True)["model_state_dict"]
    return {name.removeprefix("encoder."): value for name, value in state.items() if name.startswith("encoder.")}


_HUGGING_FACE_NAMES = {
    "embed_positions.weight": "positional_embedding",
    "layer_norm.": "ln_post.",
    "layers.": "blocks.",
    "self_attn_layer_norm": "attn_ln",
    "self_attn.q_proj": "attn.query",
    "self_attn.k_proj": "attn.key",
    "self_attn.v_proj": "attn.value",
    "self_attn.out_proj": "attn.out",
    "final_layer_norm": "mlp_ln",
    "fc1": "mlp.0",
    "fc2": "mlp.2",
}


def _read_hugging_face(path: Path) -> dict[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        state = load_file(str(path))
    except SafetensorError as error:
        raise ValueError(str(error)) from error
    weights = {}
    for name, value in state.items():
        if (found := re.match(r"(?:model\.)?encoder\.(.+)", name)) is None:
            continue
        own = found.group(1)
        if own.startswith("layer_norm."):
            own = own.replace("layer_norm.", "ln_post.")
        else:
            for theirs, ours in _HUGGING_FACE_NAMES.items():
                if theirs != "layer_norm.":
                    own = own.replace(theirs, ours)
        weights[own] = value
    return weights


def _read_ctranslate2(path: Path) -> dict[str, Tensor]:
    """Little endian: version, specification's name, revision, count; then name, rank, sizes, type, bytes and data of each."""
    data, place = path.read_bytes(), 0

    def number(kind: str) -> int:
        nonlocal place
        value = int(struct.unpack_from("<" + kind, data, place)[0])
        place += struct.calcsize(kind)
        return value

    def text() -> str:
        nonlocal place
        length = number("H")
        place += length
        return data[place - length : place].rstrip(b"\0").decode()

    number("I")
    if (specification := text()) != "WhisperSpec":
        raise ValueError(f"its specification is {specification!r}, not WhisperSpec")
    number("I")
    variables: dict[str, Tensor] = {}
    for _ in range(number("I")):
        name = text()
        sizes = [number("I") for _ in range(number("B"))]
        kind, length = _CT2_TYPES[number("B")], number("I")
        variables[name] = torch.from_numpy(np.frombuffer(data, kind, length // np.dtype(kind).itemsize, place).reshape(sizes).copy())
        place += length
    return _from_ctranslate2(variables)


def _from_ctranslate2(variables: dict[str, Tensor]) -> dict[str, Tensor]:
    def take(name: str) -> Tensor:
        return variables[f"encoder/{name}"]

    weights = {
        f"conv{number}.{ours}": take(f"conv{number}/{theirs}")
        for number in (1, 2)
        for ours, theirs in (("weight", "weight"), ("bias", "bias"))
    }
    weights["positional_embedding"] = take("position_encodings/encodings")
    weights |= {"ln_post.weight": take("layer_norm/gamma"), "ln_post.bias": take("layer_norm/beta")}
    blocks = {int(found.group(1)) for found in (re.match(r"encoder/layer_(\d+)/", name) for name in variables) if found}
    for block in sorted(blocks):
        ours, theirs = f"blocks.{block}", f"layer_{block}"
        stacked = take(f"{theirs}/self_attention/linear_0/weight").chunk(3), take(f"{theirs}/self_attention/linear_0/bias").chunk(3)
        for part, weight, bias in zip(("query", "key", "value"), *stacked, strict=True):
            weights |= {f"{ours}.attn.{part}.weight": weight} | ({} if part == "key" else {f"{ours}.attn.{part}.bias": bias})
        for part, place in (("attn.out", "self_attention/linear_1"), ("mlp.0", "ffn/linear_0"), ("mlp.2", "ffn/linear_1")):
            weights |= {f"{ours}.{part}.{kind}": take(f"{theirs}/{place}/{kind}") for kind in ("weight", "bias")}
        for part, place in (("attn_ln", "self_attention/layer_norm"), ("mlp_ln", "ffn/layer_norm")):
            weights |= {f"{ours}.{part}.weight": take(f"{theirs}/{place}/gamma"), f"{ours}.{part}.bias": take(f"{theirs}/{place}/beta")}
    return weights


def mel_filters() -> np.ndarray:
    """Slaney's mel filters as Whisper uses them: -> (80, 201) float32."""
    import librosa

    return np.asarray(librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=400, n_mels=MEL_BINS), np.float32)


class WhisperEncoder:
    """The encoder without gradients: a recording to what comes out of its convolutions, and out of its last layer."""

    def __init__(self, weights: dict[str, Tensor], *, device: torch.device | str = "cpu") -> None:
        self.device = torch.device(device)
        self.weights = {name: value.to(self.device) for name, value in weights.items()}
        self.filters = torch.from_numpy(mel_filters()).to(self.device)
        self.window = torch.hann_window(400, device=self.device)

    def _mel(self, samples: Tensor) -> Tensor:
        """(N,) -> (80, N / 160) log mel, scaled as Whisper's is."""
        spectrum = torch.stft(samples, 400, HOP, window=self.window, return_complex=True)[:, :-1].abs() ** 2
        levels = torch.clamp(self.filters @ spectrum, min=1e-10).log10()
        return (torch.maximum(levels, levels.max() - 8.0) + 4.0) / 4.0

    @torch.inference_mode()
    def encode(self, samples: np.ndarray) -> tuple[Tensor, Tensor]:
        """(N,) mono samples at 16 kHz, at most 30 s -> what enters its blocks, and its output: both (T, 512), 50 frames a second."""
        given: dict[str, Any] = self.weights
        with mixed_precision(self.device):
            mel = self._mel(torch.from_numpy(samples).to(self.device))
            x = functional.gelu(functional.conv1d(mel[None], given["conv1.weight"], given["conv1.bias"], padding=1))
            x = functional.gelu(functional.conv1d(x, given["conv2.weight"], given["conv2.bias"], stride=2, padding=1))
            x = x.transpose(1, 2).float()
            entered = x = x + given["positional_embedding"][: x.shape[1]]
            for block in range(BLOCKS):
                x = self._block(x, f"blocks.{block}")
        left = functional.layer_norm(x, (WIDTH,), given["ln_post.weight"], given["ln_post.bias"])
        return entered[0], left[0]

    def _block(self, x: Tensor, name: str) -> Tensor:
        given = self.weights

        def linear(value: Tensor, part: str) -> Tensor:
            return functional.linear(value, given[f"{name}.{part}.weight"], given.get(f"{name}.{part}.bias"))

        def norm(value: Tensor, part: str) -> Tensor:
            return functional.layer_norm(value, (WIDTH,), given[f"{name}.{part}.weight"], given[f"{name}.{part}.bias"])

        def split(value: Tensor) -> Tensor:
            return value.view(1, -1, HEADS, WIDTH // HEADS).transpose(1, 2)

        y = norm(x, "attn_ln")
        query, key, value = (split(linear(y, f"attn.{part}")) for part in ("query", "key", "value"))
        attended = functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(1, -1, WIDTH)
        x = x + linear(attended, "attn.out").float()
        return x + linear(functional.gelu(linear(norm(x, "mlp_ln"), "mlp.0")), "mlp.2").float()
