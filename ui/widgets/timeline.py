"""The waveform with its speech segments and the speech probability over time, as inline SVG: for one run, or two side by side.

Drawn in a fixed number of columns, so that an hour costs the browser what ten seconds cost. Colours come from the style
sheet (light and dark); the times stand in HTML beside the drawing, because the drawing is stretched to the page's width.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np

from engine.transcript import Segment
from ui.text.quantities import clock, seconds
from ui.text.texts import Texts

#: One run's segments and speech probabilities ((T,) float32 in [0, 1]) under a name.
Lane = tuple[str, Sequence[Segment], np.ndarray]

COLUMNS = 1000
HEIGHT = 100
_MIDDLE = HEIGHT / 2
#: Space above and below the loudest column.
_MARGIN = 6
#: Below this peak the waveform is drawn as it is: noise of a silent recording is not blown up to full height.
_QUIETEST_PEAK = 0.05
_TICK_COUNT = 5


def timeline_html(
    samples: np.ndarray, duration_ms: float, segments: Sequence[Segment], probabilities: np.ndarray, frame_ms: float, texts: Texts
) -> str:
    """The timeline as HTML.

    ``samples`` (N,) float32 of the whole recording, ``probabilities`` (T,) float32 in [0, 1], one each ``frame_ms``.
    """
    if duration_ms <= 0 or samples.size == 0:
        return ""
    described = texts("timeline.aria", duration=seconds(duration_ms / 1000), segments=len(segments))
    spoken = "".join(_segment(segment, duration_ms) for segment in segments)
    wave = f'<path class="lv-wave-shape" d="{envelope_path(samples)}"/>'
    curve = f'<path class="lv-wave-speech" d="{probability_path(probabilities, frame_ms, duration_ms)}"/>'
    drawing = _drawing(f"{spoken}{wave}{curve}", described)
    return (
        f'<figure class="lv-card lv-timeline"><figcaption>{escape(texts("timeline.title"))}{_legend(texts)}</figcaption>'
        f'<div class="lv-wave-box">{drawing}</div>{_ticks(duration_ms)}</figure>'
    )


def lanes_html(samples: np.ndarray, duration_ms: float, lanes: tuple[Lane, Lane], frame_ms: float, texts: Texts) -> str:
    """Two runs of one recording on one time axis: the waveform, then a lane for each; what only one of them calls speech is hatched."""
    if duration_ms <= 0 or samples.size == 0:
        return ""
    described = texts("timeline.aria", duration=seconds(duration_ms / 1000), segments=" / ".join(str(len(lane[1])) for lane in lanes))
    wave = f'<path class="lv-wave-shape" d="{envelope_path(samples)}"/>'
    drawn = "".join(
        f'<div class="lv-lane"><span class="lv-lane-name">{escape(name)}: {escape(texts("timeline.count", segments=len(segments)))}</span>'
        f'<div class="lv-wave-box lv-lane-box">{_lane(index, lanes, duration_ms, frame_ms)}</div></div>'
        for index, (name, segments, _) in enumerate(lanes)
    )
    kinds = ("wave", "speech", "only", "probability")
    return (
        f'<figure class="lv-card lv-timeline"><figcaption>{escape(texts("timeline.title"))}{_legend(texts, kinds)}</figcaption>'
        f'<div class="lv-wave-box">{_drawing(wave, described)}</div>{drawn}{_ticks(duration_ms)}</figure>'
    )


def _drawing(inner: str, described: str = "") -> str:
    role = f'role="img" aria-label="{escape(described, quote=True)}"' if described else 'aria-hidden="true"'
    return f'<svg class="lv-wave" viewBox="0 0 {COLUMNS} {HEIGHT}" preserveAspectRatio="none" {role}>{inner}</svg>'


def _lane(index: int, lanes: tuple[Lane, Lane], duration_ms: float, frame_ms: float) -> str:
    _, segments, probabilities = lanes[index]
    only = "".join(
        f'<rect class="lv-wave-only" fill="url(#lv-hatch-{index})" x="{start / duration_ms * COLUMNS:.1f}" y="0" '
        f'width="{(end - start) / duration_ms * COLUMNS:.1f}" height="{HEIGHT}"/>'
        for start, end in uncovered(segments, lanes[1 - index][1])
    )
    hatch = (
        f'<defs><pattern id="lv-hatch-{index}" width="6" height="100" patternUnits="userSpaceOnUse">'
        f'<rect class="lv-hatch" width="3" height="100"/></pattern></defs>'
    )
    curve = f'<path class="lv-wave-speech" d="{probability_path(probabilities, frame_ms, duration_ms)}"/>'
    return _drawing(f"{hatch}{''.join(_segment(segment, duration_ms) for segment in segments)}{only}{curve}")


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


def _segment(segment: Segment, duration_ms: float) -> str:
    left = segment.start_ms / duration_ms * COLUMNS
    width = max((segment.end_ms - segment.start_ms) / duration_ms * COLUMNS, 1)
    title = f"{clock(segment.start_ms)}–{clock(segment.end_ms)} {segment.text}".strip()
    return f'<rect class="lv-wave-segment" x="{left:.1f}" y="0" width="{width:.1f}" height="{HEIGHT}"><title>{escape(title)}</title></rect>'


def _ticks(duration_ms: float) -> str:
    marks = "".join(f"<span>{clock(duration_ms * index / (_TICK_COUNT - 1))}</span>" for index in range(_TICK_COUNT))
    return f'<div class="lv-ticks" aria-hidden="true">{marks}</div>'


def _legend(texts: Texts, kinds: Sequence[str] = ("wave", "speech", "probability")) -> str:
    inner = "".join(f'<span class="lv-key lv-key-{kind}">{escape(texts(f"timeline.{kind}"))}</span>' for kind in kinds)
    return f'<span class="lv-legend">{inner}</span>'
