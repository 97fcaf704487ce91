"""Our SenseVoice against FunASR's own, at full size: the same logits, and FP32 graphs of the same speed.

``python -m models random-checkpoint DIR && python -m benchmarks.parity DIR [--speed BUNDLE] [--json FILE]``

Logits are compared in PyTorch for every language and text norm prompt and for lengths from 1 to 500 frames. ``--speed`` also exports
FunASR's network as FunASR does, and runs it and the bundle's FP32 graph in turns; the machine is noisy, the ratio counts.
"""

from __future__ import annotations

import json
import logging
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command_line import figures_parser, write_figures
from models.bundle.upstream_layout import PROMPT_LANGUAGE, PROMPT_TEXTNORM
from models.export.graph_file import open_for_check
from models.networks.checkpoint import Checkpoint, load_sensevoice

LENGTHS = (1, 2, 3, 10, 33, 100, 167, 333, 500)
TOLERANCE = 1e-4
MOST_FRAMES = 512
log = logging.getLogger(__name__)


def funasr_model(checkpoint: Checkpoint, *, vocab_size: int) -> Any:
    """FunASR's SenseVoiceSmall with the checkpoint's weights."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from funasr.models.sense_voice.model import SenseVoiceSmall  # noqa: PLC0415 - slow to load, and it warns

        model = SenseVoiceSmall(
            encoder="SenseVoiceEncoderSmall", encoder_conf=checkpoint.config["encoder_conf"], input_size=560, vocab_size=vocab_size
        )
    model.load_state_dict(checkpoint.weights(prefix=""), strict=True)
    return model.eval()


@torch.inference_mode()
def funasr_logits(model: Any, speech: torch.Tensor, language: int, textnorm: int) -> torch.Tensor:
    """FunASR's inference up to the logits: (1, T, 560) -> (1, T + 4, V)."""
    prompt = [model.embed(torch.tensor([rows])) for rows in ([language], [1, 2], [textnorm])]
    inputs = torch.cat([*prompt, speech], dim=1)
    encoded, _ = model.encoder(inputs, torch.tensor([inputs.shape[1]]))
    logits: torch.Tensor = model.ctc.ctc_lo(encoded)
    return logits


@torch.inference_mode()
def compare_logits(folder: Path, *, lengths: Sequence[int] = LENGTHS) -> dict[str, Any]:
    """The worst difference of a logit for every prompt, over all lengths."""
    checkpoint = Checkpoint.open(folder)
    ours = load_sensevoice(checkpoint)
    theirs = funasr_model(checkpoint, vocab_size=ours.config.vocab_size)
    worst: dict[str, float] = {}
    for name, language in PROMPT_LANGUAGE.items():
        for norm, textnorm in PROMPT_TEXTNORM.items():
            for length in lengths:
                speech = torch.randn(1, length, 560, generator=torch.Generator().manual_seed(length))
                expected = funasr_logits(theirs, speech.clone(), language, textnorm)
                got = ours(speech, torch.tensor([language]), torch.tensor([textnorm]))
                key = f"{name}, {norm.value}"
                worst[key] = max(worst.get(key, 0.0), float((got - expected).abs().max()))
            log.info("%s, %s: %.1e", name, norm.value, worst[key])
    return {"tolerance": TOLERANCE, "lengths": list(lengths), "worst": worst, "within": max(worst.values()) <= TOLERANCE}


def export_as_funasr(folder: Path, target: Path) -> None:
    """Write FunASR's ONNX graph the way its ``model.export`` does (opset 14, batch and length dynamic, masks inside)."""
    checkpoint = Checkpoint.open(folder)
    model = funasr_model(checkpoint, vocab_size=load_sensevoice(checkpoint).config.vocab_size)
    rebuilt = model.export(max_seq_len=MOST_FRAMES, device="cpu")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            rebuilt,
            rebuilt.export_dummy_inputs(),
            str(target),
            do_constant_folding=True,
            opset_version=14,
            input_names=rebuilt.export_input_names(),
            output_names=rebuilt.export_output_names(),
            dynamic_axes=rebuilt.export_dynamic_axes(),
            dynamo=False,
        )


def compare_speed(folder: Path, bundle: Path, *, frames: Sequence[int] = (50, 167, 500), rounds: int = 7) -> dict[str, Any]:
    """Median milliseconds of FunASR's graph and of the bundle's ``asr.fp32.onnx``, run in turns in one process."""
    rows: dict[str, Any] = {}
    with tempfile.TemporaryDirectory(dir=bundle.parent) as temporary:
        graph = Path(temporary) / "model.onnx"
        export_as_funasr(folder, graph)
        began = time.perf_counter()
        theirs = open_for_check(graph)
        opened = time.perf_counter()
        ours = open_for_check(bundle / "asr.fp32.onnx")
        rows["open_s"] = {"funasr": opened - began, "ours": time.perf_counter() - opened}
        for length in frames:
            speech = np.random.default_rng(length).standard_normal((1, length, 560)).astype(np.float32)
            row, norm = np.array([4], np.int32), np.array([15], np.int32)
            feeds = {
                "funasr": (theirs, {"speech": speech, "speech_lengths": np.array([length], np.int32), "language": row, "textnorm": norm}),
                "ours": (ours, {"speech": speech, "language": row, "textnorm": norm}),
            }
            times: dict[str, list[float]] = {name: [] for name in feeds}
            for turn in range(rounds + 1):
                for name, (session, feed) in feeds.items():
                    start = time.perf_counter()
                    session.run(None, feed)
                    if turn:  # the first one warms up
                        times[name].append(1000 * (time.perf_counter() - start))
            medians = {name: statistics.median(values) for name, values in times.items()}
            rows[f"{length} frames"] = {**medians, "ratio": medians["ours"] / medians["funasr"]}
    return rows


def main() -> int:
    """Print and write the figures: 1 where the logits differ by more than the tolerance."""
    parser = figures_parser("parity", __doc__)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--speed", type=Path, metavar="BUNDLE", help="also compare with this bundle's FP32 graph in speed")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    figures: dict[str, Any] = {"logits": compare_logits(arguments.checkpoint)}
    if arguments.speed is not None:
        figures["speed"] = compare_speed(arguments.checkpoint, arguments.speed)
    print(json.dumps(figures, indent=1))
    write_figures(arguments.json, figures)
    return 0 if figures["logits"]["within"] else 1


if __name__ == "__main__":
    sys.exit(main())
