"""The run as JSON, as Markdown with its bars, and as PNG."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.command_line import markdown_table
from benchmarks.peers.result import Row, Verdict, check_bars

NOTHING = "–"
#: Columns of the table: title, figure, digits.
COLUMNS = (
    ("MB on disk", "size_mb", 0),
    ("cold start, s", "cold_start_s", 2),
    ("3 s, ms", "latency_ms_3s", 0),
    ("10 s, ms", "latency_ms_10s", 0),
    ("10 s, processor ms", "cpu_ms_10s", 0),
    ("30 s, ms", "latency_ms_30s", 0),
    ("long file, RTF", "file_rtf", 4),
    ("RSS, MB", "rss_mb", 0),
    ("peak, MB", "rss_peak_mb", 0),
    ("8 callers, s/s", "callers_audio_s_per_s", 1),
    ("8 callers, p95 ms", "callers_p95_ms", 0),
)
COUNTED = """\
- Each row is a fresh process in every round, the rows taking turns; a cell is the median over the rounds, then the lowest and the \
highest. Ratios are taken within a round. MB are 10⁶ bytes.
- Cold start: from the start of the process, imports and all, until 3 s of audio are recognized; files in the page cache.
- 3, 10, 30 s: features, network and decoding of one clip without VAD. Processor ms: what all cores together \
spend on it. RSS: after those of 3 and 10 s. Peak: the most the process held.
- Long file: decoding, features, VAD and recognition. sherpa-onnx has no FSMN-VAD, onnxruntime and OpenVINO run graphs alone: they are \
lent our features, and segments by FSMN-VAD on their own runtime (sherpa-onnx: on ONNX Runtime). torch merges segments up to 15 s, as \
SenseVoice's README does.
- 8 callers: threads of one process that each recognize 10 s clips; seconds of audio a second over all, and how long a clip takes."""


def to_json(rows: Sequence[Row], *, conditions: Mapping[str, Any]) -> str:
    """Conditions, every round of every row, every verdict."""
    verdicts = [{**asdict(verdict), "met": verdict.met} for verdict in check_bars(rows)]
    return json.dumps({"conditions": dict(conditions), "rows": [asdict(row) for row in rows], "bars": verdicts}, indent=1) + "\n"


def to_markdown(rows: Sequence[Row], *, conditions: Mapping[str, Any]) -> str:
    """The table, the rows that could not be measured, and the bars."""
    said = "; ".join(f"{name} {value}" for name, value in conditions.items())
    parts = [said, COUNTED, markdown_table(["", *(title for title, _, _ in COLUMNS)], [_cells(row) for row in rows if not row.error])]
    missing = [f"- {row.name} could not be measured: {row.error}" for row in rows if row.error]
    parts += ["\n".join(missing)] if missing else []
    parts.append(markdown_table(["bar", "limit", "measured", "verdict"], [_verdict(verdict) for verdict in check_bars(rows)]))
    return "\n\n".join(parts) + "\n"


def _cells(row: Row) -> list[str]:
    return [row.name, *(_cell(row, figure, digits) for _, figure, digits in COLUMNS)]


def _cell(row: Row, figure: str, digits: int) -> str:
    values, median = row.values(figure), row.median(figure)
    if median is None:
        return NOTHING
    spread = f" ({min(values):.{digits}f}–{max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{median:.{digits}f}{spread}"


def _verdict(verdict: Verdict) -> list[str]:
    sign = "≥" if verdict.at_least else "≤"
    word = {True: "met", False: "missed", None: "not measured"}[verdict.met]
    return [verdict.what, f"{sign} {verdict.limit:g}", NOTHING if verdict.measured is None else f"{verdict.measured:.3f}", word]


#: Ours, and the others (Okabe and Ito's palette, told apart by colour-blind eyes).
OUR_COLOUR, THEIR_COLOUR = "#0072B2", "#999999"
PLOTTED = (
    ("10 s of audio, ms", "latency_ms_10s"),
    ("RSS, MB", "rss_mb"),
    ("cold start, s", "cold_start_s"),
    ("long file, RTF", "file_rtf"),
)


def plot(rows: Sequence[Row], path: Path) -> None:
    """Four panels of bars, a bar for each row that was measured, with its spread."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - slow to load, and --help does not draw
    from matplotlib.figure import Figure  # noqa: PLC0415

    shown = [row for row in rows if not row.error]
    figure = Figure(figsize=(14, 1.5 + 0.3 * len(shown)), layout="constrained")
    panels = figure.subplots(1, len(PLOTTED), sharey=True)
    for axes, (title, name) in zip(panels, PLOTTED, strict=True):
        medians = [row.median(name) or 0.0 for row in shown]
        spreads = [(row.values(name) or [0.0]) for row in shown]
        errors = [
            [median - min(values) for median, values in zip(medians, spreads, strict=True)],
            [max(values) - median for median, values in zip(medians, spreads, strict=True)],
        ]
        colours = [OUR_COLOUR if row.name.startswith("ours") else THEIR_COLOUR for row in shown]
        bars = axes.barh([row.name for row in shown], medians, color=colours, xerr=errors, error_kw={"linewidth": 0.8})
        axes.bar_label(bars, fmt="%.3g", fontsize=7, padding=3)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.15)
    panels[0].invert_yaxis()
    path.parent.mkdir(parents=True, exist_ok=True)
    FigureCanvasAgg(figure).print_figure(str(path), dpi=110)
