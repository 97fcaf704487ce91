"""CER and WER of both sides against a reference text that somebody pasted."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from engine.compare.error_rate import score_against
from ui.text.quantities import percent
from ui.text.texts import Texts
from ui.widgets.bars import bars_html

#: Characters. About an hour of English or four hours of Mandarin; to align longer texts would keep a core busy for minutes.
LONGEST_REFERENCE = 60_000


def score_sides(reference: str, comparison: Mapping[str, Any]) -> dict[str, Any] | None:
    """Both transcripts of a comparison against a reference, for page and exports; None where nothing was pasted."""
    if not reference.strip():
        return None
    scores = {side: score_against(reference, comparison[side]["text"]).to_dict() for side in ("left", "right")}
    return {"text": reference, **scores}


def reference_html(scores: Mapping[str, Any] | None, names: tuple[str, str], texts: Texts) -> str:
    """The scores as bars with their counts, or why there are none; nothing where nobody pasted a reference."""
    if scores is None:
        return ""
    sides = [scores["left"], scores["right"]]
    if any(side["reason"] == "empty_reference" for side in sides):
        body = _line(texts("reference.empty_reference"))
    else:
        body = "".join(_rate(kind, sides, names, texts) for kind in ("cer", "wer"))
        body += "".join(
            _line(texts("reference.other_script", side=name)) for name, side in zip(names, sides, strict=True) if side["reason"]
        )
        if body and any(side["cer"] and not side["wer"] for side in sides):
            body += _line(texts("reference.no_words"))
    return (
        f'<section class="lv-card lv-reference"><h3>{escape(texts("reference.title"))}</h3>{body}'
        f'<p class="lv-muted">{escape(texts("reference.normalized"))}</p></section>'
    )


def counts_line(rate: Mapping[str, Any], texts: Texts) -> str:
    """How an error rate came about: wrong, missing and added units of how many."""
    return texts("reference.counts", **{key: rate[key] for key in ("substitutions", "deletions", "insertions", "length")})


def _rate(kind: str, sides: list[Mapping[str, Any]], names: tuple[str, str], texts: Texts) -> str:
    if not any(side[kind] for side in sides):
        return ""
    bars = bars_html([(name, side[kind]["rate"] if side[kind] else None) for name, side in zip(names, sides, strict=True)], percent)
    counts = "".join(
        f'<p class="lv-muted">{escape(name)}: {escape(counts_line(side[kind], texts))}</p>'
        for name, side in zip(names, sides, strict=True)
        if side[kind]
    )
    title = texts(f"reference.{kind}")
    info = texts(f"reference.{kind}_info")
    return f'<h4 title="{escape(info, quote=True)}">{escape(title)}</h4>{bars}{counts}'


def _line(text: str) -> str:
    return f"<p>{escape(text)}</p>"
