"""Local weights → a bundle: official checkpoints are exported, ready-made ONNX graphs are converted.

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
from models.export.graph_file import ExportError
from models.export.import_source import ImportSource, opened
from models.export.imported import make_asr
from models.export.imported_vad import copy_starters_vad, make_vad, make_vad_of_checkpoint
from models.export.lean.graph_source import GraphSource
from models.export.made_model import INT8, MadeModel
from models.export.ready_made import AsrFolder, Graphs, NoVadError, VadFolder, find_vad, is_official, unknown_layout

log = logging.getLogger(__name__)

#: Names of bundles that nobody named.
OFFICIAL_NAME, READY_MADE_NAME = "sensevoice-small", "sensevoice-small-onnx"
#: The graph as converted, our INT8 of it, and the quantizer's own copies.
COPIES = 3
#: What the source of a bundle calls the VAD of one that came without.
STARTERS_VAD = "the embedded starter's VAD (CC BY-NC-SA 4.0)"


def import_folder(path: Path, output: Path, *, vad_folder: Path | None = None, name: str | None = None) -> Path:
    """Make the bundle ``output`` of a folder, an archive or an ``.onnx`` file (:mod:`models.export.import_source`) in any of the layouts
    that :mod:`models.export.ready_made` knows: -> ``output``.

    FSMN-VAD is taken from ``vad_folder``, or found inside or beside the folder, as a checkpoint or as ONNX; a ready-made SenseVoice
    that comes without gets the embedded starter's. Nothing is left behind by an import that fails. Raises ExportError, DiskFullError,
    and the engine's errors about tokens and CMVN.
    """
    if output.exists():
        raise ExportError(f"{output} exists already; choose another --output or delete it")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with claimed_folder(output.parent, ".import-") as temporary:
            staging = temporary / "bundle"
            with opened(path, temporary) as source:
                make = _import_official if source.graphs is None and is_official(source.folder) else _import_ready_made
                make(source, staging, vad_folder or source.vad, name)
            staging.rename(output)
    except LightVoiceError:  # some of ours are OSErrors too, and say more than its words
        raise
    except OSError as error:
        reason = error.strerror or first_line(error)
        raise ExportError(f"{output} could not be written ({reason}); free some space, or choose an --output on another disk") from error
    return output


def _import_official(source: ImportSource, staging: Path, vad_folder: Path | None, name: str | None) -> None:
    from models.export.assemble import add_dynamic_int8, assemble

    folder, vad = source.folder, find_vad(source.folder, vad_folder)
    if not is_official(vad):
        vad = _checkpoint_of(VadFolder.open(vad), staging.parent)
    assemble(folder, staging, vad_folder=vad, name=name or OFFICIAL_NAME)
    add_dynamic_int8(staging)


def _checkpoint_of(vad: VadFolder, place: Path) -> Path:
    """A ready-made FSMN-VAD in the official layout, in a folder of the same name in ``place``."""
    import torch

    from models.networks.checkpoint import VAD_PREFIX
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


def _import_ready_made(source: ImportSource, staging: Path, vad_folder: Path | None, name: str | None) -> None:
    graphs = source.graphs or Graphs.of(source.folder)
    if not graphs.paths:
        raise unknown_layout(source.folder)
    asr, vad_place = AsrFolder.open(source.folder, graphs=graphs), _find_vad(source.folder, vad_folder)
    vad = None if vad_place is None or is_official(vad_place) else VadFolder.open(vad_place)
    sources = [*asr.graphs.paths, *(vad.graphs.paths if vad else [])]
    require_space(staging.parent, COPIES * sum(GraphSource.open(path).size_bytes for path in sources))
    staging.mkdir()
    write_tokens(staging / "tokens.txt", asr.pieces)
    if vad_place is None:
        made_vad = copy_starters_vad(staging)
    else:
        made_vad = make_vad_of_checkpoint(vad_place, staging) if vad is None else make_vad(vad, staging)
    made_asr = make_asr(asr, staging)
    variants = pair_variants(made_asr.files, made_vad.files)
    used = {file for files in variants.values() for file in files.values()}
    for path in staging.glob("*.onnx"):
        if path.name not in used:  # the FP32 VAD of an ASR that came quantized alone
            path.unlink()
    vad_name = STARTERS_VAD if vad_place is None else vad_place.name
    write_manifest(staging, _fields(asr, vad_name, made_asr, made_vad, name=name or READY_MADE_NAME) | {"variants": variants})


def _find_vad(folder: Path, vad_folder: Path | None) -> Path | None:
    """FSMN-VAD's folder; None where nobody named one and there is none."""
    try:
        return find_vad(folder, vad_folder)
    except NoVadError as error:
        if vad_folder is not None:
            raise
        log.warning("%s; until then the bundle has the embedded starter's VAD", error)
        return None


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
