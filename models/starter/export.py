"""Trained starter weights → the embedded bundle: FP32 and dynamic INT8 of both models, tokens, CMVN, manifest."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from engine.bundle import ITN_BY_LIBRARY
from engine.tags import TAG_POSITIONS, piece_of
from models.cmvn import write_cmvn
from models.contract import PROMPT, write_tokens
from models.export import export_asr, export_vad
from models.fsmn_vad import FsmnVad
from models.manifest import write_manifest
from models.quantize import dynamic
from models.sensevoice import SenseVoice
from models.starter.prepare import FeatureStore
from models.starter.train_asr import network_config

log = logging.getLogger(__name__)
LFR = {"asr": {"m": 7, "n": 6}, "vad": {"m": 5, "n": 1}}


def load_networks(work: Path, config: dict[str, Any], *, vocab_size: int) -> tuple[SenseVoice, FsmnVad]:
    """The trained networks out of a work folder; FileNotFoundError names the step that is missing."""
    for name in ("asr.averaged.pt", "vad.pt"):
        if not (work / name).exists():
            raise FileNotFoundError(f"no {work / name}; run `python -m models.starter train` first")
    asr = SenseVoice(network_config(config, vocab_size=vocab_size))
    asr.load_state_dict(torch.load(work / "asr.averaged.pt", weights_only=True))
    vad = FsmnVad()
    vad.load_state_dict(torch.load(work / "vad.pt", weights_only=True))
    return asr.eval(), vad.eval()


def _describe(asr: SenseVoice, vad: FsmnVad, config: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": "starter",
        "kind": "starter",
        "version": config["version"],
        **config["bundle"],
        "sample_rate": 16_000,
        "lfr": LFR,
        "prompt": PROMPT,
        "itn": ITN_BY_LIBRARY,  # trained on words alone
        "variants": {name: {"asr": f"asr.{name}.onnx", "vad": f"vad.{name}.onnx"} for name in ("fp32", "int8")},
        "recipes": {"int8": {"recipe": "dynamic"}},
        "tokens": "tokens.txt",
        "cmvn": {"asr": "asr.mvn", "vad": "vad.mvn"},
        "parameters": {"asr": sum(p.numel() for p in asr.parameters()), "vad": sum(p.numel() for p in vad.parameters())},
    }


def export(work: Path, output: Path, config: dict[str, Any]) -> None:
    """Write the bundle to ``output``; nothing there changes until every file is made and checked."""
    store = FeatureStore(work)
    asr, vad = load_networks(work, config, vocab_size=len(store.pieces))
    ids = {piece: index for index, piece in enumerate(store.pieces)}
    tag_ids = [ids[piece_of(tag)] for family in TAG_POSITIONS for tag in family]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        for model, sizes in LFR.items():
            means, deviations = (np.tile(values, sizes["m"]) for values in (store.means, store.deviations))
            write_cmvn(folder / f"{model}.mvn", means=means, deviations=deviations)
        write_tokens(folder / "tokens.txt", store.pieces)
        export_asr(asr, folder / "asr.fp32.onnx", tag_ids=tag_ids, metadata={"lfr_m": 7, "lfr_n": 6})
        export_vad(vad, folder / "vad.fp32.onnx", metadata={"lfr_m": 5, "lfr_n": 1})
        dynamic.quantize(folder / "asr.fp32.onnx", folder / "asr.int8.onnx", external=True)
        dynamic.quantize(folder / "vad.fp32.onnx", folder / "vad.int8.onnx", external=False)
        write_manifest(folder, _describe(asr, vad, config))
        if output.exists():
            shutil.rmtree(output)
        shutil.copytree(folder, output)
    log.info("wrote %s, %.1f MB", output, sum(path.stat().st_size for path in output.iterdir()) / 1e6)
