"""Official checkpoints → a bundle: SenseVoice and FSMN-VAD exported, quantized and described in one folder."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

from engine.files.claimed_folder import claimed_folder
from engine.speech.features import Cmvn
from engine.tags import TAG_POSITIONS, piece_of
from models.bundle.bpe_pieces import read_pieces
from models.bundle.disk import require_space
from models.bundle.manifest import write_manifest
from models.bundle.upstream_layout import PROMPT, frontend_metadata, full_size_fields, prompt_metadata, write_tokens
from models.bundle.variants import add_variant
from models.export.export import export_asr, export_vad
from models.export.gpu_graph import export_batch
from models.export.graph_file import ExportError
from models.export.logits import write_logits_folder
from models.networks.checkpoint import Checkpoint, load_fsmn_vad, load_sensevoice
from models.quantize import dynamic

log = logging.getLogger(__name__)


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


def assemble(
    asr_folder: Path,
    output: Path,
    *,
    vad_folder: Path | None = None,
    name: str = "sensevoice-small",
    logits: bool = False,
    gpu: bool = False,
) -> Path:
    """Export both checkpoints to the bundle ``output``; the folder appears only when everything in it is checked.

    ``logits`` adds the folder ``logits/`` that sherpa-onnx and funasr-onnx read, ``gpu`` the variant ``fp32-batch``.
    Raises ExportError, DiskFullError, and the engine's errors about CMVN.
    """
    if output.exists():
        raise ExportError(f"{output} exists already; choose another --output or delete it")
    asr_checkpoint, vad_checkpoint = Checkpoint.open(asr_folder), Checkpoint.open(find_vad_folder(asr_folder, vad_folder))
    for checkpoint, kind in ((asr_checkpoint, "sensevoice"), (vad_checkpoint, "fsmn-vad")):
        if checkpoint.kind != kind:
            raise ExportError(f"{checkpoint.folder} holds {checkpoint.kind} where {kind} is needed")
    output.parent.mkdir(parents=True, exist_ok=True)
    # The exporter writes a graph once with its weights inside and once with them beside it.
    require_space(output.parent, (2 + logits + gpu) * (asr_folder / "model.pt").stat().st_size)
    with claimed_folder(output.parent, ".export-") as temporary:
        folder = temporary / "bundle"
        folder.mkdir()
        fields = _fill(folder, asr_checkpoint, vad_checkpoint, name=name, logits=logits, gpu=gpu)
        write_manifest(folder, fields)
        folder.rename(output)
    return output


def _fill(folder: Path, asr_checkpoint: Checkpoint, vad_checkpoint: Checkpoint, *, name: str, logits: bool, gpu: bool) -> dict[str, Any]:
    asr, vad = load_sensevoice(asr_checkpoint), load_fsmn_vad(vad_checkpoint)
    pieces = read_pieces(asr_checkpoint.folder, vocab_size=asr.config.vocab_size)
    write_tokens(folder / "tokens.txt", pieces)
    lfr = {"asr": _frontend(asr_checkpoint), "vad": _frontend(vad_checkpoint)}
    metadata = {}
    for model, checkpoint, size in (("asr", asr_checkpoint, asr.config.input_size), ("vad", vad_checkpoint, vad.config.input_dim)):
        shutil.copyfile(checkpoint.folder / "am.mvn", folder / f"{model}.mvn")
        cmvn = Cmvn.load(checkpoint.folder / "am.mvn", expected_dim=size)
        metadata[model] = frontend_metadata(cmvn, lfr_m=lfr[model]["m"], lfr_n=lfr[model]["n"])
    metadata["asr"] |= prompt_metadata()
    ids = {piece: index for index, piece in enumerate(pieces)}
    tag_ids = [ids[piece_of(tag)] for family in TAG_POSITIONS for tag in family if piece_of(tag) in ids]
    export_asr(asr, folder / "asr.fp32.onnx", tag_ids=tag_ids, metadata=metadata["asr"])
    export_vad(vad, folder / "vad.fp32.onnx", metadata=metadata["vad"])
    variants = {"fp32": {"asr": "asr.fp32.onnx", "vad": "vad.fp32.onnx"}}
    if gpu:
        export_batch(asr, folder / "asr.fp32-batch.onnx", tag_ids=tag_ids, metadata=metadata["asr"])
        variants["fp32-batch"] = {"asr": "asr.fp32-batch.onnx", "vad": "vad.fp32.onnx"}
    if logits:
        write_logits_folder(folder / "logits", asr, checkpoint=asr_checkpoint.folder, pieces=pieces, frontend=lfr["asr"])
    parameters = {"asr": sum(p.numel() for p in asr.parameters()), "vad": sum(p.numel() for p in vad.parameters())}
    return full_size_fields(
        name=name,
        description="SenseVoice-Small with FSMN-VAD, exported from a checkpoint in the official layout.",
        is_random=asr_checkpoint.is_random,
        source=f"exported from {asr_checkpoint.folder.name} and {vad_checkpoint.folder.name}",
        lfr=lfr,
        prompt=PROMPT,
        variants=variants,
        parameters=parameters,
    )


def add_dynamic_int8(bundle: Path) -> None:
    """Add the default INT8 variant to a bundle."""
    add_variant(bundle, "int8", dynamic.write)
