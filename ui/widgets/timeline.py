"""The waveform with its speech segments and the speech probability over time, as inline SVG: for one run, or two side by side.

Drawn in a fixed number of columns, so that an hour costs the browser what ten seconds cost. Colours come from the style
sheet (light and dark); the times stand in HTML beside the drawing, because the drawing is stretched to the page's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from engine.transcript import Segment
from ui.text.quantities import clock, seconds
from ui.text.texts import Texts
from ui.widgets.render import render

#: One run's segments and speech probabilities ((T,) float32 in [0, 1]) under a name.
Lane = tuple[str, Sequence[Segment], np.ndarray]

COLUMNS = 1000
HEIGHT = 100
_SIZE = (COLUMNS, HEIGHT)
_MIDDLE = HEIGHT / 2
#: Space above and below the loudest column.
_MARGIN = 6
#: Below this peak the waveform is drawn as it is: noise of a silent recording is not blown up to full height.
_QUIETEST_PEAK = 0.05
_TICK_COUNT = 5


def timeline_html(
    samples: np.ndarray, duration_ms: float, segments: int, probabilities: np.ndarray, frame_ms: float, texts: Texts
) -> Markup:
    """The timeline as HTML; empty where there is nothing to draw. The boxes of the ``segments`` are drawn by ui/assets/timeline.js.

    ``samples`` (N,) float32 of the whole recording, ``probabilities`` (T,) float32 in [0, 1], one each ``frame_ms``.
    """
    if duration_ms <= 0 or samples.size == 0:
        return Markup()
    name = texts("timeline.aria", duration=seconds(duration_ms / 1000), segments=segments)
    paths = (envelope_path(samples), probability_path(probabilities, frame_ms, duration_ms))
    return render("widgets/timeline", "timeline", name, *paths, _ticks(duration_ms), _SIZE, texts)


def lanes_html(samples: np.ndarray, duration_ms: float, lanes: tuple[Lane, Lane], frame_ms: float, texts: Texts) -> Markup:
    """Two runs of one recording on one time axis: the waveform, then a lane for each; what only one of them calls speech is hatched."""
    if duration_ms <= 0 or samples.size == 0:
        return Markup()
    drawn = [
        _Lane(
            name=name,
            segments=_boxes(segments, duration_ms),
            only=[_box(start, end, duration_ms) for start, end in uncovered(segments, lanes[1 - index][1])],
            speech_path=probability_path(probabilities, frame_ms, duration_ms),
        )
        for index, (name, segments, probabilities) in enumerate(lanes)
    ]
    name = texts("timeline.aria", duration=seconds(duration_ms / 1000), segments=" / ".join(str(len(lane.segments)) for lane in drawn))
    return render("widgets/timeline", "lanes", name, envelope_path(samples), drawn, _ticks(duration_ms), _SIZE, texts)


@dataclass(frozen=True, kw_only=True)
class _Lane:
    """What is drawn of one run: boxes (left, width, title) in columns, and the path of the speech probability."""

    segments: Sequence[tuple[str, str, str]]
    speech_path: str
    name: str = ""
    only: Sequence[tuple[str, str, str]] = ()


def _boxes(segments: Sequence[Segment], duration_ms: float) -> list[tuple[str, str, str]]:
    return [_box(one.start_ms, one.end_ms, duration_ms, at_least=1, text=one.text) for one in segments]


def _box(start_ms: int, end_ms: int, duration_ms: float, *, at_least: float = 0, text: str = "") -> tuple[str, str, str]:
    left, width = start_ms / duration_ms * COLUMNS, max((end_ms - start_ms) / duration_ms * COLUMNS, at_least)
    return f"{left:.1f}", f"{width:.1f}", f"{clock(start_ms)}–{clock(end_ms)} {text}".strip()


def _ticks(duration_ms: float) -> list[str]:
    return [clock(duration_ms * index / (_TICK_COUNT - 1)) for index in range(_TICK_COUNT)]


def uncovered(segments: Sequence[Segment], others: Sequence[Segment]) -> list[tuple[int, int]]:
    """The stretches (start_ms, end_ms) of ``segments`` that no segment of ``others`` covers, in time order."""
    found = []
    for segment in segments:
        start = segment.start_ms
        for other in sorted(others, key=lambda one: one.start_ms):
            if other.end_ms <= start or other.start_ms >= segment.end_ms:
                continue
            if other.start_ms > start:
                found.append((start, other.start_ms))
            start = other.end_ms
        if start < segment.end_ms:
            found.append((start, segment.end_ms))
    return found


def column_peaks(samples: np.ndarray, columns: int = COLUMNS) -> np.ndarray:
    """The loudest absolute sample of each column: (N,) -> (min(N, columns),) float32."""
    count = min(samples.size, columns)
    starts = np.linspace(0, samples.size, count, endpoint=False).astype(np.int64)
    high = np.maximum.reduceat(samples, starts)
    low = np.minimum.reduceat(samples, starts)
    return np.asarray(np.maximum(np.abs(high), np.abs(low)), dtype=np.float32)


def envelope_path(samples: np.ndarray) -> str:
    """The SVG path of the waveform's envelope, mirrored about the middle; (N,) float32 in about [-1, 1]."""
    peaks = column_peaks(samples)
    scaled = np.clip(peaks / max(float(peaks.max()), _QUIETEST_PEAK), 0, 1) * (_MIDDLE - _MARGIN)
    x = np.linspace(0, COLUMNS, peaks.size, endpoint=False) + COLUMNS / peaks.size / 2
    upper = [f"{column:.0f},{_MIDDLE - height:.1f}" for column, height in zip(x, scaled, strict=True)]
    lower = [f"{column:.0f},{_MIDDLE + height:.1f}" for column, height in zip(x[::-1], scaled[::-1], strict=True)]
    return f"M{' '.join(upper)} {' '.join(lower)}Z"


def probability_path(probabilities: np.ndarray, frame_ms: float, duration_ms: float) -> str:
    """The SVG path of the speech probability: 1 at the top, 0 at the bottom; the highest of each column."""
    if probabilities.size == 0:
        return ""
    count = min(probabilities.size, COLUMNS)
    starts = np.linspace(0, probabilities.size, count, endpoint=False).astype(np.int64)
    highest = np.clip(np.maximum.reduceat(probabilities, starts), 0, 1)
    x = np.minimum(starts * frame_ms / duration_ms, 1) * COLUMNS
    y = HEIGHT - _MARGIN / 2 - highest * (HEIGHT - _MARGIN)
    return "M" + " ".join(f"{column:.1f},{height:.1f}" for column, height in zip(x, y, strict=True))
