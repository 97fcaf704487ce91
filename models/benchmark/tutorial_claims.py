"""What two well-known tutorials claim for INT8, row by row, and our own figure for each row, or the reason why there is none.

The claims are of another model in another process (the PyTorch one: "1.2 GB" and "186 MB" are not graphs), so a row shows what is
counted on our side. Nothing is carried over from a claim into a figure of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from models.benchmark.result import FULL_PRECISION, BenchmarkResult

Scores = Mapping[str, Any]


class Tutorial(StrEnum):
    """Whose claims they are."""

    QUANTIZATION = "SenseVoice-Small INT8 quantization tutorial"
    VAD = "FSMN-VAD lightweight deployment tutorial"


class Change(StrEnum):
    """How two figures are compared: size and time by ratio, degrees and accuracy by difference."""

    PERCENT = "%"
    DIFFERENCE = "difference"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One row of a tutorial: FP32 and INT8 as published (or only what was said of the change), and what stands beside it on our side.

    ``figure`` names a benchmark figure (times ``scale`` in ``unit``), ``score`` a place in an evaluation of
    :class:`models.evaluate.evaluation.Evaluation`; a row with neither gives its reason in ``counted``.
    """

    tutorial: Tutorial
    row: str
    unit: str = ""
    before: float | None = None
    after: float | None = None
    stated: str | None = None
    change: Change = Change.PERCENT
    precision: str = "int8"
    figure: str | None = None
    score: tuple[str, ...] | None = None
    scale: float = 1.0
    digits: int = 1
    #: FP32 has no figure of its own in this row: it is what INT8 is compared with.
    one_sided: bool = False
    counted: str


_ASR, _VAD = Tutorial.QUANTIZATION, Tutorial.VAD

CLAIMS: tuple[Claim, ...] = (
    Claim(tutorial=_ASR, row="model size", unit="MB", before=1800, after=460, figure="asr_mb", counted="the ASR graph with its weights"),
    Claim(
        tutorial=_ASR,
        row="cold start",
        unit="s",
        before=8.2,
        after=3.1,
        figure="cold_start_s",
        digits=2,
        counted="process start, imports, opening, a first clip of 3 s; files in the page cache",
    ),
    Claim(
        tutorial=_ASR,
        row="10 s of audio",
        unit="s",
        before=1.4,
        after=0.6,
        figure="asr_p50_ms_10s",
        scale=0.001,
        digits=3,
        counted="ASR graph and decoding, median",
    ),
    Claim(
        tutorial=_ASR,
        row="GPU memory",
        unit="GB",
        before=2.1,
        after=1.2,
        figure="gpu_memory_mb",
        scale=0.001,
        digits=2,
        counted="growth of the GPU's used memory; INT8 is a CPU precision here",
    ),
    Claim(
        tutorial=_ASR,
        row="WER",
        unit="%",
        before=8.7,
        after=9.1,
        change=Change.DIFFERENCE,
        score=("wer", "rate"),
        scale=100,
        digits=2,
        counted="on the recordings of the evaluation",
    ),
    Claim(
        tutorial=_VAD, row="model size", unit="MB", stated="−75.7 %", figure="vad_mb", digits=2, counted="the VAD graph with its weights"
    ),
    Claim(
        tutorial=_VAD,
        row="memory",
        unit="MB",
        stated="−62.9 %",
        figure="vad_rss_open_mb",
        counted="RSS of a process that opened the VAD graph alone; most of it is Python and ONNX Runtime",
    ),
    Claim(
        tutorial=_VAD,
        row="CPU use",
        unit="ms",
        stated="−60 %",
        figure="vad_cpu_s_per_audio_s",
        scale=1000,
        digits=2,
        counted="CPU time per second of audio, features included",
    ),
    Claim(
        tutorial=_VAD,
        row="10 s of audio",
        unit="s",
        before=4.72,
        after=1.18,
        figure="vad_p50_ms_10s",
        scale=0.001,
        digits=4,
        counted="VAD graph and end-point detection, median",
    ),
    Claim(
        tutorial=_VAD,
        row="temperature after 10 minutes",
        unit="°C",
        before=72,
        after=58,
        change=Change.DIFFERENCE,
        figure="temperature_after_c",
        counted="processor package at the end of the soak run of the whole path",
    ),
    Claim(
        tutorial=_VAD,
        row="boundaries that moved at most 10 ms",
        unit="%",
        stated="all",
        change=Change.DIFFERENCE,
        score=("vad", "boundaries", "within_10_ms"),
        scale=100,
        one_sided=True,
        counted="INT8 against FP32, boundaries without a partner included",
    ),
    Claim(
        tutorial=_VAD,
        row="VAD F1",
        unit="%",
        before=92.4,
        after=92.1,
        change=Change.DIFFERENCE,
        score=("vad", "to_labels", "f1"),
        scale=100,
        digits=2,
        counted="frames against hand-made labels",
    ),
    Claim(
        tutorial=_VAD,
        row="10 % L1 pruning, then INT8: size",
        unit="MB",
        after=38.5,
        precision="int8-pruned",
        figure="vad_mb",
        digits=2,
        counted="the VAD graph on disk; zeros take as much room as other numbers until a file is compressed",
    ),
    Claim(
        tutorial=_VAD,
        row="10 % L1 pruning, then INT8: F1",
        unit="%",
        after=91.8,
        change=Change.DIFFERENCE,
        precision="int8-pruned",
        score=("vad", "to_labels", "f1"),
        scale=100,
        digits=2,
        counted="frames against hand-made labels",
    ),
    Claim(
        tutorial=_VAD,
        row="slimmer page (no microphone, WAV only)",
        stated="−60 MB",
        counted="a benchmark opens no page; ours keeps the microphone and every format",
    ),
)


