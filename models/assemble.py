"""Official checkpoints → a bundle: SenseVoice and FSMN-VAD exported, quantized and described in one folder."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

from engine.tags import TAG_POSITIONS, piece_of
from models.contract import PROMPT, write_tokens
from models.export import ExportError, export_asr, export_vad
from models.manifest import read_manifest, write_manifest
from models.official import Checkpoint, load_fsmn_vad, load_sensevoice, read_pieces
from models.quantize import dynamic

log = logging.getLogger(__name__)
LICENCE = "FunASR Model Open Source License Agreement (weights); Apache-2.0 (LightVoice code)"


def find_vad_folder(asr_folder: Path, vad_folder: Path | None) -> Path:
    """The FSMN-VAD checkpoint: the folder that was named, or ``vad`` inside or beside the ASR folder."""
    candidates = [vad_folder] if vad_folder else [asr_folder / "vad", asr_folder.parent / "speech_fsmn_vad_zh-cn-16k-common-pytorch"]
    for candidate in candidates:
        if candidate is not None and (candidate / "model.pt").is_file():
            return candidate
    looked = ", ".join(str(candidate) for candidate in candidates)
    raise ExportError(f"no FSMN-VAD checkpoint in {looked}; name its folder with --vad")


def _frontend(checkpoint: Checkpoint) -> dict[str, int]:
    settings = checkpoint.config["frontend_conf"]
    return {"m": int(settings["lfr_m"]), "n": int(settings["lfr_n"])}


def assemble(asr_folder: Path, output: Path, *, vad_folder: Path | None = None, name: str = "sensevoice-small") -> Path:
    """Export both checkpoints to the bundle ``output``; the folder appears only when everything in it is checked."""
    if output.exists():
        raise ExportError(f"{output} exists already; choose another --output or delete it")
    asr_checkpoint, vad_checkpoint = Checkpoint.open(asr_folder), Checkpoint.open(find_vad_folder(asr_folder, vad_folder))
    for checkpoint, kind in ((asr_checkpoint, "sensevoice"), (vad_checkpoint, "fsmn-vad")):
        if checkpoint.kind != kind:
            raise ExportError(f"{checkpoint.folder} holds {checkpoint.kind} where {kind} is needed")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=".export-") as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        fields = _fill(folder, asr_checkpoint, vad_checkpoint, name=name)
        write_manifest(folder, fields)
        folder.rename(output)
    return output


def _fill(folder: Path, asr_checkpoint: Checkpoint, vad_checkpoint: Checkpoint, *, name: str) -> dict[str, Any]:
    asr, vad = load_sensevoice(asr_checkpoint), load_fsmn_vad(vad_checkpoint)
    pieces = read_pieces(asr_checkpoint.folder, vocab_size=asr.config.vocab_size)
    write_tokens(folder / "tokens.txt", pieces)
    shutil.copyfile(asr_checkpoint.folder / "am.mvn", folder / "asr.mvn")
    shutil.copyfile(vad_checkpoint.folder / "am.mvn", folder / "vad.mvn")
    lfr = {"asr": _frontend(asr_checkpoint), "vad": _frontend(vad_checkpoint)}
    ids = {piece: index for index, piece in enumerate(pieces)}
    tag_ids = [ids[piece_of(tag)] for family in TAG_POSITIONS for tag in family if piece_of(tag) in ids]
    asr_lfr, vad_lfr = lfr["asr"], lfr["vad"]
    export_asr(asr, folder / "asr.fp32.onnx", tag_ids=tag_ids, metadata={"lfr_m": asr_lfr["m"], "lfr_n": asr_lfr["n"]})
    export_vad(vad, folder / "vad.fp32.onnx", metadata={"lfr_m": vad_lfr["m"], "lfr_n": vad_lfr["n"]})
    parameters = {"asr": sum(p.numel() for p in asr.parameters()), "vad": sum(p.numel() for p in vad.parameters())}
    return {
        "name": name,
        "kind": "sensevoice-small",
        "version": "1",
        "title": name,
        "description": "SenseVoice-Small with FSMN-VAD, exported from a checkpoint in the official layout.",
        "source": f"exported from {asr_checkpoint.folder.name} and {vad_checkpoint.folder.name}",
        "licence": LICENCE,
        "languages": ["zh", "en", "yue", "ja", "ko"],
        "sample_rate": 16_000,
        "lfr": lfr,
        "prompt": PROMPT,
        "variants": {"fp32": {"asr": "asr.fp32.onnx", "vad": "vad.fp32.onnx"}},
        "tokens": "tokens.txt",
        "cmvn": {"asr": "asr.mvn", "vad": "vad.mvn"},
        "parameters": parameters,
    }


def add_dynamic_int8(bundle: Path) -> None:
    """Add the default INT8 variant to a bundle; ``bundle.json`` names it only when both graphs are written."""
    manifest = read_manifest(bundle)
    source = manifest["variants"]["fp32"]
    for model, external in (("asr", True), ("vad", False)):
        target = bundle / f"{model}.int8.onnx"
        log.info("quantizing %s", source[model])
        dynamic.quantize(bundle / source[model], target, external=external)
    manifest["variants"]["int8"] = {"asr": "asr.int8.onnx", "vad": "vad.int8.onnx"}
    manifest.pop("files")
    manifest.pop("format")
    write_manifest(bundle, manifest)
