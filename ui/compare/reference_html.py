"""CER and WER of both sides against a reference text that somebody pasted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.compare.error_rate import score_against
from ui.text.texts import Texts
from ui.widgets.render import render

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
    sides = list(zip(names, (scores["left"], scores["right"]), strict=True))
    rates: dict[str, list[tuple[str, float | None]]] = {}
    if any(side["reason"] == "empty_reference" for _, side in sides):
        notes = [texts("reference.empty_reference")]
    else:
        notes = [texts("reference.other_script", side=name) for name, side in sides if side["reason"]]
        if any(side["cer"] and not side["wer"] for _, side in sides):
            notes.append(texts("reference.no_words"))
        for kind in ("cer", "wer"):
            if any(side[kind] for _, side in sides):
                rates[kind] = [(name, side[kind] and side[kind]["rate"]) for name, side in sides]
    return render("compare/reference", "reference", sides, rates, notes, texts)
