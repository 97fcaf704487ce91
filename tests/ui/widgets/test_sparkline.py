"""The sparkline draws what was measured, where and when it was measured."""

from __future__ import annotations

import re

import pytest

from ui.widgets.sparkline import HEIGHT, WIDTH, sparkline_html


def points(readings: list[tuple[float, float]], *, window_s: float = 120.0, highest: float = 100.0) -> list[tuple[str, float, float]]:
    html = sparkline_html(readings, window_s=window_s, highest=highest, name="CPU & more")
    assert 'aria-label="CPU &amp; more"' in html
    return [(kind, float(x), float(y)) for kind, x, y in re.findall(r"([ML])([\d.]+),([\d.]+)", html)]


def test_now_is_at_the_right_and_more_is_higher() -> None:
    (_, first_x, first_y), (_, last_x, last_y) = points([(6.0, 10.0), (0.0, 90.0)])
    assert first_x < last_x == WIDTH
    assert first_y > last_y


def test_what_is_too_old_or_too_high_stays_inside() -> None:
    drawn = points([(500.0, 1.0), (60.0, 900.0), (0.0, 0.0)])
    assert len(drawn) == 2
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for _, x, y in drawn)


def test_the_line_breaks_where_nothing_was_read() -> None:
    assert [kind for kind, _, _ in points([(100.0, 1.0), (98.0, 1.0), (20.0, 1.0), (18.0, 1.0)])] == ["M", "L", "M", "L"]


@pytest.mark.parametrize("highest", [0.0, 100.0])
def test_nothing_measured_is_an_empty_line(highest: float) -> None:
    assert points([], highest=highest) == []
