"""One recording through two precisions → Comparison: text, tags, segments, time and memory side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.alignment import diff_texts
from engine.transcript import Segment, Transcript

FAMILIES = ("language", "emotion", "event")
BOUNDARY_MS = 10
DIGITS = 4


@dataclass(frozen=True, kw_only=True)
class Side:
    """One precision's run: its transcript, the RSS of its sessions and the size of its files in MB."""

    transcript: Transcript
    sessions_mb: float
    file_mb: float


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two runs of one recording."""

    left: Side
    right: Side

    def to_dict(self) -> dict[str, Any]:
        """Everything the page and the API show, ready for ``json.dumps``."""
        left, right = self.left.transcript, self.right.transcript
        return {
            "file": left.file,
            "duration_s": round(left.duration_s, 3),
            "left": left.to_dict(),
            "right": right.to_dict(),
            "text": self._text(),
            "tags": compare_tags(left.segments, right.segments),
            "segments": compare_boundaries(left.segments, right.segments),
            "time": self._time(),
            "memory": {
                "left_mb": round(self.left.sessions_mb, 1),
                "right_mb": round(self.right.sessions_mb, 1),
                "left_file_mb": round(self.left.file_mb, 2),
                "right_file_mb": round(self.right.file_mb, 2),
            },
        }

    def _text(self) -> dict[str, Any]:
        diff = diff_texts(self.left.transcript.text, self.right.transcript.text)
        parts = [{"op": part.op, "left": part.left, "right": part.right} for part in diff.parts]
        return {"unit": diff.unit, "diff": parts, "edits": diff.edits, "distance": round(diff.distance, DIGITS), "equal": diff.equal}

    def _time(self) -> dict[str, Any]:
        left, right = self.left.transcript.timing, self.right.transcript.timing
        return {
            "left_s": round(left.total_s, DIGITS),
            "right_s": round(right.total_s, DIGITS),
            "ratio": round(right.total_s / left.total_s, DIGITS) if left.total_s > 0 else None,
            "left_rtf": round(left.rtf, 5),
            "right_rtf": round(right.rtf, 5),
        }


def _overlap_ms(a: Segment, b: Segment) -> int:
    return max(0, min(a.end_ms, b.end_ms) - max(a.start_ms, b.start_ms))


def pair_segments(left: tuple[Segment, ...], right: tuple[Segment, ...]) -> list[tuple[Segment | None, Segment | None]]:
    """Pair each segment with the one on the other side it overlaps most; what finds none stands alone, in time order."""
    pairs: list[tuple[Segment | None, Segment | None]] = []
    taken: set[int] = set()
    for segment in left:
        overlaps = [(_overlap_ms(segment, other), -index) for index, other in enumerate(right) if index not in taken]
        best = max(overlaps, default=(0, 0))
        if best[0] > 0:
            taken.add(-best[1])
            pairs.append((segment, right[-best[1]]))
        else:
            pairs.append((segment, None))
    pairs += [(None, other) for index, other in enumerate(right) if index not in taken]
    return sorted(pairs, key=_starts_at)


def _starts_at(pair: tuple[Segment | None, Segment | None]) -> int:
    return min(segment.start_ms for segment in pair if segment is not None)


def _tags(segment: Segment | None) -> dict[str, str] | None:
    if segment is None:
        return None
    return {"language": segment.language.value, "emotion": segment.emotion.value, "event": segment.event.value}


def margin(probabilities: Mapping[str, float], chosen: str) -> float | None:
    """How far the chosen tag lies above the best other one; None when there is no other."""
    others = [value for name, value in probabilities.items() if name != chosen]
    return None if not others or chosen not in probabilities else round(probabilities[chosen] - max(others), DIGITS)


def _margins(segment: Segment | None) -> dict[str, float | None] | None:
    tags = _tags(segment)
    if segment is None or tags is None:
        return None
    return {family: margin(segment.probabilities.get(family, {}), tags[family]) for family in FAMILIES}


def compare_tags(left: tuple[Segment, ...], right: tuple[Segment, ...]) -> dict[str, Any]:
    """Tag agreement over paired segments; a segment without a partner agrees in nothing."""
    pairs = pair_segments(left, right)
    agree = dict.fromkeys(FAMILIES, 0)
    rows: list[dict[str, Any]] = []
    for first, second in pairs:
        one, two = _tags(first), _tags(second)
        for family in FAMILIES:
            agree[family] += one is not None and two is not None and one[family] == two[family]
        shown = next(segment for segment in (first, second) if segment is not None)
        rows.append(
            {
                "start_ms": shown.start_ms,
                "end_ms": shown.end_ms,
                "left": one,
                "right": two,
                "margin": {"left": _margins(first), "right": _margins(second)},
            }
        )
    total = len(pairs) * len(FAMILIES)
    return {
        "agreement": round(sum(agree.values()) / total, DIGITS) if total else None,
        **{family: {"agree": agree[family], "of": len(pairs)} for family in FAMILIES},
        "segments": rows,
    }


def compare_boundaries(left: tuple[Segment, ...], right: tuple[Segment, ...]) -> dict[str, int]:
    """How many segments each side has, and how many boundaries of paired ones lie within 10 ms."""
    differences = [
        abs(a - b)
        for first, second in pair_segments(left, right)
        if first is not None and second is not None
        for a, b in ((first.start_ms, second.start_ms), (first.end_ms, second.end_ms))
    ]
    near = sum(difference <= BOUNDARY_MS for difference in differences)
    return {"left": len(left), "right": len(right), "boundaries": len(differences), "within_10_ms": near}
