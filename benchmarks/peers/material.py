"""What the contenders load: one full-size network with random weights, in each runtime's own file format.

    checkpoint/    the official layout, for torch: SenseVoice at random, FSMN-VAD with FunASR's real weights
    bundle/        ours: FP32 and the INT8 recipes; logits/ beside them, as ``export --logits`` writes it
    funasr/        FunASR's own ONNX export, its ``quantize=True`` file (QUInt8), and the same with QInt8
    sherpa/        the same graphs under sherpa-onnx's metadata keys: the published recipe (QUInt8), QInt8; FP32 for onnx-asr to try
    vad/           FunASR's FSMN-VAD for funasr-onnx
    audio/         3, 10 and 30 s clips and the long file, all cut from the same real recordings
    openvino/      FunASR's graph in INT8 as OpenVINO's own tool makes it (:mod:`benchmarks.peers.openvino_int8`)

Each part is made once and kept; delete it to have it made anew.
"""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import onnx
import soundfile
import torch
import yaml
from onnxruntime.quantization import QuantType, quantize_dynamic

from benchmarks.parity import export_as_funasr
from benchmarks.real_speech import speech_of
from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.bundle_roots import ROOT
from engine.speech.features import Cmvn
from models.bundle.upstream_layout import frontend_metadata, prompt_metadata
from models.export.assemble import assemble
from models.networks.random_checkpoint import write_random_checkpoint
from models.networks.weights import fsmn_vad_of
from models.quantize.recipe_names import RecipeName
from models.quantize.recipes import QuantizeOptions, run

log = logging.getLogger(__name__)

CLIPS_S = (3, 10, 30)
RECIPES = (RecipeName.DYNAMIC, RecipeName.STATIC, RecipeName.MIXED)
#: Prepared once; calibration clips decide scales, not speed.
CALIBRATION_CLIPS = 24


def prepare(folder: Path, *, data: Path, peers_python: Path, file_s: float, size: str = "full") -> Path:
    """Make whatever is not there yet, minutes at full size and 5 GB of disk: -> the long file. ``data`` is laid out as README.md says."""
    folder.mkdir(parents=True, exist_ok=True)
    steps: Sequence[tuple[str, Callable[[Path], None]]] = (
        ("checkpoint", lambda path: _checkpoint(path, data=data, size=size)),
        ("bundle", lambda path: _bundle(path, checkpoint=folder / "checkpoint", data=data)),
        ("vad", lambda path: _vad(path, data=data)),
        ("funasr", lambda path: _funasr(path, checkpoint=folder / "checkpoint")),
        ("sherpa", lambda path: _sherpa(path, funasr=folder / "funasr", bundle=folder / "bundle")),
        ("openvino", lambda path: _openvino(path, graph=folder / "funasr" / "model.onnx", python=peers_python)),
    )
    for name, make in steps:
        if not (folder / name).exists():
            log.info("making %s", name)
            partial = folder / f".{name}"
            shutil.rmtree(partial, ignore_errors=True)
            make(partial)
            partial.rename(folder / name)
    return _audio(folder / "audio", data=data, file_s=file_s)


#: Where FunASR looks for the files of a checkpoint; the official folders have it too.
CONFIGURATION = {"init_param": "model.pt", "config": "config.yaml", "frontend_conf": {"cmvn_file": "am.mvn"}}


def _checkpoint(path: Path, *, data: Path, size: str) -> None:
    write_random_checkpoint(path, size=size)
    bpe = next(path.glob("*.model")).name
    for folder, own in ((path, {"tokenizer_conf": {"bpemodel": bpe}}), (path / "vad", {})):
        (folder / "configuration.json").write_text(json.dumps({"file_path_metas": {**CONFIGURATION, **own}}), encoding="utf-8")
    # Random VAD weights find random segments: the long file would measure nothing.
    network = fsmn_vad_of(data / "fsmn-vad" / "model.onnx")
    torch.save({f"encoder.{name}": value for name, value in network.state_dict().items()}, path / "vad" / "model.pt")
    shutil.copyfile(data / "fsmn-vad" / "am.mvn", path / "vad" / "am.mvn")


