"""The timeline draws what is there, in a size that does not grow with the recording."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

from engine.options import TranscribeOptions
from tests.ui.fake_engine import FakeEngine
from ui.text.texts import Texts
from ui.widgets.timeline import (
    COLUMNS,
    HEIGHT,
    column_peaks,
    envelope_path,
    lanes_html,
    probability_path,
    timeline_html,
    uncovered,
)

TEXTS = Texts("en")


def numbers(path: str) -> np.ndarray:
    """The points of a path: (n, 2)."""
    return np.array([float(number) for number in re.findall(r"-?\d+\.?\d*", path)]).reshape(-1, 2)


@pytest.mark.parametrize("size", [1, 7, COLUMNS - 1, COLUMNS, COLUMNS + 1, 16_000, 123_457])
def test_peaks_are_the_loudest_sample_of_each_column(size: int) -> None:
    samples = np.random.default_rng(size).uniform(-1, 1, size).astype(np.float32)
    peaks = column_peaks(samples)
    count = min(size, COLUMNS)
    starts = np.linspace(0, size, count, endpoint=False).astype(int)
    expected = [np.abs(part).max() for part in np.split(samples, starts[1:])]
    np.testing.assert_allclose(peaks, expected)


def test_an_hour_is_drawn_with_as_many_points_as_ten_seconds() -> None:
    short = np.ones(160_000, np.float32)
    long = np.ones(16_000 * 3600, np.float32)
    assert len(envelope_path(short)) == len(envelope_path(long))
    assert numbers(envelope_path(long)).shape == (2 * COLUMNS, 2)


def test_everything_stays_inside_the_drawing() -> None:
    samples = np.array([-3.0, 0.0, 2.5, 1.0], np.float32)
    probabilities = np.array([-0.1, 0.5, 1.4, 1.0], np.float32)
    for points in (numbers(envelope_path(samples)), numbers(probability_path(probabilities, 10, 20))):
        assert points[:, 0].min() >= 0
        assert points[:, 0].max() <= COLUMNS
        assert points[:, 1].min() >= 0
        assert points[:, 1].max() <= HEIGHT


def test_faint_noise_is_not_blown_up_to_speech() -> None:
    points = numbers(envelope_path(np.full(16_000, 0.001, np.float32)))
    assert np.ptp(points[:, 1]) < 0.05 * HEIGHT


def test_a_higher_probability_stands_higher() -> None:
    points = numbers(probability_path(np.array([0.1, 0.9], np.float32), 10, 20))
    assert points[1, 1] < points[0, 1]


def test_the_segments_place_is_there_for_the_script_and_their_number_is_said() -> None:
    html = timeline_html(np.ones(32_000, np.float32), 2000, 7, np.zeros(200, np.float32), 10, TEXTS)
    svg = re.search(r"<svg.*</svg>", html, re.DOTALL)
    assert svg is not None
    drawing = ET.fromstring(svg.group(0))
    assert len(drawing.findall("path[@class='lv-wave-segment']")) == 1
    assert "7" in drawing.attrib["aria-label"]


def test_nothing_to_draw_is_nothing() -> None:
    assert timeline_html(np.zeros(0, np.float32), 0, 0, np.zeros(0, np.float32), 10, TEXTS) == ""
    assert probability_path(np.zeros(0, np.float32), 10, 100) == ""


def spoken(*spans: tuple[int, int]) -> list[Any]:
    return [FakeEngine()._segment(0, span, TranscribeOptions()) for span in spans]


@pytest.mark.parametrize(
    ("segments", "others", "found"),
    [
        ([(0, 1000)], [], [(0, 1000)]),
        ([(0, 1000)], [(0, 1000)], []),
        ([(0, 1000)], [(200, 400), (300, 600)], [(0, 200), (600, 1000)]),
        ([(0, 1000), (2000, 3000)], [(900, 2100)], [(0, 900), (2100, 3000)]),
        ([(500, 600)], [(0, 5000)], []),
        ([], [(0, 1000)], []),
    ],
)
def test_stretches_that_the_other_side_does_not_call_speech(
    segments: list[tuple[int, int]], others: list[tuple[int, int]], found: list[tuple[int, int]]
) -> None:
    assert uncovered(spoken(*segments), spoken(*others)) == found


def test_two_runs_have_a_lane_each_on_one_time_axis() -> None:
    lanes = (("FP32", spoken((0, 1000), (1500, 2000)), np.zeros(200, np.float32)), ("<INT8>", spoken((0, 1000)), np.zeros(200, np.float32)))
    html = lanes_html(np.ones(32_000, np.float32), 2000, lanes, 10, TEXTS)
    wave, first, second = (ET.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", html, re.DOTALL))
    assert wave.find("path") is not None
    assert [len(lane.findall("rect[@class='lv-wave-segment']")) for lane in (first, second)] == [2, 1]
    only = first.findall("rect[@class='lv-wave-only']")
    assert [(float(rect.attrib["x"]), float(rect.attrib["width"])) for rect in only] == [(0.75 * COLUMNS, 0.25 * COLUMNS)]
    assert second.findall("rect[@class='lv-wave-only']") == []
    assert "&lt;INT8&gt;: segments: 1" in html
    assert lanes_html(np.zeros(0, np.float32), 0, lanes, 10, TEXTS) == ""