@dataclass(frozen=True, kw_only=True)
class ClaimBesideOurs:
    """A claim with our FP32 and INT8 figure in its unit; ``reason`` says why a figure is missing."""

    claim: Claim
    before: float | None
    after: float | None
    reason: str | None


def beside_ours(result: BenchmarkResult, folder: str, evaluation: Scores | None = None) -> list[ClaimBesideOurs]:
    """Every claim beside one bundle's figures; ``evaluation`` is the JSON of ``python -m models evaluate`` for that bundle."""
    return [_beside(claim, result, folder, evaluation) for claim in CLAIMS]


def _beside(claim: Claim, result: BenchmarkResult, folder: str, evaluation: Scores | None) -> ClaimBesideOurs:
    sides: list[float | None] = []
    reasons: list[str | None] = []
    for precision in (FULL_PRECISION, claim.precision):
        if claim.figure is not None:
            value, reason = _figure(claim.figure, result, folder, precision)
        elif claim.score is not None:
            value, reason = _score(claim.score, result, folder, precision, evaluation)
        else:
            value, reason = None, claim.counted
        sides.append(None if value is None else claim.scale * value)
        reasons.append(reason)
    if claim.one_sided:
        reasons[0] = None
    return ClaimBesideOurs(claim=claim, before=sides[0], after=sides[1], reason=reasons[1] or reasons[0])


def _figure(name: str, result: BenchmarkResult, folder: str, precision: str) -> tuple[float | None, str | None]:
    row = result.row(folder, precision)
    if row is None:
        tried = next((one for one in result.rows if one.folder == folder and one.precision == precision), None)
        return None, f"{precision} was not run" if tried is None else f"{precision} failed: {tried.error}"
    value = row.figures.get(name)
    if value is not None:
        return value, None
    if name.startswith("temperature"):
        return None, row.soak_note
    if name.startswith("gpu"):
        return None, f"this run used the device {result.device!r}" if result.device == "cpu" else "no GPU answered nvidia-smi"
    return None, "10 s is not among the durations of this run"


def _score(
    path: tuple[str, ...], result: BenchmarkResult, folder: str, precision: str, evaluation: Scores | None
) -> tuple[float | None, str | None]:
    if evaluation is None:
        return None, "accuracy is the work of `python -m models evaluate`; hand its JSON to the benchmark"
    names = {row.bundle for row in result.rows if row.folder == folder}
    if evaluation.get("bundle") not in names:
        return None, f"the evaluation is of the bundle {evaluation.get('bundle')!r}"
    if evaluation.get("weights") == "random":
        return None, "the weights are random and recognize nothing"
    place: Any = evaluation.get("precisions")
    for name in (precision, "all", *path):
        place = place.get(name) if isinstance(place, Mapping) else None
    if isinstance(place, int | float) and not isinstance(place, bool):
        return float(place), None
    return None, f"the evaluation holds no {' '.join(path)} of {precision}"
