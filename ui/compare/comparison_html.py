"""A Comparison as HTML: what the second variant changes in text and tags, and what it costs or saves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.audio.reading.reading_warnings import received_warnings
from ui.text.quantities import percent
from ui.text.texts import Texts
from ui.widgets.render import render

#: More rows would only slow the page down; those that differ come first into this number, and the exports hold all.
MOST_ROWS = 200


def comparison_empty_html(texts: Texts) -> str:
    """What stands where the comparison will be."""
    return render("compare/comparison", "empty", texts)


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
    left, right = (comparison[side].get("warnings", ()) for side in ("left", "right"))
    warnings = received_warnings([*left, *(one for one in right if one not in left)])
    rows, verdict = _shown(comparison["tags"]["segments"]), text_verdict(comparison, texts)
    names = side_names(comparison)
    return render("compare/comparison", "comparison", comparison, names, is_same_variant(comparison), warnings, verdict, rows, texts)


def text_verdict(comparison: Mapping[str, Any], texts: Texts) -> str:
    """In a sentence how far the two texts lie apart."""
    text = comparison["text"]
    if not comparison["left"]["text"] and not comparison["right"]["text"]:
        return texts("compare.no_speech")
    if text["equal"]:
        return texts("compare.text_equal")
    return texts("compare.text_differs", edits=text["edits"], distance=percent(text["distance"]))


def _shown(segments: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """At most MOST_ROWS segments in time order; those that differ before those that agree."""
    ranked = sorted(range(len(segments)), key=lambda index: segments[index]["left"] == segments[index]["right"])[:MOST_ROWS]
    return [segments[index] for index in sorted(ranked)]
