"""Horizontal bars with their figures written beside them: readable without colours, in light and dark."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape


def bars_html(values: Sequence[tuple[str, float | None]], write: Callable[[float], str]) -> str:
    """Two bars, the longest as wide as there is room: (name, value) each, None for a value that nobody measured."""
    longest = max((value or 0 for _, value in values), default=0) or 1
    rows = "".join(
        f'<div class="lv-bar-row"><span>{escape(name)}</span>'
        f'<span class="lv-bar"><span class="lv-bar-{side}" style="width:{(value or 0) / longest * 100:.1f}%"></span></span>'
        f"<span>{escape(write(value)) if value is not None else '–'}</span></div>"
        for side, (name, value) in zip(("left", "right"), values, strict=True)
    )
    return f'<div class="lv-bars">{rows}</div>'
