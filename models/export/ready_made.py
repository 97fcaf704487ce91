"""Folders of ready-made weights: which layout a folder has, and what of it a bundle needs.

Known layouts: the official PyTorch checkpoints, FunASR's ONNX export (``iic/SenseVoiceSmall-onnx``: model.onnx, model_quant.onnx,
am.mvn, config.yaml, tokens.json or the bpe model), sherpa-onnx's (model.onnx, model.int8.onnx, tokens.txt, the rest in the graph's
metadata), and FunASR's FSMN-VAD export (model.onnx, model_quant.onnx, am.mvn or vad.mvn, config.yaml or vad.yaml).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from engine.bundle import MANIFEST
from models.bundle.upstream_layout import PROMPT, RANDOM_MARK
from models.export.graph_file import ExportError
from models.export.lean.graph_source import GraphSource
from models.export.logits_graph import FUNASR, Ports, feature_size, inputs_of, metadata_of, ports_of
from models.export.ready_frontend import Frontend, config_of, frontend_of
from models.export.ready_pieces import read_ready_pieces

FULL_NAMES = ("model.onnx",)
QUANTIZED_NAMES = ("model_quant.onnx", "model.int8.onnx")
QUANTIZED_OPERATORS = ("MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "DequantizeLinear")
OFFICIAL_FILES = ("model.pt", "config.yaml")
#: Where FSMN-VAD is looked for when nobody names its folder: inside the ASR folder, then beside it.
VAD_INSIDE = ("vad", "fsmn-vad")
VAD_BESIDE = ("speech_fsmn_vad_zh-cn-16k-common-onnx", "speech_fsmn_vad_zh-cn-16k-common-pytorch", "fsmn-vad")

LAYOUTS = (
    "the official checkpoint (model.pt, config.yaml, am.mvn, a bpe model)",
    "FunASR's ONNX (model.onnx or model_quant.onnx, config.yaml, am.mvn, tokens.json or a bpe model)",
    "sherpa-onnx's (model.onnx or model.int8.onnx, tokens.txt)",
)


@dataclass(frozen=True, kw_only=True)
class Graphs:
    """The ONNX files of one model in a folder: in full precision, quantized by whoever made them, or both."""

    full: Path | None
    quantized: Path | None

    @classmethod
    def of(cls, folder: Path) -> Graphs:
        """What a folder holds under the names upstream uses."""
        full, quantized = (
            next((folder / name for name in names if (folder / name).is_file()), None) for names in (FULL_NAMES, QUANTIZED_NAMES)
        )
        return cls(full=full, quantized=quantized)

    @classmethod
    def of_file(cls, path: Path) -> Graphs:
        """One file under any name, as what its operators say it is; ExportError if it is no ONNX file."""
        quantized = any(node.op_type in QUANTIZED_OPERATORS for node in GraphSource.open(path).model.graph.node)
        return cls(full=None if quantized else path, quantized=path if quantized else None)

    @property
    def paths(self) -> tuple[Path, ...]:
        """The files there are."""
        return tuple(path for path in (self.full, self.quantized) if path is not None)

    def header(self) -> tuple[Path, onnx.ModelProto]:
        """The file that describes the model, without its external weights; ExportError if it is no ONNX file."""
        return self.paths[0], GraphSource.open(self.paths[0]).model


@dataclass(frozen=True, kw_only=True)
class AsrFolder:
    """A ready-made SenseVoice: its graphs, their ports, its vocabulary, frontend and prompt rows."""

    folder: Path
    graphs: Graphs
    ports: Ports
    pieces: tuple[str, ...]
    frontend: Frontend
    prompt: Mapping[str, Mapping[str, int]]
    is_random: bool

    @classmethod
    def open(cls, folder: Path, *, graphs: Graphs | None = None) -> AsrFolder:
        """Read a folder in FunASR's or sherpa-onnx's layout, or ``graphs`` with what lies beside them; ExportError says what was looked
        for and what was found.
        """
        graphs = graphs or Graphs.of(folder)
        if not graphs.paths:
            raise unknown_layout(folder)
        path, header = graphs.header()
        ports = ports_of(header)
        if ports is None:
            found = ", ".join(inputs_of(header)) or "none"
            raise ExportError(
                f"{path} takes these inputs: {found}; FunASR's SenseVoice takes {', '.join(FUNASR.names)}, sherpa-onnx's x, x_length, "
                "language, text_norm"
            )
        metadata = metadata_of(header)
        if metadata.get("normalize_samples", "0") != "0":
            raise ExportError(f"{path} wants samples between -1 and 1 (normalize_samples); SenseVoice-Small hears 16-bit samples")
        config = config_of(folder)
        stated = metadata.get("vocab_size", "")
        pieces = read_ready_pieces(folder, vocab_size=int(stated) if stated.isdecimal() else _outputs(header))
        return cls(
            folder=folder,
            graphs=graphs,
            ports=ports,
            pieces=tuple(pieces),
            frontend=frontend_of(folder, config, metadata, given=feature_size(header, name=ports.speech)),
            prompt=_prompt(metadata, path),
            is_random=bool((config or {}).get(RANDOM_MARK, False)),
        )

    @property
    def title(self) -> str:
        """What the layout is called."""
        return "FunASR's ONNX" if self.ports is FUNASR else "sherpa-onnx's ONNX"


@dataclass(frozen=True, kw_only=True)
class VadFolder:
    """A ready-made FSMN-VAD: its graphs and its frontend."""

    folder: Path
    graphs: Graphs
    frontend: Frontend

    @classmethod
    def open(cls, folder: Path) -> VadFolder:
        """Read a folder in FunASR's ONNX layout; ExportError says what it lacks."""
        graphs = Graphs.of(folder)
        path, header = graphs.header()
        name = next(iter(inputs_of(header)), "")
        if ports_of(header) is not None or not name:
            raise ExportError(
                f"{path} is no FSMN-VAD: it takes the inputs {', '.join(inputs_of(header))}; name the VAD's folder with --vad"
            )
        return cls(folder=folder, graphs=graphs, frontend=frontend_of(folder, config_of(folder), {}, given=feature_size(header, name=name)))


