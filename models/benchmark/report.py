"""A benchmark as JSON, as Markdown with its ratios, bars and the tutorials' claims beside it, and as PNG bars."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.benchmark.child import FIRST_S, VAD_S, WHOLE_S
from models.benchmark.result import FULL_SIZE_FP32_MB, BenchmarkResult, Row, check_bars, folders
from models.benchmark.tutorial_claims import Change, ClaimBesideOurs, Scores, Tutorial, beside_ours

NOTHING = "–"
NOT_MEASURED = "not measured here"


@dataclass(frozen=True, kw_only=True)
class Line:
    """One figure as a line of the table."""

    figure: str
    title: str
    digits: int
    scale: float = 1.0


def lines_of(result: BenchmarkResult) -> list[Line]:
    """The lines of a run's table, in reading order."""
    latencies = [
        Line(figure=f"asr_{which}_ms_{duration:g}s", title=f"ASR latency, {duration:g} s of audio, {which}, ms", digits=1)
        for duration in result.durations_s
        for which in ("p50", "p95")
    ]
    return [
        Line(figure="asr_mb", title="ASR on disk, MB", digits=2),
        Line(figure="vad_mb", title="VAD on disk, MB", digits=2),
        Line(figure="both_mb", title="both on disk, MB", digits=2),
        Line(figure="import_s", title="cold start: imports, s", digits=2),
        Line(figure="open_s", title="cold start: opening, s", digits=2),
        Line(figure="first_s", title=f"cold start: first clip of {FIRST_S} s, s", digits=3),
        Line(figure="cold_start_s", title="cold start, s", digits=2),
        *latencies,
        Line(figure="rtf", title=f"whole path on {WHOLE_S} s: RTF", digits=4),
        Line(figure="cpu_s_per_audio_s", title="whole path: CPU seconds per second of audio", digits=4),
        Line(figure="speech_share", title="whole path: share of the clip that VAD calls speech, %", digits=0, scale=100),
        Line(figure="rss_base_mb", title="RSS before opening, MB", digits=0),
        Line(figure="rss_open_mb", title="RSS after opening, MB", digits=0),
        Line(figure="rss_used_mb", title="RSS after all runs, MB", digits=0),
        Line(figure="rss_peak_mb", title="peak RSS, MB", digits=0),
        Line(figure="gpu_memory_mb", title="GPU memory taken, MB", digits=0),
        Line(figure=f"vad_p50_ms_{VAD_S}s", title=f"VAD alone: {VAD_S} s of audio, p50, ms", digits=1),
        Line(figure=f"vad_p95_ms_{VAD_S}s", title=f"VAD alone: {VAD_S} s of audio, p95, ms", digits=1),
        Line(figure="vad_rtf", title="VAD alone, with features: RTF", digits=4),
        Line(figure="vad_cpu_s_per_audio_s", title="VAD alone, with features: CPU seconds per second of audio", digits=4),
        Line(figure="vad_cold_start_s", title="VAD alone: cold start, s", digits=2),
        Line(figure="vad_rss_base_mb", title="VAD alone: RSS before opening, MB", digits=0),
        Line(figure="vad_rss_open_mb", title="VAD alone: RSS after opening, MB", digits=0),
        Line(figure="vad_rss_peak_mb", title="VAD alone: peak RSS, MB", digits=0),
        Line(figure="temperature_before_c", title="package temperature before the soak, °C", digits=1),
        Line(figure="temperature_after_c", title="package temperature after the soak, °C", digits=1),
        Line(figure="temperature_max_c", title="highest package temperature, °C", digits=1),
    ]


