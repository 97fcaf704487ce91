"""Who takes part: every runtime in every precision it has, each with the files that it opens."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.bundle import Bundle

OURS, PEERS = "ours", "peers"


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One row: an adapter, the model it is asked to open, and the Python that runs it."""

    name: str
    adapter: str
    model: str
    precision: str
    files: tuple[str, ...]
    python: str = PEERS

    def size_mb(self, folder: Path) -> float | None:
        """What it opens on disk in MB, external weights included; None where a file is missing."""
        paths = [folder / name for name in self.files]
        return sum(path.stat().st_size for path in paths) / 1e6 if all(path.is_file() for path in paths) else None


def _peer(name: str, adapter: str, model: str, precision: str, *files: str) -> Contender:
    return Contender(name=name, adapter=adapter, model=model, precision=precision, files=files)


OURS_FP32, OURS_INT8 = "ours fp32", "ours int8"
SHERPA_PUBLISHED, SHERPA_QINT8 = "sherpa-onnx QUInt8", "sherpa-onnx QInt8"
_FUNASR = "funasr/model.onnx"

THE_PEERS = (
    _peer("funasr torch FP32", "funasr_torch", "fp32", "fp32", "checkpoint/model.pt"),
    _peer("funasr torch BF16", "funasr_torch", "bf16", "bf16", "checkpoint/model.pt"),
    _peer("funasr-onnx FP32", "funasr_onnx", "fp32", "fp32", _FUNASR),
    _peer("funasr-onnx quantize=True", "funasr_onnx", "quantized", "int8", "funasr/model_quant.onnx"),
    _peer(SHERPA_PUBLISHED, "sherpa_onnx", "model.quint8.onnx", "int8", "sherpa/model.quint8.onnx"),
    _peer(SHERPA_QINT8, "sherpa_onnx", "model.qint8.onnx", "int8", "sherpa/model.qint8.onnx"),
    _peer("onnx-asr", "onnx_asr", "sense-voice-small", "fp32", "sherpa/model.onnx"),
    _peer("onnxruntime FP32", "bare_onnxruntime", "model.onnx", "fp32", _FUNASR),
    _peer("onnxruntime QInt8", "bare_onnxruntime", "model_qint8.onnx", "int8", "funasr/model_qint8.onnx"),
    _peer("OpenVINO FP32", "bare_openvino", "fp32", "fp32", _FUNASR),
    _peer("OpenVINO BF16", "bare_openvino", "bf16", "bf16", _FUNASR),
    _peer("OpenVINO INT8 weights", "bare_openvino", "int8-weights", "int8", "openvino/weights.xml", "openvino/weights.bin"),
    _peer("OpenVINO INT8", "bare_openvino", "int8", "int8", "openvino/full.xml", "openvino/full.bin"),
)


def contenders(folder: Path) -> tuple[Contender, ...]:
    """Every variant of the material's bundle, then the peers."""
    bundle = Bundle.load(folder / "bundle", verify=False)
    return (*(_of_ours(bundle, variant) for variant in bundle.variants), *THE_PEERS)


def _of_ours(bundle: Bundle, variant: str) -> Contender:
    return Contender(
        name=f"ours {variant}",
        adapter="ours",
        model=variant,
        precision="fp32" if variant == "fp32" else "int8",
        files=tuple(f"bundle/{name}" for name in bundle.sizes(variant)),
        python=OURS,
    )
