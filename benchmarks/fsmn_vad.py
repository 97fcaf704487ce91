"""The real FSMN-VAD weights through every INT8 recipe: frames against FP32, the golden segments, size, milliseconds.

``python -m benchmarks.fsmn_vad --data DIR [--recipes dynamic static mixed qat prune] [--json FILE]``

``DIR/fsmn-vad`` holds FunASR's ``model.onnx``, ``am.mvn``, ``vad_example.wav`` and ``golden_segments_ms.json``, the segments that FunASR's
own runtime found in the example. Frames are compared on recordings of ``DIR`` that no recipe was shown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures_file import write_figures
from engine.audio.waveform import load_audio
from engine.bundle import Bundle
from engine.runtime.session import Session
from engine.speech.detector import SpeechDetector
from engine.speech.endpointing import VadOptions
from engine.speech.features import fbank
from engine.speech.parts import Parts
from engine.speech.speech_stream import find_spans
from models.bundle.manifest import read_manifest, write_manifest
from models.evaluate.datasets import Purpose, read_recordings, select
from models.export.export import export_vad
from models.networks.weights import fsmn_vad_of
from models.quantize import dynamic
from models.quantize.prune import prune_graph
from models.quantize.recipes import VARIANTS, Order, RecipeName, run

STARTER = Path(__file__).resolve().parent.parent / "models" / "starter" / "bundle"
RECIPES = ("dynamic", "static", "mixed", "qat", "prune")
#: Speech is where silence has less than this probability; the segment machine's own first threshold.
SPEECH_BELOW = 0.5
CLIPS = 120
#: What nine boundaries in ten must keep, and what every one must.
CLOSE_MS, FAR_MS = 10, 30


def make_bundle(data: Path, folder: Path) -> Path:
    """A bundle with FunASR's FSMN-VAD, written by our export, and the starter's ASR."""
    shutil.copytree(STARTER, folder)
    export_vad(fsmn_vad_of(data / "fsmn-vad" / "model.onnx"), folder / "vad.fp32.onnx", metadata={"lfr_m": 5, "lfr_n": 1})
    dynamic.quantize(folder / "vad.fp32.onnx", folder / "vad.int8.onnx", external=False)
    shutil.copyfile(data / "fsmn-vad" / "am.mvn", folder / "vad.mvn")
    manifest = read_manifest(folder) | {"name": "fsmn-vad-check", "kind": "check", "title": "FSMN-VAD with the starter's ASR"}
    for field in ("files", "format", "metrics"):
        manifest.pop(field, None)
    write_manifest(folder, manifest)
    return folder


def add_recipe(bundle: Path, recipe: str, data: Path, *, clips: int) -> Path:
    """The VAD graph of a recipe, made where it is not there yet."""
    if recipe == "prune":
        pruned = bundle / "vad.fp32-pruned.onnx"
        prune_graph(bundle / "vad.fp32.onnx", pruned, amount=0.1, external=False)
        dynamic.quantize(pruned, bundle / "vad.int8-pruned.onnx", external=False)
        return bundle / "vad.int8-pruned.onnx"
    name = RecipeName(recipe)
    if name is not RecipeName.DYNAMIC:
        run(Order(bundle=bundle, recipe=name, data=data, clips=clips))
    return bundle / f"vad.{VARIANTS[name]}.onnx"


class Detector:
    """One VAD graph with the bundle's frontend."""

    def __init__(self, bundle: Bundle, graph: Path) -> None:
        self.graph = graph
        session = Session.open(graph, model="vad", precision="fp32", threads=1)
        self.detector = SpeechDetector(session, Parts.load(bundle).frontend, silence_ids=bundle.silence_ids)

    def silence(self, frames: np.ndarray) -> np.ndarray:
        """Probability of silence of each frame."""
        return self.detector.silence_between(frames, 0, len(frames))