def to_json(result: BenchmarkResult, *, evaluation: Scores | None = None) -> str:
    """Every figure, round, ratio and verdict, and the claims beside them; ``evaluation`` as :func:`to_markdown` takes it."""
    claims = {folder: [asdict(one) for one in beside_ours(result, folder, evaluation)] for folder in folders(result.rows)}
    return json.dumps({**result.to_dict(), "claims": claims}, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def to_markdown(result: BenchmarkResult, *, evaluation: Scores | None = None) -> str:
    """The report; ``evaluation`` is the JSON of ``python -m models evaluate``, for the claims that are about accuracy."""
    parts = [_counted(result), "## Figures", _figures_table(result), *_failures(result), "## Ratios to FP32 of the same run"]
    parts += [_ratios_table(result), "## Bars", _bars(result)]
    for folder in folders(result.rows):
        rows = beside_ours(result, folder, evaluation)
        for tutorial in Tutorial:
            chosen = [row for row in rows if row.claim.tutorial is tutorial]
            name = next(row.bundle for row in result.rows if row.folder == folder)
            parts += [f"## {tutorial.value}: its claims beside {name}", _claims_table(chosen)]
    return "\n\n".join(parts) + "\n"


#: What the figures count, below the line that names machine and run.
COUNTED = f"""\
- Each precision runs in a process of its own, {{rounds}} times, in rotation. A figure is the median over these rounds, \
a ratio the median of the rounds' own ratios. Latencies: {{repeats}} runs after one that is not counted; p50 and p95 within a process.
- MB are 10⁶ bytes. On disk: graph and external weights. RSS: the whole process with Python and its libraries, after garbage collection \
and malloc_trim; before opening it holds the libraries alone. Peak: the most the process ever held.
- Cold start: from the start of the process until {FIRST_S} s of audio are recognized, the files being in the page cache.
- ASR latency: graph and decoding, on features computed beforehand. Whole path: features, VAD, recognition of what VAD found. VAD alone: \
a process that opens that graph only, on features computed beforehand unless the line states otherwise.
- Machines are noisy: trust ratios before figures."""


def _counted(result: BenchmarkResult) -> str:
    run = f"Device {result.device}, {result.threads} threads. Audio: {result.clip}."
    return f"Machine: {result.machine}. {run}\n\n{COUNTED.format(rounds=result.rounds, repeats=result.repeats)}"


def _labels(rows: Sequence[Row]) -> list[str]:
    """Precisions by name; the bundle's name before them where there are several, its folder where two have the same name."""
    names = {row.folder: row.bundle for row in rows}
    if len(names) == 1:
        return [row.precision for row in rows]
    unique = len(set(names.values())) == len(names)
    return [f"{row.bundle if unique else Path(row.folder).name} {row.precision}" for row in rows]


def _table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    cells = [titles, ["---", *["---:"] * (len(titles) - 1)], *rows]
    return "\n".join(f"| {' | '.join(_escaped(cell) for cell in row)} |" for row in cells)


def _escaped(cell: str) -> str:
    return " ".join(cell.replace("|", "\\|").split())


def _figures_table(result: BenchmarkResult) -> str:
    found = [row.figures for row in result.rows]
    return _lines_table(result, found, lambda line, value: f"{line.scale * value:.{line.digits}f}")


def _ratios_table(result: BenchmarkResult) -> str:
    ratios = [result.ratios(row) for row in result.rows]
    if not any(ratios):
        return "No FP32 was measured in this run, so there is nothing to divide by."
    return _lines_table(result, ratios, lambda _, value: f"{value:.3f}")


def _lines_table(result: BenchmarkResult, found: Sequence[Mapping[str, float]], show: Callable[[Line, float], str]) -> str:
    rows = [
        [line.title, *(show(line, values[line.figure]) if line.figure in values else NOTHING for values in found)]
        for line in lines_of(result)
        if any(line.figure in values for values in found)
    ]
    return _table(["", *_labels(result.rows)], rows)


def _failures(result: BenchmarkResult) -> list[str]:
    lines = [f"- {label} was not measured: {row.error}" for label, row in zip(_labels(result.rows), result.rows, strict=True) if row.error]
    notes = dict.fromkeys(row.soak_note for row in result.rows if row.soak is None and row.soak_note)
    lines += [f"- No temperatures: {note}." for note in notes]
    return ["\n".join(lines)] if lines else []


def _bars(result: BenchmarkResult) -> str:
    verdicts = check_bars(result)
    if not verdicts:
        return f"The bars are for INT8 against FP32 at full size (FP32 of at least {FULL_SIZE_FP32_MB:.0f} MB); this run has no such pair."
    words = {True: "met", False: "missed", None: NOT_MEASURED}
    rows = [
        [f"{one.bundle}: {one.bar}", f"≤ {one.limit:.2f}", NOTHING if one.ratio is None else f"{one.ratio:.3f}", words[one.met]]
        for one in verdicts
    ]
    return _table(["INT8 over FP32", "bar", "measured", "verdict"], rows)


def _claims_table(rows: Sequence[ClaimBesideOurs]) -> str:
    titles = ["", "claimed: FP32 → INT8", "change", "ours: FP32 → INT8", "change", "what ours counts"]
    return _table(titles, [_claim_cells(row) for row in rows])


def _claim_cells(row: ClaimBesideOurs) -> list[str]:
    claim = row.claim
    published = _pair(claim.before, claim.after, claim.unit, digits=None)
    change = claim.stated or _change(claim.change, claim.before, claim.after, claim.unit, digits=1)
    if row.after is None:
        return [
            claim.row,
            published,
            change,
            f"{NOT_MEASURED}: {row.reason}",
            NOTHING,
            NOTHING if claim.counted == row.reason else claim.counted,
        ]
    ours = _pair(row.before, row.after, claim.unit, digits=claim.digits) + (f" (FP32 {NOT_MEASURED}: {row.reason})" if row.reason else "")
    return [
        claim.row,
        published,
        change,
        ours,
        _change(claim.change, row.before, row.after, claim.unit, digits=claim.digits),
        claim.counted,
    ]


def _pair(before: float | None, after: float | None, unit: str, *, digits: int | None) -> str:
    values = ["" if value is None else f"{value:g}" if digits is None else f"{value:.{digits}f}" for value in (before, after)]
    return f"{' → '.join(values)} {unit}".strip() if any(values) else NOTHING


def _change(how: Change, before: float | None, after: float | None, unit: str, *, digits: int) -> str:
    if before is None or after is None or (how is Change.PERCENT and before == 0):
        return NOTHING
    if how is Change.PERCENT:
        return f"{100 * (after / before - 1):+.1f} %".replace("-", "−")
    return f"{after - before:+.{digits}f} {'points' if unit == '%' else unit}".replace("-", "−")


# ---- plots -----------------------------------------------------------------------------------------------------------

#: Okabe and Ito's palette, which colour-blind readers can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#999999")
DOTS_PER_INCH = 120


def plots(result: BenchmarkResult, folder: Path) -> list[Path]:
    """Write ``size.png``, ``memory.png`` and ``latency.png`` into a folder: -> their paths; none where nothing was measured."""
    rows = [row for row in result.rows if row.rounds]
    if not rows:
        return []
    folder.mkdir(parents=True, exist_ok=True)
    labels = _labels(rows)
    latencies = {f"{duration:g} s": f"asr_p50_ms_{duration:g}s" for duration in result.durations_s}
    groups = {
        "size": ("On disk, MB", {"ASR": "asr_mb", "VAD": "vad_mb"}),
        "memory": (
            "Resident memory of the process, MB",
            {"after opening": "rss_open_mb", "after all runs": "rss_used_mb", "peak": "rss_peak_mb"},
        ),
        "latency": ("ASR latency by length of audio, median, ms", latencies),
    }
    return [_draw(folder / f"{name}.png", title, labels, rows, series) for name, (title, series) in groups.items()]


def _draw(path: Path, title: str, labels: Sequence[str], rows: Sequence[Row], series: Mapping[str, str]) -> Path:
    """Grouped bars: a group for each name in ``series``, a bar for each row."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(max(5.0, 1.0 + 0.7 * len(rows) * len(series)), 3.6), layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes: Any = figure.add_subplot()
    width = 0.8 / len(rows)
    for index, (label, row) in enumerate(zip(labels, rows, strict=True)):
        figures = row.figures
        places = [place + (index - (len(rows) - 1) / 2) * width for place in range(len(series))]
        heights = [figures.get(name, 0.0) for name in series.values()]
        bars = axes.bar(places, heights, width, label=label, color=COLOURS[index % len(COLOURS)])
        axes.bar_label(bars, fmt=lambda value: f"{value:.0f}" if value >= 100 else f"{value:.3g}", fontsize=7)
    axes.set_xticks(range(len(series)), list(series))
    axes.set_title(title, fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(y=0.12)
    figure.legend(loc="outside lower center", ncols=min(4, len(rows)), fontsize=8, frameon=False)
    canvas.print_figure(str(path), dpi=DOTS_PER_INCH)
    return path
