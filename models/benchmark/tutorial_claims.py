"""What two well-known tutorials claim for INT8, row by row, and our own figure for each row, or the reason why there is none.

The claims are of another model in another process (the PyTorch one: "1.2 GB" and "186 MB" are not graphs), so a row shows what is
counted on our side. Nothing is carried over from a claim into a figure of ours.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import yaml

from engine.files.typed_values import typed
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


@functools.cache
def published_claims() -> tuple[Claim, ...]:
    """Every row of both tutorials, in their order, out of ``tutorial_claims.yaml``."""
    rows = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
    return typed([{**row, "tutorial": tutorial} for tutorial, found in rows.items() for row in found], tuple[Claim, ...])


@dataclass(frozen=True, kw_only=True)
class ClaimBesideOurs:
    """A claim with our FP32 and INT8 figure in its unit; ``reason`` says why a figure is missing."""

    claim: Claim
    before: float | None
    after: float | None
    reason: str | None


def beside_ours(result: BenchmarkResult, folder: str, evaluation: Scores | None = None) -> list[ClaimBesideOurs]:
    """Every claim beside one bundle's figures; ``evaluation`` is the JSON of ``python -m models evaluate`` for that bundle."""
    return [_beside(claim, result, folder, evaluation) for claim in published_claims()]


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
