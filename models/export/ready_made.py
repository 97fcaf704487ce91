"""Folders of ready-made weights: which layout a folder has, and what of it a bundle needs.

Known layouts: the official PyTorch checkpoints, FunASR's ONNX export (``iic/SenseVoiceSmall-onnx``: model.onnx, model_quant.onnx,
am.mvn, config.yaml, tokens.json or the bpe model), sherpa-onnx's (model.onnx, model.int8.onnx, tokens.txt, the rest in the graph's
metadata), and FunASR's FSMN-VAD export (model.onnx, model_quant.onnx, am.mvn or vad.mvn, config.yaml or vad.yaml).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import yaml

from engine.bundle import MANIFEST
from engine.speech.features import FBANK_BINS, Cmvn
from engine.speech.vocabulary import Vocabulary
from models.bundle.bpe_pieces import read_pieces
from models.bundle.cmvn import write_cmvn
from models.bundle.upstream_layout import PROMPT, RANDOM_MARK
from models.export.graph_file import ExportError
from models.export.lean.graph_source import GraphSource
from models.export.logits_graph import FUNASR, Ports, feature_size, inputs_of, metadata_of, ports_of

FULL_NAMES = ("model.onnx",)
QUANTIZED_NAMES = ("model_quant.onnx", "model.int8.onnx")
QUANTIZED_OPERATORS = ("MatMulInteger", "DynamicQuantizeMatMul", "QLinearMatMul", "DequantizeLinear")
OFFICIAL_FILES = ("model.pt", "config.yaml")
CONFIG_NAMES = ("config.yaml", "vad.yaml")
CMVN_NAMES = ("am.mvn", "vad.mvn")
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


def read_ready_pieces(folder: Path, *, vocab_size: int) -> list[str]:
    """The vocabulary of a ready-made folder in id order: tokens.txt, tokens.json or a bpe model.

    ExportError where there is none, or where it is not ``vocab_size`` long (0: the graph does not say, and is asked later).
    """
    text, listed = folder / "tokens.txt", folder / "tokens.json"
    if text.is_file():
        vocabulary, source = Vocabulary.load(text), text
        pieces = [vocabulary.piece(index) for index in range(len(vocabulary))]
    elif listed.is_file():
        pieces, source = _listed_pieces(listed), listed
    elif vocab_size and any(folder.glob("*.model")):
        return read_pieces(folder, vocab_size=vocab_size)
    else:
        raise ExportError(
            f"{folder} has no vocabulary: put tokens.txt (or tokens.json, or the bpe model *.model) of this very model beside the graph"
        )
    if vocab_size not in (0, len(pieces)):
        raise ExportError(
            f"{source} holds {len(pieces)} pieces where the graph has {vocab_size} outputs; take the tokens of this very model"
        )
    return pieces


def _listed_pieces(path: Path) -> list[str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ExportError(f"{path} is not readable JSON ({type(error).__name__}); fetch it again") from error
    if isinstance(values, dict) and all(isinstance(index, int) for index in values.values()):
        numbered = sorted((index, piece) for piece, index in values.items())
        values = [piece for _, piece in numbered] if [index for index, _ in numbered] == list(range(len(values))) else None
    if not isinstance(values, list) or not values or not all(isinstance(piece, str) and piece and "\n" not in piece for piece in values):
        raise ExportError(f"{path} is not a list of pieces, nor pieces with ids from 0 on; fetch it again")
    return values


def _outputs(header: onnx.ModelProto) -> int:
    dims = [entry.type.tensor_type.shape.dim for entry in header.graph.output[:1]]
    return dims[0][-1].dim_value if dims and dims[0] else 0


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
