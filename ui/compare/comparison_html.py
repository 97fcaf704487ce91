"""A Comparison as HTML: what the second variant changes in text and tags, and what it costs or saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from engine.audio.reading.reading_warnings import received_warnings
from ui.text.quantities import clock, megabytes, percent, rtf, seconds
from ui.text.texts import Texts
from ui.widgets.bars import bars_html
from ui.widgets.reading_notes import reading_notes_html
from ui.widgets.tag_chips import FAMILIES, chip

#: More rows would only slow the page down; those that differ come first into this number, and the exports hold all.
MOST_ROWS = 200

_DIFFERS = ' class="lv-differs"'


def comparison_empty_html(texts: Texts) -> str:
    """What stands where the comparison will be."""
    return f'<p class="lv-empty">{escape(texts("compare.empty"))}</p>'


def side_names(comparison: Mapping[str, Any]) -> tuple[str, str]:
    """What the two sides are called: the precision, with its bundle where those differ, numbered where both are the same."""
    sides = [comparison["left"], comparison["right"]]
    several = sides[0]["bundle"] != sides[1]["bundle"]
    left, right = (f"{side['bundle']} · {side['precision'].upper()}" if several else side["precision"].upper() for side in sides)
    return (f"{left} (1)", f"{right} (2)") if left == right else (left, right)


def is_same_variant(comparison: Mapping[str, Any]) -> bool:
    """Whether a variant was compared with itself."""
    left, right = comparison["left"], comparison["right"]
    return (left["bundle"], left["precision"]) == (right["bundle"], right["precision"])


def comparison_html(comparison: Mapping[str, Any], texts: Texts) -> str:
    """Draw a comparison; ``comparison`` is what ``Comparison.to_dict()`` gives, both transcripts included."""
    names = side_names(comparison)
    same = f'<p class="lv-note">{escape(texts("compare.same"))}</p>' if is_same_variant(comparison) else ""
    left, right = (comparison[side].get("warnings", ()) for side in ("left", "right"))
    notes = reading_notes_html(received_warnings([*left, *(one for one in right if one not in left)]), texts)
    return (
        f'<section class="lv-comparison" aria-live="polite">{same}{notes}{_text(comparison, names, texts)}'
        f'<div class="lv-grid">{_time(comparison, names, texts)}{_memory(comparison["memory"], names, texts)}</div>'
        f"{_tags(comparison, names, texts)}</section>"
    )


def text_verdict(comparison: Mapping[str, Any], texts: Texts) -> str:
    """In a sentence how far the two texts lie apart."""
    text = comparison["text"]
    if not comparison["left"]["text"] and not comparison["right"]["text"]:
        return texts("compare.no_speech")
    if text["equal"]:
        return texts("compare.text_equal")
    return texts("compare.text_differs", edits=text["edits"], distance=percent(text["distance"]))


def _text(comparison: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    text = comparison["text"]
    glue = "" if text["unit"] == "character" else " "
    pieces = glue.join(_piece(piece, names, texts) for piece in text["diff"])
    body = f'<p class="lv-diff">{pieces}</p>' if pieces.strip() else ""
    legend = "" if text["equal"] else _diff_legend(names, texts)
    verdict = escape(text_verdict(comparison, texts))
    return f'<div class="lv-card"><h3>{escape(texts("compare.diff"))}</h3><p class="lv-verdict">{verdict}</p>{legend}{body}</div>'


def _diff_legend(names: tuple[str, str], texts: Texts) -> str:
    only = [escape(texts("compare.only", precision=name)) for name in names]
    return f'<p class="lv-diff lv-diff-legend"><del>{only[0]}</del> <ins>{only[1]}</ins></p>'


def _piece(piece: Mapping[str, str], names: tuple[str, str], texts: Texts) -> str:
    if piece["op"] == "equal":
        return f"<span>{escape(piece['left'])}</span>"
    left, right = ("", "")
    if piece["left"]:
        left = f'<del title="{escape(texts("compare.only", precision=names[0]), quote=True)}">{escape(piece["left"])}</del>'
    if piece["right"]:
        right = f'<ins title="{escape(texts("compare.only", precision=names[1]), quote=True)}">{escape(piece["right"])}</ins>'
    return f"{left} {right}".strip()


def _time(comparison: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    time, rounds = comparison["time"], comparison["rounds"]
    bars = bars_html(((names[0], time["left_s"]), (names[1], time["right_s"])), seconds)
    factors = bars_html(((names[0], time["left_rtf"]), (names[1], time["right_rtf"])), rtf)
    # Computed here and not read from "ratio", so that the sentence and the bars cannot disagree.
    factor = time["left_s"] / time["right_s"] if time["right_s"] else 0.0
    speed = f"{names[1]}: {texts('compare.times', ratio=f'{factor:.1f}')}" if factor else ""
    title = texts("compare.time") if rounds["count"] == 1 else texts("compare.time_median", rounds=rounds["count"])
    return (
        f'<div class="lv-card"><h3>{escape(title)}</h3>{bars}<p class="lv-muted">{escape(speed)}</p>{_spread(rounds, names, texts)}'
        f'<h3 title="{escape(texts("resources.rtf_info"), quote=True)}">{escape(texts("compare.rtf"))}</h3>{factors}</div>'
    )


def _spread(rounds: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    if rounds["count"] == 1:
        return ""
    lines = (
        f'<p class="lv-muted">{escape(name)}: {escape(texts("compare.spread", lowest=seconds(min(runs)), highest=seconds(max(runs))))}</p>'
        for name, runs in zip(names, (rounds["left_s"], rounds["right_s"]), strict=True)
    )
    return "".join(lines)


def _memory(memory: Mapping[str, Any], names: tuple[str, str], texts: Texts) -> str:
    running = bars_html(((names[0], memory["left_mb"]), (names[1], memory["right_mb"])), megabytes)
    files = bars_html(((names[0], memory["left_file_mb"]), (names[1], memory["right_file_mb"])), megabytes)
    info = escape(texts("compare.memory_info"), quote=True)
    return (
        f'<div class="lv-card"><h3 title="{info}">{escape(texts("compare.memory"))}</h3>{running}'
        f"<h3>{escape(texts('compare.file'))}</h3>{files}</div>"
    )


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
        f'<p class="lv-muted">{escape(boundaries)}</p><p class="lv-muted">{escape(texts("compare.margin_info"))}</p>'
        f"{_tag_table(tags['segments'], names, texts)}</div>"
    )


def _tag_table(segments: Sequence[Mapping[str, Any]], names: tuple[str, str], texts: Texts) -> str:
    titles = (texts("compare.column_time"), *names)
    header = "".join(f'<th scope="col">{escape(title)}</th>' for title in titles)
    shown = _shown(segments)
    rows = "".join(_tag_row(segment, texts) for segment in shown)
    cut = "" if len(shown) == len(segments) else texts("compare.rows_cut", shown=len(shown), of=len(segments))
    return (
        f'<div class="lv-scroll" tabindex="0" role="region" aria-label="{escape(texts("compare.tags"), quote=True)}">'
        f'<table class="lv-table lv-tag-table"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>'
        f'<p class="lv-muted">{escape(cut)}</p>'
    )


def _shown(segments: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most MOST_ROWS segments in time order; those that differ before those that agree."""
    ranked = sorted(range(len(segments)), key=lambda index: segments[index]["left"] == segments[index]["right"])[:MOST_ROWS]
    return [segments[index] for index in sorted(ranked)]