def _bundle(path: Path, *, checkpoint: Path, data: Path) -> None:
    assemble(checkpoint, path, logits=True)
    for recipe in RECIPES:
        log.info("quantizing: %s", recipe)
        run(QuantizeOptions(bundle=path, recipe=recipe, data=data, clips=CALIBRATION_CLIPS))


def _vad(path: Path, *, data: Path) -> None:
    path.mkdir()
    # funasr-onnx runs the graph with caches.
    for name, own in (("model_online.onnx", "model.onnx"), ("am.mvn", "am.mvn"), ("config.yaml", "config.yaml")):
        shutil.copyfile(data / "fsmn-vad" / name, path / own)
    # FunASR's own repository nests its settings otherwise than funasr-onnx reads them.
    settings = yaml.safe_load((path / "config.yaml").read_text(encoding="utf-8"))
    flat = {
        "frontend": "WavFrontend",
        "frontend_conf": settings["WavFrontend"]["frontend_conf"],
        "encoder_conf": settings["FSMN"]["encoder_conf"],
        "model_conf": {**settings["vadPostArgs"], "max_single_segment_time": 30_000},
    }
    (path / "config.yaml").write_text(yaml.safe_dump(flat), encoding="utf-8")


def _funasr(path: Path, *, checkpoint: Path) -> None:
    path.mkdir()
    export_as_funasr(checkpoint, path / "model.onnx")
    # FunASR's exporter quantizes so (funasr/utils/export_utils.py), with QUInt8; QInt8 is what it could do.
    for name, kind in (("model_quant", QuantType.QUInt8), ("model_qint8", QuantType.QInt8)):
        quantize_dynamic(
            str(path / "model.onnx"), str(path / f"{name}.onnx"), op_types_to_quantize=["MatMul"], per_channel=True, weight_type=kind
        )
    for name in ("config.yaml", "am.mvn"):
        shutil.copyfile(checkpoint / name, path / name)
    for model in checkpoint.glob("*.model"):
        shutil.copyfile(model, path / model.name)


def _sherpa(path: Path, *, funasr: Path, bundle: Path) -> None:
    path.mkdir()
    shutil.copyfile(bundle / "tokens.txt", path / "tokens.txt")
    cmvn = Cmvn.load(funasr / "am.mvn", expected_dim=560)
    model = onnx.load(str(funasr / "model.onnx"))
    size = len((path / "tokens.txt").read_text(encoding="utf-8").splitlines())
    fixed = {"model_type": "sense_voice_ctc", "version": "1", "normalize_samples": "0", "vocab_size": str(size)}
    metadata = {**fixed, **prompt_metadata(), **frontend_metadata(cmvn, lfr_m=7, lfr_n=6)}
    onnx.helper.set_model_props(model, metadata)
    onnx.save(model, str(path / "model.onnx"))
    del model
    # sherpa-onnx publishes its INT8 file so (scripts/sense-voice/export-onnx.py): per tensor, QUInt8.
    for name, kind in (("model.quint8", QuantType.QUInt8), ("model.qint8", QuantType.QInt8)):
        target = path / f"{name}.onnx"
        quantize_dynamic(str(path / "model.onnx"), str(target), op_types_to_quantize=["MatMul"], weight_type=kind)
        quantized = onnx.load(str(target))
        onnx.helper.set_model_props(quantized, metadata)
        onnx.save(quantized, str(target))


def _openvino(path: Path, *, graph: Path, python: Path) -> None:
    """Without OpenVINO or NNCF in the peers' venv the folder keeps the reason, which its rows then give."""
    path.mkdir()
    command = [str(python), "-m", "benchmarks.peers.openvino_int8", str(graph), str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own program
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        log.warning("no OpenVINO INT8 model: %s", reason)
        (path / "missing.txt").write_text(reason + "\n", encoding="utf-8")


def _audio(folder: Path, *, data: Path, file_s: float) -> Path:
    """Write the clips and the long file: -> the latter, which is made anew where another length is asked for."""
    folder.mkdir(exist_ok=True)
    for duration_s in (*CLIPS_S, file_s):
        path = folder / f"{duration_s:g}s.wav"
        if not path.exists():
            soundfile.write(path, speech_of(data, duration_s=duration_s), SAMPLE_RATE_HZ, subtype="PCM_16")
    return path
