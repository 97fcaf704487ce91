"""Figures → the tables of the model card, so that nobody copies a number by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.starter.corpus import CorpusError

COST = "against FP32"
VAD = "VAD frames (F1)"
#: What a training's log calls its held-out figures, and what the card calls them.
LOG_COLUMNS = {
    "ctc": "CTC loss a unit",
    "digits_wer": "digit strings WER",
    "english_cer": "English CER",
    "mandarin_cer": "Mandarin CER",
    "language_accuracy": "language",
    "emotion_accuracy": "emotion",
    "event_accuracy": "events",
}


def _cell(row: Mapping[str, Any]) -> str:
    if "f1" in row:
        return f"{row['f1']:.3f} (miss {100 * row['miss']:.1f} %, false alarm {100 * row['false_alarm']:.1f} %)"
    interval = f" [{100 * row['low']:.1f}–{100 * row['high']:.1f}]" if "low" in row else ""
    prompted = f"; prompted {100 * row['prompted_rate']:.1f} %" if "prompted_rate" in row else ""
    return f"{100 * row['rate']:.1f} %{interval}{prompted}"


def _size(row: Mapping[str, Any]) -> str:
    if "seconds" in row:
        return f"{row['seconds']:.0f} s"
    return str(row.get("utterances", ""))


def figures_table(figures: Mapping[str, Mapping[str, Any]]) -> str:
    """What ``evaluate`` found: one row a slice, one column a precision, then the classes and what INT8 costs."""
    precisions = list(figures)
    names = [name for name, row in figures[precisions[0]].items() if name != COST and row is not None]
    lines = [f"| slice | n | {' | '.join(name.upper() for name in precisions)} |", "|---|---|" + "---|" * len(precisions)]
    lines += [
        f"| {name} | {_size(figures[precisions[0]][name])} | {' | '.join(_cell(figures[p][name]) for p in precisions)} |" for name in names
    ]
    for name in names:
        classes = figures[precisions[0]][name].get("classes")
        if classes:
            recalls = ", ".join(f"{label} {100 * recall:.0f} %" for label, recall in classes.items())
            lines += ["", f"{name[0].upper()}{name[1:]} by class, {precisions[0].upper()}: {recalls}."]
    for precision in precisions:
        cost = figures[precision].get(COST)
        if cost is not None:
            change = f"{cost['cer_points']:+.2f} points of CER over all slices [{cost['low']:+.2f}, {cost['high']:+.2f}]"
            lines += ["", f"{precision.upper()} against FP32: {change}, {100 * cost['tags_equal']:.1f} % of the tags alike."]
    return "\n".join(lines)


def training_table(log: Path) -> str:
    """The log of a training (``asr.log.jsonl``): one row an epoch; CorpusError where there is none."""
    if not log.is_file():
        raise CorpusError(f"no {log}; run `python -m models.starter train` first")
    entries = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    columns = [name for name in LOG_COLUMNS if any(name in entry for entry in entries)]
    lines = [f"| epoch | minutes | {' | '.join(LOG_COLUMNS[name] for name in columns)} |", "|---|---|" + "---|" * len(columns)]
    for entry in entries:
        cells = [f"{entry[name]:.2f}" if name == "ctc" else f"{100 * entry[name]:.0f} %" for name in columns]
        lines.append(f"| {entry['epoch']} | {entry['minutes']:.0f} | {' | '.join(cells)} |")
    return "\n".join(lines)


def fill(card: Path, section: str, text: str) -> None:
    """Put ``text`` between ``<!-- section: begin -->`` and ``<!-- section: end -->`` of the card; CorpusError where they are missing."""
    content = card.read_text(encoding="utf-8")
    begin, end = f"<!-- {section}: begin -->", f"<!-- {section}: end -->"
    if begin not in content or end not in content:
        raise CorpusError(f"{card} has no place for {section!r}; it needs the lines {begin} and {end}")
    before, _, rest = content.partition(begin)
    card.write_text(f"{before}{begin}\n{text}\n{end}{rest.partition(end)[2]}", encoding="utf-8")
