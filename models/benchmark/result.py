"""What a benchmark found: the figures of each precision, their ratios to FP32, and whether the full-size bars are met."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.runtime.session_pool import Precision
from models.benchmark.machine import Machine

FULL_PRECISION = Precision.FP32.value
#: Bars are for SenseVoice-Small: 234 M parameters are 936 MB in FP32. Smaller bundles are mostly library and start-up.
FULL_SIZE_FP32_MB = 800.0
BAR_DURATION_S = 10
#: INT8 over FP32 of the same run, at full size: figure and the ratio it must not exceed.
BARS: Mapping[str, tuple[str, float]] = {
    "size": ("both_mb", 0.26),
    "load": ("open_s", 0.40),
    "RSS after opening": ("rss_open_mb", 0.36),
    f"latency at {BAR_DURATION_S} s": (f"asr_p50_ms_{BAR_DURATION_S}s", 0.36),
}
#: Figures without a ratio: they belong to the process or to the recording.
NO_RATIO = frozenset({"rss_base_mb", "vad_rss_base_mb", "speech_share", "soak_s"})


@dataclass(frozen=True, kw_only=True)
class Row:
    """One precision of one bundle: the figures of each round, or why there are none."""

    bundle: str
    folder: str
    precision: str
    #: Bytes of each of its files, external weights by their own name.
    files: Mapping[str, int]
    rounds: tuple[Mapping[str, float], ...] = ()
    soak: Mapping[str, float] | None = None
    soak_note: str = ""
    error: str | None = None

    @property
    def figures(self) -> dict[str, float]:
        """Each figure's median over the rounds; units are in the names."""
        names = dict.fromkeys(name for figures in self.rounds for name in figures)
        medians = {name: statistics.median(figures[name] for figures in self.rounds if name in figures) for name in names}
        return medians | dict(self.soak or {})


@dataclass(frozen=True, kw_only=True)
class BenchmarkResult:
    """All rows of one run, and how it was run."""

    machine: Machine
    device: str
    threads: int
    durations_s: tuple[float, ...]
    repeats: int
    rounds: int
    soak_s: float
    clip: str
    rows: tuple[Row, ...]

    def row(self, folder: str, precision: str) -> Row | None:
        """The row of a bundle folder and precision that gave figures; None where there is none."""
        found = (row for row in self.rows if row.folder == folder and row.precision == precision and row.rounds)
        return next(found, None)

    def ratios(self, row: Row) -> dict[str, float]:
        """A row over FP32 of the same bundle and run; empty without FP32.

        Each ratio is the median of the rounds' own ratios: what slows the machine for a while slows both sides of a round.
        """
        base = self.row(row.folder, FULL_PRECISION)
        if base is None:
            return {}
        ratios = {}
        for name in row.figures:
            pairs = [(ours[name], full[name]) for ours, full in zip(row.rounds, base.rounds, strict=False) if name in ours and name in full]
            sound = [ours / full for ours, full in pairs if full > 0]
            if sound and name not in NO_RATIO:
                ratios[name] = statistics.median(sound)
        return ratios

    def to_dict(self) -> dict[str, Any]:
        """Ready for ``json.dumps``: medians, ratios and every round."""
        rows = [{**asdict(row), "figures": row.figures, "ratios_to_fp32": self.ratios(row)} for row in self.rows]
        return {**asdict(self), "rows": rows, "bars": [asdict(verdict) for verdict in check_bars(self)]}


@dataclass(frozen=True, kw_only=True)
class BarVerdict:
    """One bar: the ratio of INT8 to FP32, the most it may be, and whether it is met (None where it was not measured)."""

    bundle: str
    bar: str
    limit: float
    ratio: float | None
    met: bool | None


def check_bars(result: BenchmarkResult) -> list[BarVerdict]:
    """Judge ``int8`` of every full-size bundle in a run; empty where no bundle is of full size."""
    return [verdict for folder in folders(result.rows) for verdict in _judge(result, folder)]


def _judge(result: BenchmarkResult, folder: str) -> list[BarVerdict]:
    rows = {row.precision: row for row in result.rows if row.folder == folder}
    full, small = rows.get(FULL_PRECISION), rows.get(Precision.INT8.value)
    if full is None or small is None or sum(full.files.values()) < FULL_SIZE_FP32_MB * 1e6:
        return []
    ratios = result.ratios(small)
    verdicts = []
    for bar, (figure, limit) in BARS.items():
        ratio = ratios.get(figure)
        met = None if ratio is None else ratio <= limit
        verdicts.append(BarVerdict(bundle=small.bundle, bar=bar, limit=limit, ratio=ratio, met=met))
    return verdicts


def folders(rows: Sequence[Row]) -> list[str]:
    """The bundle folders of a run, in its order."""
    return list(dict.fromkeys(row.folder for row in rows))
