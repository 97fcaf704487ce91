"""Times, memory and shares read as a person would write them."""

from __future__ import annotations

import pytest

from ui.text.quantities import clock, megabytes, percent, rtf, seconds


@pytest.mark.parametrize(("ms", "shown"), [(0, "0:00.0"), (320, "0:00.3"), (61_250, "1:01.2"), (3_661_000, "1:01:01.0")])
def test_moments(ms: float, shown: str) -> None:
    assert clock(ms) == shown


@pytest.mark.parametrize(
    ("value_s", "shown"),
    [(0.0, "0 ms"), (0.0123, "12 ms"), (3.21, "3.2 s"), (75.0, "1 min 15 s"), (119.7, "2 min 0 s"), (3_780.0, "1 h 3 min")],
)
def test_spans(value_s: float, shown: str) -> None:
    assert seconds(value_s) == shown


@pytest.mark.parametrize(
    ("value_mb", "shown"),
    [(0.0, "0 MB"), (5.31, "5.3 MB"), (212.4, "212 MB"), (999.4, "999 MB"), (999.6, "1.0 GB"), (1024.0, "1.0 GB"), (2048.0, "2.0 GB")],
)
def test_memory(value_mb: float, shown: str) -> None:
    assert megabytes(value_mb) == shown


@pytest.mark.parametrize(
    ("share", "shown"), [(0.0, "0 %"), (0.001, "<1 %"), (0.973, "97 %"), (0.996, "99.6 %"), (0.99999, "99.9 %"), (1.0, "100 %")]
)
def test_shares_are_never_rounded_to_all_or_nothing(share: float, shown: str) -> None:
    assert percent(share) == shown


def test_rtf_keeps_three_digits() -> None:
    assert rtf(0.012345) == "0.0123"