def _tag_row(segment: Mapping[str, Any], texts: Texts) -> str:
    differs = segment["left"] != segment["right"]
    mark = f'<span class="lv-differs-mark">≠ {escape(texts("compare.differs"))}</span>' if differs else ""
    return (
        f"<tr{_DIFFERS if differs else ''}><td>{clock(segment['start_ms'])}–{clock(segment['end_ms'])}{mark}</td>"
        f"<td>{_side(segment, 'left', texts)}</td><td>{_side(segment, 'right', texts)}</td></tr>"
    )


def _side(segment: Mapping[str, Any], side: str, texts: Texts) -> str:
    tags = segment[side]
    if tags is None:
        return escape(texts("compare.no_segment"))
    confidences, margins = segment["confidence"][side], segment["margin"][side]
    return "".join(_tag_line(family, tags[family], confidences[family], margins[family], texts) for family in FAMILIES)


def _tag_line(family: str, value: str, confidence: float, margin: float | None, texts: Texts) -> str:
    ahead = "" if margin is None else f' <span class="lv-margin">({signed_percent(margin)})</span>'
    return f'<div class="lv-tag-line">{chip(family, value, texts, confidence=confidence, margin=margin)} {percent(confidence)}{ahead}</div>'


def signed_percent(share: float) -> str:
    """A difference of probabilities: 0.51 -> ``+51 %``, -0.02 -> ``−2 %`` (a banned tag would have won)."""
    return f"−{percent(-share)}" if share < 0 else f"+{percent(share)}"
