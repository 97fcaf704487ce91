"""FSMN-VAD for an imported bundle: of a ready-made folder, of an official checkpoint, or the embedded starter's."""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from engine.bundle import Bundle
from engine.bundle_roots import STARTER
from engine.speech.features import Cmvn
from models.export.graph_file import ExportError, save_graph
from models.export.imported import float_weights
from models.export.lean.graph_source import GraphSource
from models.export.lean.signed_weights import sign_weights
from models.export.logits_graph import convert_vad
from models.export.made_model import FULL, INT8, MadeModel, file_names, labelled, quantize, sources_of, stacking, variant_of
from models.export.parity import check_runs, check_vad, open_source, probe_vad
from models.export.ready_frontend import Frontend, frontend_of
from models.export.ready_made import VadFolder
from models.quantize import dynamic

log = logging.getLogger(__name__)

#: Frames of the run that shows that our own INT8 graph works.
TRIAL_FRAMES = 50


def make_vad(vad: VadFolder, staging: Path) -> MadeModel:
    """Write a ready-made FSMN-VAD's graphs and ``vad.mvn`` into ``staging``; ExportError where one differs from its source."""
    metadata = {"model_type": "fsmn_vad", **stacking(vad.frontend, vad.frontend.write_cmvn(staging / "vad.mvn"))}
    files, parameters = file_names(vad.graphs, "vad"), 0
    for variant, path in sources_of(vad.graphs).items():
        parameters = max(parameters, _convert(vad, path, staging / files[variant], metadata=metadata))
    if FULL in files:
        _quantize(staging, files, features=vad.frontend.features)
    return MadeModel(files=files, frontend=vad.frontend, parameters=parameters)


def make_vad_of_checkpoint(folder: Path, staging: Path) -> MadeModel:
    """Export an official FSMN-VAD checkpoint to stand beside ready-made ASR graphs; the only import that needs PyTorch."""
    from models.export.export import export_vad
    from models.networks.checkpoint import Checkpoint, load_fsmn_vad

    checkpoint = Checkpoint.open(folder)
    if checkpoint.kind != "fsmn-vad":
        raise ExportError(f"{folder} holds {checkpoint.kind} where fsmn-vad is needed; name the VAD's folder with --vad")
    network = load_fsmn_vad(checkpoint)
    frontend = frontend_of(folder, checkpoint.config, {}, given=network.config.input_dim)
    metadata = stacking(frontend, frontend.write_cmvn(staging / "vad.mvn"))
    files = {FULL: "vad.fp32.onnx", INT8: "vad.int8.onnx"}
    export_vad(network, staging / files[FULL], metadata=metadata)
    _quantize(staging, files, features=frontend.features)
    return MadeModel(files=files, frontend=frontend, parameters=sum(parameter.numel() for parameter in network.parameters()))


def copy_starters_vad(staging: Path) -> MadeModel:
    """The VAD of the embedded starter, which honours the same contract: for a SenseVoice that came alone."""
    starter = Bundle.load(STARTER)
    shutil.copyfile(starter.path(starter.cmvn.vad), staging / "vad.mvn")
    files = {}
    for variant in (FULL, INT8):
        files[variant] = f"vad.{variant}.onnx"
        shutil.copyfile(starter.path(starter.variant(variant).vad), staging / files[variant])
    lfr = starter.lfr.vad
    cmvn = Cmvn.load(staging / "vad.mvn", expected_dim=80 * lfr.m)
    frontend = Frontend(lfr_m=lfr.m, lfr_n=lfr.n, cmvn=cmvn, path=staging / "vad.mvn")
    return MadeModel(files=files, frontend=frontend, parameters=starter.parameters.get("vad", 0))


def _quantize(staging: Path, files: Mapping[str, str], *, features: int) -> None:
    quantize(staging / files[FULL], staging / files[INT8], external=False, fused=False)
    speech = np.random.default_rng(9527).standard_normal((1, TRIAL_FRAMES, features), np.float32)
    check_runs(staging / files[INT8], {"speech": speech}, model="vad", precision=INT8)


def _convert(vad: VadFolder, path: Path, target: Path, *, metadata: Mapping[str, str]) -> int:
    """Convert one graph and compare, with a softmax where its answers are not yet probabilities: -> its number of float weights."""
    log.info("converting %s", path)
    source, features = GraphSource.open(path), vad.frontend.features
    model = source.whole()
    with tempfile.TemporaryDirectory(dir=target.parent) as place:
        session = open_source(source.runnable(Path(place)), named=path)
        pairs = probe_vad(session, model, named=path, features=features)
    softmax = not all((scores >= 0).all() and np.allclose(scores.sum(axis=-1), 1.0, atol=1e-3) for _, scores in pairs)
    units = pairs[0][1].shape[-1]
    labels = labelled(target, metadata, float_products=dynamic.count_float_products(model.graph))
    convert_vad(model, path, features=features, units=units, softmax=softmax, metadata=labels)
    sign_weights(model)
    save_graph(model, target, external=False)
    expected = [(speech, _softmax(scores) if softmax else scores) for speech, scores in pairs]
    check_vad(target, expected, integer=variant_of(target) != FULL, precision=variant_of(target))
    return float_weights(model)


def _softmax(scores: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    shares = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True), np.float32)
