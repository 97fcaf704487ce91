"""A Comparison as HTML: what the second precision changes in text and tags, and what it costs or saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from ui.quantities import clock, megabytes, percent, rtf, seconds
from ui.tag_chips import FAMILIES, chip
from ui.texts import Texts

_DIFFERS = ' class="lv-differs"'


def comparison_empty_html(texts: Texts) -> str:
    """What stands where the comparison will be."""
    return f'<p class="lv-empty">{escape(texts("compare.empty"))}</p>'


def comparison_html(comparison: Mapping[str, Any], texts: Texts) -> str:
    """Draw a comparison; ``comparison`` is what ``Comparison.to_dict()`` gives, both transcripts included."""
    names = (str(comparison["left"]["precision"]).upper(), str(comparison["right"]["precision"]).upper())
    return (
        f'<section class="lv-comparison" aria-live="polite">{_text(comparison["text"], names, texts)}'
        f'<div class="lv-grid">{_time(comparison["time"], names, texts)}{_memory(comparison["memory"], names, texts)}</div>'
        f"{_tags(comparison, names, texts)}</section>"
    )


def _text(text: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    if text["equal"]:
        verdict = texts("compare.text_equal")
    else:
        verdict = texts("compare.text_differs", edits=text["edits"], distance=percent(text["distance"]))
    glue = "" if text["unit"] == "character" else " "
    pieces = glue.join(_piece(piece, names, texts) for piece in text["diff"])
    body = f'<p class="lv-diff">{pieces}</p>' if pieces.strip() else ""
    return f'<div class="lv-card"><h3>{escape(texts("compare.diff"))}</h3><p class="lv-verdict">{escape(verdict)}</p>{body}</div>'


def _piece(piece: Mapping[str, str], names: tuple[str, str], texts: Texts) -> str:
    if piece["op"] == "equal":
        return f"<span>{escape(piece['left'])}</span>"
    left, right = ("", "")
    if piece["left"]:
        left = f'<del title="{escape(texts("compare.only", precision=names[0]), quote=True)}">{escape(piece["left"])}</del>'
    if piece["right"]:
        right = f'<ins title="{escape(texts("compare.only", precision=names[1]), quote=True)}">{escape(piece["right"])}</ins>'
    return f"{left} {right}".strip()


def _time(time: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    bars = _bars(((names[0], time["left_s"]), (names[1], time["right_s"])), seconds)
    factors = " · ".join(f"{name} {rtf(value)}" for name, value in zip(names, (time["left_rtf"], time["right_rtf"]), strict=True))
    # Computed here and not read from "ratio", so that the sentence and the bars cannot disagree.
    factor = time["left_s"] / time["right_s"] if time["right_s"] else 0.0
    speed = f"{names[1]}: {texts('compare.times', ratio=f'{factor:.1f}')}" if factor else ""
    return (
        f'<div class="lv-card"><h3>{escape(texts("compare.time"))}</h3>{bars}'
        f'<p class="lv-muted">{escape(speed)}</p><p class="lv-muted">{escape(texts("compare.rtf"))}: {escape(factors)}</p></div>'
    )


def _memory(memory: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    running = _bars(((names[0], memory["left_mb"]), (names[1], memory["right_mb"])), megabytes)
    files = _bars(((names[0], memory["left_file_mb"]), (names[1], memory["right_file_mb"])), megabytes)
    return f'<div class="lv-card"><h3>{escape(texts("compare.memory"))}</h3>{running}<h3>{escape(texts("compare.file"))}</h3>{files}</div>'


def _bars(values: Sequence[tuple[str, float | None]], write: Any) -> str:
    longest = max((value or 0 for _, value in values), default=0) or 1
    rows = "".join(
        f'<div class="lv-bar-row"><span>{escape(name)}</span>'
        f'<span class="lv-bar"><span class="lv-bar-{side}" style="width:{(value or 0) / longest * 100:.1f}%"></span></span>'
        f"<span>{escape(write(value)) if value is not None else '–'}</span></div>"
        for side, (name, value) in zip(("left", "right"), values, strict=True)
    )
    return f'<div class="lv-bars">{rows}</div>'


def _tags(comparison: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    tags, counts = comparison["tags"], comparison["segments"]
    title = f"<h3>{escape(texts('compare.tags'))}</h3>"
    if tags["agreement"] is None:
        return f'<div class="lv-card">{title}<p class="lv-muted">{escape(texts("compare.no_tags"))}</p></div>'
    parts = [
        f"<span>{escape(texts(f'family.{family}'))} <strong>"
        f"{escape(texts('compare.of', agree=tags[family]['agree'], of=tags[family]['of']))}</strong></span>"
        for family in FAMILIES
    ]
    boundaries = texts("compare.boundaries", within=counts["within_10_ms"], boundaries=counts["boundaries"])
    return (
        f'<div class="lv-card">{title}<p class="lv-summary"><span><strong>{percent(tags["agreement"])}</strong></span>{"".join(parts)}</p>'
        f'<p class="lv-muted">{escape(boundaries)}</p>{_tag_table(tags["segments"], names, texts)}</div>'
    )


def _tag_table(segments: Sequence[Mapping[str, Any]], names: tuple[str, str], texts: Texts) -> str:
    titles = (texts("compare.column_time"), *names)
    header = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    rows = "".join(
        f"<tr{'' if segment['left'] == segment['right'] else _DIFFERS}><td>{clock(segment['start_ms'])}–{clock(segment['end_ms'])}</td>"
        f"<td>{_side(segment, 'left', texts)}</td><td>{_side(segment, 'right', texts)}</td></tr>"
        for segment in segments
    )
    return (
        f'<div class="lv-scroll" tabindex="0" role="region" aria-label="{escape(texts("compare.tags"), quote=True)}">'
        f'<table class="lv-table"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _side(segment: Mapping[str, Any], side: str, texts: Texts) -> str:
    tags = segment[side]
    if tags is None:
        return "–"
    margins = segment["margin"].get(side) or {}
    inner = "".join(chip(family, tags[family], texts, margin=margins.get(family)) for family in FAMILIES)
    return f'<span class="lv-tags">{inner}</span>'
