"""A Comparison as files to download: JSON with everything, Markdown for people."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ui.compare.comparison_html import is_same_variant, side_names, text_verdict
from ui.text.quantities import clock, megabytes, percent, rtf, seconds, signed_percent
from ui.text.texts import Texts
from ui.widgets.tag_chips import FAMILIES

_MARKUP = str.maketrans({character: f"\\{character}" for character in "\\`*_{}[]<>()#+!|~"})


def write_comparison(report: Mapping[str, Any], folder: Path, *, stem: str, texts: Texts) -> tuple[Path, Path]:
    """Write ``stem``.md and ``stem``.json into a new folder under ``folder``: their paths, in this order.

    ``report`` is ``Comparison.to_dict()`` with the key ``reference`` (None, or what ``score_sides`` gives).
    """
    target = folder / uuid.uuid4().hex
    target.mkdir(parents=True)
    markdown, values = target / f"{stem}.md", target / f"{stem}.json"
    markdown.write_text(comparison_markdown(report, texts), encoding="utf-8")
    values.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    return markdown, values


def comparison_markdown(report: Mapping[str, Any], texts: Texts) -> str:
    """The comparison in one page of Markdown; nothing that was said in the recording becomes markup."""
    names = side_names(report)
    parts = [
        f"# {texts('report.title', left=_plain(names[0]), right=_plain(names[1]))}",
        texts("report.recording", file=_plain(report["file"]), duration=seconds(report["duration_s"])),
        texts("compare.same") if is_same_variant(report) else "",
        _figures(report, names, texts),
        f"## {texts('compare.diff')}",
        _plain(text_verdict(report, texts)),
        *(f"**{_plain(name)}**\n\n> {_plain(report[side]['text']) or '–'}" for name, side in zip(names, ("left", "right"), strict=True)),
        _reference(report["reference"], names, texts),
        _tags(report["tags"]["segments"], names, texts),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _figures(report: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    time, memory, rounds, tags = report["time"], report["memory"], report["rounds"], report["tags"]
    timed = texts("compare.time") if rounds["count"] == 1 else texts("compare.time_median", rounds=rounds["count"])
    rows: list[tuple[str, ...]] = [
        (timed, *_both(seconds, time["left_s"], time["right_s"])),
        (texts("compare.rtf"), *_both(rtf, time["left_rtf"], time["right_rtf"])),
        (texts("compare.memory"), *_both(megabytes, memory["left_mb"], memory["right_mb"])),
        (texts("compare.file"), *_both(megabytes, memory["left_file_mb"], memory["right_file_mb"])),
        (texts("segments.title"), str(report["segments"]["left"]), str(report["segments"]["right"])),
    ]
    reference = report["reference"]
    for kind in ("cer", "wer"):
        rates = [reference[side][kind] for side in ("left", "right")] if reference else []
        if any(rates):
            rows.append((texts(f"reference.{kind}"), *(percent(rate["rate"]) if rate else "–" for rate in rates)))
    table = _table(("", *names), rows)
    if tags["agreement"] is None:
        return table
    agreed = texts("compare.of", agree=sum(tags[family]["agree"] for family in FAMILIES), of=sum(tags[family]["of"] for family in FAMILIES))
    return f"{table}\n\n{texts('compare.tags')}: {percent(tags['agreement'])} ({agreed})"


def _both(write: Callable[[float], str], left: float, right: float) -> tuple[str, str]:
    return write(left), write(right)


def _reference(reference: Mapping[str, Any] | None, names: tuple[str, str], texts: Texts) -> str:
    if reference is None:
        return ""
    lines = [f"## {texts('reference.title')}", f"> {_plain(reference['text'])}", texts("reference.normalized")]
    for name, side in zip(names, (reference["left"], reference["right"]), strict=True):
        if side["reason"]:
            lines.append(_plain(texts(f"reference.{side['reason']}", side=name)))
        for kind in ("cer", "wer"):
            if side[kind]:
                counted = f"{texts(f'reference.{kind}')} {percent(side[kind]['rate'])}, {texts('reference.counts', **side[kind])}"
                lines.append(f"- {_plain(name)}: {_plain(counted)}")
    return "\n\n".join(lines)


def _tags(segments: Sequence[Mapping[str, Any]], names: tuple[str, str], texts: Texts) -> str:
    if not segments:
        return ""
    rows = [
        (f"{clock(segment['start_ms'])}–{clock(segment['end_ms'])}", *(_tags_of(segment, side, texts) for side in ("left", "right")))
        for segment in segments
    ]
    table = _table((texts("compare.column_time"), *names), rows)
    return f"## {texts('compare.tags')}\n\n{texts('compare.margin_info')}\n\n{table}"


def _tags_of(segment: Mapping[str, Any], side: str, texts: Texts) -> str:
    tags = segment[side]
    if tags is None:
        return texts("compare.no_segment")
    parts = []
    for family in FAMILIES:
        margin = segment["margin"][side][family]
        ahead = "" if margin is None else f" ({signed_percent(margin)})"
        parts.append(f"{texts.tag(tags[family])} {percent(segment['confidence'][side][family])}{ahead}")
    return ", ".join(parts)


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cell if cell == '---' else _plain(cell) for cell in line)} |" for line in lines)


def _plain(text: str) -> str:
    """Text as Markdown shows it literally, on one line."""
    return " ".join(text.translate(_MARKUP).split())
