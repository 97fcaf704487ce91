"""The last minutes of one figure as a small line, drawn as inline SVG; it breaks where nobody measured."""

from __future__ import annotations

from collections.abc import Sequence

from markupsafe import Markup

from ui.widgets.render import render

WIDTH, HEIGHT = 120, 28
#: Room above and below the line, so that its stroke is not cut off.
_MARGIN = 2
#: Readings further apart than this are not joined: nobody looked in between.
GAP_S = 8.0


def sparkline_html(readings: Sequence[tuple[float, float]], *, window_s: float, highest: float, name: str) -> Markup:
    """Draw (age in seconds, value) pairs, oldest first; the right edge is now, ``highest`` the upper edge.

    ``name`` is what a screen reader says instead. Fewer than two readings draw the frame alone.
    """
    return render("widgets/sparkline", "sparkline", WIDTH, HEIGHT, name, _path(readings, window_s, highest))


def _path(readings: Sequence[tuple[float, float]], window_s: float, highest: float) -> str:
    parts, previous_s = [], None
    for age_s, value in readings:
        if age_s > window_s:
            continue
        x = WIDTH * (1 - age_s / window_s)
        y = HEIGHT - _MARGIN - min(value / (highest or 1), 1) * (HEIGHT - 2 * _MARGIN)
        joined = previous_s is not None and previous_s - age_s <= GAP_S
        parts.append(f"{'L' if joined else 'M'}{x:.1f},{y:.1f}")
        previous_s = age_s
    return "".join(parts)
