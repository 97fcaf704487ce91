"""What an evaluation found: Scores of each precision over all recordings and over each language and source, as JSON and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from models.evaluate.frame_agreement import FrameAgreement
from models.evaluate.metrics import BoundaryErrors, Difference, ErrorCounts, Interval, TagAgreement, VadScores

FAMILIES = ("language", "emotion", "event")
NEAR_MS, FAR_MS = 10, 30
DIGITS = 6
RANDOM = "random weights"
NOTHING = "–"


@dataclass(frozen=True, kw_only=True)
class ErrorRate:
    """CER or WER of one precision, and how much higher it is than the reference precision's."""

    utterances: int
    counts: ErrorCounts
    interval: Interval
    difference: Difference | None

    def to_dict(self) -> dict[str, Any]:
        """Rates as fractions; ``difference`` is None for the reference itself."""
        return {
            "rate": self.interval.estimate,
            "low": self.interval.low,
            "high": self.interval.high,
            **asdict(self.counts),
            "utterances": self.utterances,
            "difference": None if self.difference is None else asdict(self.difference),
        }


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One precision over one group of recordings; None where the recordings cannot tell, or for the reference against itself."""

    recordings: int
    cer: ErrorRate | None
    wer: ErrorRate | None
    blank_rate: float | None
    frames: FrameAgreement | None
    tags_to_reference: Mapping[str, TagAgreement] | None
    tags_to_labels: Mapping[str, TagAgreement]
    vad_to_reference: VadScores | None
    boundaries: BoundaryErrors | None
    vad_to_labels: VadScores | None

    def to_dict(self) -> dict[str, Any]:
        """Ready for ``json.dumps``."""
        return {
            "recordings": self.recordings,
            "cer": self.cer and self.cer.to_dict(),
            "wer": self.wer and self.wer.to_dict(),
            "blank_rate": self.blank_rate,
            "frames": self.frames and _frames(self.frames),
            "tags": {
                "to_reference": None if self.tags_to_reference is None else _tags(self.tags_to_reference),
                "to_labels": _tags(self.tags_to_labels),
            },
            "vad": {
                "to_reference": self.vad_to_reference and _vad(self.vad_to_reference),
                "to_labels": self.vad_to_labels and _vad(self.vad_to_labels),
                "boundaries": self.boundaries and _boundaries(self.boundaries),
            },
        }


def _frames(frames: FrameAgreement) -> dict[str, Any]:
    return {
        "frames": frames.frames,
        "agreement": frames.agreement,
        "clear_frames": frames.clear_frames,
        "clear_agreement": frames.clear_agreement,
        "mean_kl": frames.mean_kl,
        "max_kl": frames.max_kl,
    }


def _tags(families: Mapping[str, TagAgreement]) -> dict[str, Any]:
    return {name: {**asdict(agreement), "rate": agreement.rate} for name, agreement in families.items() if agreement.of}


def _vad(scores: VadScores) -> dict[str, Any]:
    return {**asdict(scores), "f1": scores.f1, "miss_rate": scores.miss_rate, "false_alarm_rate": scores.false_alarm_rate}


def _boundaries(errors: BoundaryErrors) -> dict[str, Any]:
    return {
        "matched": len(errors.errors_ms),
        "unmatched": errors.unmatched,
        "median_ms": errors.median_ms,
        "p90_ms": errors.p90_ms,
        "max_ms": errors.max_ms,
        f"within_{NEAR_MS}_ms": errors.within(NEAR_MS),
        f"within_{FAR_MS}_ms": errors.within(FAR_MS),
    }


@dataclass(frozen=True, kw_only=True)
class Evaluation:
    """All precisions of a bundle on the same test recordings: ``scores[precision][group]``, the group ``all`` first."""

    bundle: str
    version: str
    reference: str
    random_weights: bool
    seed: int
    recordings: int
    seconds: float
    #: Recordings that were left out, with the reason: used for calibration or tuning, or unreadable.
    left_out: Sequence[str]
    scores: Mapping[str, Mapping[str, Scores]]

    def to_json(self) -> dict[str, Any]:
        """Everything that was measured, ready for ``json.dumps``: rates are fractions, times milliseconds, KL nats."""
        values: dict[str, Any] = _rounded(
            {
                "bundle": self.bundle,
                "version": self.version,
                "reference": self.reference,
                "weights": "random" if self.random_weights else "trained",
                "seed": self.seed,
                "recordings": self.recordings,
                "seconds": self.seconds,
                "left_out": list(self.left_out),
                "precisions": {
                    precision: {group: scores.to_dict() for group, scores in groups.items()} for precision, groups in self.scores.items()
                },
            }
        )
        return values

    def to_markdown(self) -> str:
        """One table, a row for each precision over all recordings, and a line about the recordings."""
        titles = [
            "precision",
            "CER % [95 %]",
            "S / D / I",
            "WER % [95 %]",
            f"CER − {self.reference} [95 %], p > 0",
            "blank %",
            "frames equal %",
            "KL, nats",
            "tags equal %: language / emotion / event",
            "tags right %",
            f"VAD F1 to {self.reference}",
            "VAD F1 to labels (miss / false %)",
            f"boundaries within {NEAR_MS} ms %",
            "boundary error, ms: median / p90 / max (unmatched)",
        ]
        lines = [_row(titles), _row(["---"] * len(titles))]
        lines += [_row([precision, *self._cells(groups["all"])]) for precision, groups in self.scores.items()]
        line = f"{self.bundle} {self.version}: {self.recordings} test recordings, {self.seconds / 60:.1f} minutes, seed {self.seed}"
        if self.random_weights:
            line += "; the weights are random, so the table shows how alike the precisions are, not how well they recognize"
        if self.left_out:
            line += f"; {len(self.left_out)} left out, the first: {self.left_out[0]}"
        return "\n".join([*lines, "", f"{line}."])

    def _cells(self, scores: Scores) -> list[str]:
        words = [RANDOM] * 4 if self.random_weights else _error_cells(scores)
        frames, vad, boundaries = scores.frames, scores.vad_to_labels, scores.boundaries
        detected = NOTHING if vad is None else f"{_number(vad.f1, 4)} ({_percent(vad.miss_rate)} / {_percent(vad.false_alarm_rate)})"
        return [
            *words,
            _percent(scores.blank_rate),
            NOTHING if frames is None else _percent(frames.agreement),
            NOTHING if frames is None or frames.mean_kl is None else f"{frames.mean_kl:.2g}",
            _tag_cell(scores.tags_to_reference),
            RANDOM if self.random_weights else _tag_cell(scores.tags_to_labels),
            NOTHING if scores.vad_to_reference is None else _number(scores.vad_to_reference.f1, 4),
            detected,
            NOTHING if boundaries is None else _percent(boundaries.within(NEAR_MS)),
            NOTHING if boundaries is None else _boundary_cell(boundaries),
        ]


def _error_cells(scores: Scores) -> list[str]:
    cer, wer = scores.cer, scores.wer
    if cer is None:
        return [NOTHING] * 4
    gap, counts = cer.difference, cer.counts
    return [
        _interval(cer.interval),
        f"{counts.substitutions} / {counts.deletions} / {counts.insertions}",
        NOTHING if wer is None else _interval(wer.interval),
        NOTHING if gap is None else f"{100 * gap.estimate:+.2f} [{100 * gap.low:+.2f}, {100 * gap.high:+.2f}], {gap.p_above_zero:.2f}",
    ]


def _interval(interval: Interval) -> str:
    return f"{100 * interval.estimate:.2f} [{100 * interval.low:.2f}, {100 * interval.high:.2f}]"


def _tag_cell(families: Mapping[str, TagAgreement] | None) -> str:
    if families is None or not any(agreement.of for agreement in families.values()):
        return NOTHING
    return " / ".join(_percent(families[name].rate) for name in FAMILIES)


def _boundary_cell(errors: BoundaryErrors) -> str:
    return f"{_number(errors.median_ms, 0)} / {_number(errors.p90_ms, 0)} / {_number(errors.max_ms, 0)} ({errors.unmatched})"


def _percent(share: float | None) -> str:
    return NOTHING if share is None else f"{100 * share:.2f}"


def _number(value: float | None, digits: int) -> str:
    return NOTHING if value is None else f"{value:.{digits}f}"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}")
    if isinstance(value, dict):
        return {key: _rounded(entry) for key, entry in value.items()}
    return [_rounded(entry) for entry in value] if isinstance(value, list | tuple) else value
