"""What the page's viewer is sent of a transcript, read as its script reads it (ui/assets/recognized_segments.js)."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from typing import Any

NUMBERS = 5


def sent_state(result_html: str) -> dict[str, Any]:
    """The version, length and edits that the frame around a transcript carries."""
    found = re.search(r'data-state="([^"]*)"', result_html)
    assert found is not None
    state: dict[str, Any] = json.loads(html.unescape(found[1]))
    return state


def sent_segments(columns: Mapping[str, list[Any]]) -> list[dict[str, Any]]:
    """The recognized segments; ``words`` are (first character, behind the last, start, end in ms, confidence or None)."""
    names = [name for name in columns if name != "details"]
    segments = []
    for values in zip(*(columns[name] for name in (*names, "details")), strict=True):
        segment = dict(zip(names, values[:-1], strict=True)) | json.loads(values[-1])
        segment["words"] = _placed(segment["words"], segment["start"])
        assert len(segment["words"]) == segment["count"]
        segments.append(segment)
    return segments


def _placed(steps: list[Any], start_ms: int) -> list[tuple[int, int, int, int, float | None]]:
    words, last, end_ms = [], 0, start_ms
    for ahead, length, pause_ms, lasting_ms, sure in zip(*[iter(steps)] * NUMBERS, strict=True):
        first, begin_ms = last + ahead, end_ms + pause_ms
        last, end_ms = first + length, begin_ms + lasting_ms
        words.append((first, last, begin_ms, end_ms, None if sure is None else sure / 1000))
    return words