class NoVadError(ExportError):
    """No FSMN-VAD where one was looked for."""


def is_official(folder: Path) -> bool:
    """Whether a folder holds an official PyTorch checkpoint (graphs that FunASR exported beside it do not matter)."""
    return all((folder / name).is_file() for name in OFFICIAL_FILES)


def find_vad(folder: Path, vad_folder: Path | None) -> Path:
    """The FSMN-VAD of an ASR folder: the folder that was named, or one inside or beside it; NoVadError lists where it was looked for."""
    inside, beside = ([place / name for name in names] for place, names in ((folder, VAD_INSIDE), (folder.absolute().parent, VAD_BESIDE)))
    candidates = [vad_folder] if vad_folder is not None else [*inside, *beside]
    for candidate in candidates:
        if is_official(candidate) or Graphs.of(candidate).paths:
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise NoVadError(f"no FSMN-VAD (model.pt, model.onnx or model_quant.onnx) in {looked}; fetch it, and name its folder with --vad")


def unknown_layout(folder: Path, *, named: Path | None = None) -> ExportError:
    """The error for a folder in no layout we know: what was looked for, and what lies there; ``named`` is what a person calls it."""
    if (folder / MANIFEST).is_file():
        if named is not None:
            return ExportError(f"{named} holds a bundle; unpack it, and use its folder with --bundle")
        return ExportError(f"{folder} is a bundle already; use it with --bundle {folder}")
    names = sorted(path.name for path in folder.iterdir()) or ["nothing"]
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return ExportError(
        f"{named or folder} has no layout that can be imported: looked for {'; '.join(LAYOUTS)}; found {', '.join(names[:12])}{more}"
    )


def _outputs(header: onnx.ModelProto) -> int:
    dims = [entry.type.tensor_type.shape.dim for entry in header.graph.output[:1]]
    return dims[0][-1].dim_value if dims and dims[0] else 0


def _prompt(metadata: Mapping[str, str], path: Path) -> dict[str, dict[str, int]]:
    """The prompt rows: those that sherpa-onnx's metadata states, upstream's where it is silent."""
    keys = {
        "language": {language: f"lang_{language}" for language in PROMPT["language"]},
        "textnorm": {"withitn": "with_itn", "woitn": "without_itn"},
    }
    prompt = {family: dict(rows) for family, rows in PROMPT.items()}
    for family, names in keys.items():
        for value, key in names.items():
            stated = metadata.get(key)
            if stated is not None and not stated.isdecimal():
                raise ExportError(f"{path}: {key} in its metadata is {stated!r}, not a row number; fetch it again")
            prompt[family][value] = prompt[family][value] if stated is None else int(stated)
    return prompt
