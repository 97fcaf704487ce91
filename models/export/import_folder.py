"""A local folder of weights → a bundle: official checkpoints are exported, ready-made ONNX graphs are converted.

The bundle appears under its name only when every graph in it ran on the engine's session and equals its source.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import yaml

from engine.errors import LightVoiceError, first_line
from engine.files.claimed_folder import claimed_folder
from models.bundle.disk import require_space
from models.bundle.manifest import write_manifest
from models.bundle.upstream_layout import full_size_fields, write_tokens
from models.export.assemble import add_dynamic_int8, assemble
from models.export.graph_file import ExportError
from models.export.imported import INT8, MadeModel, make_asr, make_vad, make_vad_of_checkpoint
from models.export.ready_made import AsrFolder, Graphs, VadFolder, find_vad, is_official, unknown_layout
from models.networks.checkpoint import VAD_PREFIX

log = logging.getLogger(__name__)

#: Names of bundles that nobody named.
OFFICIAL_NAME, READY_MADE_NAME = "sensevoice-small", "sensevoice-small-onnx"
#: The graph as converted, our INT8 of it, and the quantizer's own copies.
COPIES = 3


def import_folder(folder: Path, output: Path, *, vad_folder: Path | None = None, name: str | None = None) -> Path:
    """Make the bundle ``output`` of a local folder in any of the layouts that :mod:`models.export.ready_made` knows: -> ``output``.

    FSMN-VAD is taken from ``vad_folder``, or found inside or beside the folder, as a checkpoint or as ONNX. Nothing is left
    behind by an import that fails. Raises ExportError, DiskFullError, and the engine's errors about tokens and CMVN.
    """
    if output.exists():
        raise ExportError(f"{output} exists already; choose another --output or delete it")
    if not folder.is_dir():
        raise ExportError(f"there is no folder {folder}; check the path")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with claimed_folder(output.parent, ".import-") as temporary:
            staging = temporary / "bundle"
            make = _import_official if is_official(folder) else _import_ready_made
            make(folder, staging, vad_folder, name)
            staging.rename(output)
    except LightVoiceError:  # some of ours are OSErrors too, and say more than its words
        raise
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise ExportError(f"{output} could not be written ({reason}); free some space, or choose an --output on another disk") from error
    return output


def _import_official(folder: Path, staging: Path, vad_folder: Path | None, name: str | None) -> None:
    vad = find_vad(folder, vad_folder)
    if not is_official(vad):
        vad = _checkpoint_of(VadFolder.open(vad), staging.parent)
    assemble(folder, staging, vad_folder=vad, name=name or OFFICIAL_NAME)
    add_dynamic_int8(staging)


def _checkpoint_of(vad: VadFolder, place: Path) -> Path:
    """A ready-made FSMN-VAD in the official layout, in a folder of the same name in ``place``."""
    import torch

    from models.networks.weights import fsmn_vad_of

    if vad.graphs.full is None:
        raise ExportError(
            f"{vad.folder} holds a quantized FSMN-VAD alone; beside a checkpoint it is needed in FP32 (model.onnx or model.pt)"
        )
    network = fsmn_vad_of(vad.graphs.full)
    folder = place / "vad" / vad.folder.name
    folder.mkdir(parents=True)
    torch.save({VAD_PREFIX + key: value for key, value in network.state_dict().items()}, folder / "model.pt")
    stacking = {"lfr_m": vad.frontend.lfr_m, "lfr_n": vad.frontend.lfr_n}
    config = {"encoder": "FSMN", "encoder_conf": asdict(network.config), "frontend_conf": stacking}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    vad.frontend.write_cmvn(folder / "am.mvn")
    return folder


def _import_ready_made(folder: Path, staging: Path, vad_folder: Path | None, name: str | None) -> None:
    if not Graphs.of(folder).paths:
        raise unknown_layout(folder)
    asr, vad_place = AsrFolder.open(folder), find_vad(folder, vad_folder)
    vad = None if is_official(vad_place) else VadFolder.open(vad_place)
    sources = [*asr.graphs.paths, *(vad.graphs.paths if vad else [])]
    require_space(staging.parent, COPIES * sum(_file_bytes(path) for path in sources))
    staging.mkdir()
    write_tokens(staging / "tokens.txt", asr.pieces)
    made_vad = make_vad_of_checkpoint(vad_place, staging) if vad is None else make_vad(vad, staging)
    made_asr = make_asr(asr, staging)
    variants = pair_variants(made_asr.files, made_vad.files)
    used = {file for files in variants.values() for file in files.values()}
    for path in staging.glob("*.onnx"):
        if path.name not in used:  # the FP32 VAD of an ASR that came quantized alone
            path.unlink()
    write_manifest(staging, _fields(asr, vad_place.name, made_asr, made_vad, name=name or READY_MADE_NAME) | {"variants": variants})


def _file_bytes(graph: Path) -> int:
    """Size of a graph with the weights beside it, whatever they are called."""
    return sum(path.stat().st_size for path in graph.parent.glob(f"{graph.name}*"))


def pair_variants(asr: Mapping[str, str], vad: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """The variants of a bundle, by the ASR's; where the VAD has no such graph, its INT8 one serves."""
    return {variant: {"asr": file, "vad": vad.get(variant, vad[INT8])} for variant, file in asr.items()}


def _fields(asr: AsrFolder, vad_name: str, made_asr: MadeModel, made_vad: MadeModel, *, name: str) -> dict[str, Any]:
    made = {"asr": made_asr, "vad": made_vad}
    return full_size_fields(
        name=name,
        description="SenseVoice-Small with FSMN-VAD, converted from ready-made ONNX graphs.",
        is_random=asr.is_random,
        source=f"converted from {asr.title} in {asr.folder.resolve().name} and {vad_name}",
        lfr={model: {"m": one.frontend.lfr_m, "n": one.frontend.lfr_n} for model, one in made.items()},
        prompt=asr.prompt,
        parameters={model: one.parameters for model, one in made.items() if one.parameters},
    )