def frame_f1(truth: np.ndarray, guess: np.ndarray) -> float:
    """2 TP / (2 TP + FP + FN) of speech frames; 1 where neither has any."""
    both = truth.sum() + guess.sum()
    return float(2 * (truth & guess).sum() / both) if both else 1.0


def golden_errors(detector: Detector, data: Path) -> list[int]:
    """Distance of every boundary from the golden one, in ms; an end beyond the recording counts as its end."""
    waveform = load_audio(data / "fsmn-vad" / "vad_example.wav")
    golden = json.loads((data / "fsmn-vad" / "golden_segments_ms.json").read_text(encoding="utf-8"))
    spans = find_spans(waveform, detector.detector, VadOptions())
    if len(spans) != len(golden):
        raise ValueError(f"{detector.graph.name} finds {len(spans)} segments where {len(golden)} are golden")
    errors = []
    for span, (start_ms, end_ms) in zip(spans, golden, strict=True):
        errors += [abs(span.start_ms - start_ms), abs(span.end_ms - min(end_ms, waveform.duration_ms))]
    return errors


def measure(
    data: Path, bundle_folder: Path, *, recipes: Sequence[str] = RECIPES, clips: int = CLIPS, recordings: int = 200
) -> dict[str, Any]:
    """Every recipe's figures, FP32 first."""
    make_bundle(data, bundle_folder)
    graphs = {"fp32": bundle_folder / "vad.fp32.onnx"}
    for recipe in recipes:
        graphs[recipe] = add_recipe(bundle_folder, recipe, data, clips=clips)
    bundle = Bundle.load(bundle_folder)
    detectors = {name: Detector(bundle, graph) for name, graph in graphs.items()}
    heard = select(read_recordings(data), Purpose.TEST, limit=recordings)
    speech: dict[str, list[np.ndarray]] = {name: [] for name in detectors}
    for recording in heard:
        frames = fbank(load_audio(recording.path).samples)
        for name, detector in detectors.items():
            speech[name].append(detector.silence(frames) < SPEECH_BELOW)
    truth = np.concatenate(speech["fp32"])
    example = fbank(load_audio(data / "fsmn-vad" / "vad_example.wav").samples)
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for turn in range(6):
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector.silence(example)
            if turn:
                times[name].append(1000 * (time.perf_counter() - start))
    rows = {}
    for name, detector in detectors.items():
        guess, errors = np.concatenate(speech[name]), golden_errors(detector, data)
        rows[name] = {
            "kB": round(detector.graph.stat().st_size / 1000),
            "frame_f1_against_fp32": frame_f1(truth, guess),
            "frame_agreement": float((truth == guess).mean()),
            "golden_within_10_ms": float(np.mean([error <= CLOSE_MS for error in errors])),
            "golden_worst_ms": max(errors),
            "example_ms": statistics.median(times[name]),
        }
    seconds = len(truth) / 100
    return {"recordings": len(heard), "seconds": seconds, "example_s": len(example) / 100, "rows": rows}


def to_markdown(figures: dict[str, Any]) -> str:
    """The rows as a table."""
    lines = [
        "| recipe | kB | frame F1 against FP32 | frames alike | golden boundaries within 10 ms | worst | ms for the example |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in figures["rows"].items():
        shares = f"{row['frame_f1_against_fp32']:.4f} | {100 * row['frame_agreement']:.2f} % | {100 * row['golden_within_10_ms']:.0f} %"
        lines.append(f"| {name} | {row['kB']} | {shares} | {row['golden_worst_ms']} ms | {row['example_ms']:.0f} |")
    return "\n".join(lines)


def main() -> int:
    """Print the table, write the figures."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.fsmn_vad", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    parser.add_argument("--clips", type=int, default=CLIPS, help="clips that a recipe listens to (default: %(default)s)")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(arguments.data, Path(temporary) / "bundle", recipes=arguments.recipes, clips=arguments.clips)
    print(to_markdown(figures))
    write_figures(arguments.json, figures)
    return 0


if __name__ == "__main__":
    sys.exit(main())
