"""One recording through two variants → Comparison: text, tags, segments, time and memory side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any

from engine.audio.read_options import CHANNELS, Channel
from engine.bundle import Bundle
from engine.compare.alignment import diff_texts
from engine.errors import OptionChoiceError
from engine.options import TranscribeOptions
from engine.transcript import Segment, Transcript

FAMILIES = ("language", "emotion", "event")
BOUNDARY_MS = 10
#: The choices of channels that a comparison has.
COMPARED_CHANNELS = tuple(channel for channel in CHANNELS if channel != Channel.SPLIT)
DIGITS = 4


class StoppedEarly(Exception):  # noqa: N818 - nothing failed: somebody wants no further runs
    """Raised by a progress callback to end a comparison."""


@dataclass(frozen=True)
class Variant:
    """A side as it is asked for: a variant of the open bundle, or of another installed one."""

    precision: str
    bundle: Bundle | None = None


def comparison_options(values: Mapping[str, Any]) -> TranscribeOptions:
    """The options of a comparison from an edge's flat values, as :meth:`TranscribeOptions.parse`.

    It runs on one waveform: OptionChoiceError for channels that are to be recognized apart.
    """
    options = TranscribeOptions.parse(values)
    if options.read.channel is Channel.SPLIT:
        raise OptionChoiceError(name="channel", value=options.read.channel.value, known=COMPARED_CHANNELS)
    return options


@dataclass(frozen=True, kw_only=True)
class Contender:
    """A side that can run.

    ``ready`` keeps its sessions open and warm for a block and yields the RSS that they take in MB; ``run`` transcribes the
    recording once with the progress callback that it is given.
    """

    ready: Callable[[], AbstractContextManager[float]]
    run: Callable[[Callable[[float, str], None]], Transcript]
    file_mb: float


@dataclass(frozen=True, kw_only=True)
class Side:
    """One side's runs: the transcript of the median one, the RSS of its sessions and the size of its files in MB.

    ``totals_s`` holds the wall-clock seconds of each run, in the order of the rounds.
    """

    transcript: Transcript
    sessions_mb: float
    file_mb: float
    totals_s: tuple[float, ...] = ()


def take_turns(left: Contender, right: Contender, *, rounds: int, progress: Callable[[float, str], None]) -> Comparison:
    """Run both sides ``rounds`` times.

    The side that starts changes from round to round, so that a machine that slows down favours neither. Each run finds its
    sessions open and warm. Several rounds keep both sides' sessions until the last; a single one lets go of the left side's
    before the right side's are opened. ``progress`` may raise :class:`StoppedEarly`: the rounds that are complete then count,
    and where none is, it is raised on.
    """
    sides = (left, right)
    complete: list[tuple[Transcript, Transcript]] = []
    sessions_mb = [0.0, 0.0]
    with ExitStack() as held:
        if rounds > 1:
            for side in sides:
                held.enter_context(side.ready())
        try:
            for number in range(rounds):
                order = (0, 1) if number % 2 == 0 else (1, 0)
                found: dict[int, Transcript] = {}
                for place, index in enumerate(order):
                    with sides[index].ready() as sessions_mb[index]:
                        found[index] = sides[index].run(_share(progress, 2 * number + place, 2 * rounds))
                complete.append((found[0], found[1]))
        except StoppedEarly:
            if not complete:
                raise
    first, second = zip(*complete, strict=True)
    return Comparison(left=_side(first, sessions_mb[0], left.file_mb), right=_side(second, sessions_mb[1], right.file_mb))


def _share(progress: Callable[[float, str], None], done: int, runs: int) -> Callable[[float, str], None]:
    return lambda fraction, stage: progress((done + fraction) / runs, stage)


def _side(transcripts: Sequence[Transcript], sessions_mb: float, file_mb: float) -> Side:
    totals_s = tuple(transcript.timing.total_s for transcript in transcripts)
    median = transcripts[totals_s.index(statistics.median_low(totals_s))]
    return Side(transcript=median, sessions_mb=sessions_mb, file_mb=file_mb, totals_s=totals_s)


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two sides of one recording."""

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
            "rounds": {
                "count": len(self.left.totals_s),
                "left_s": [round(total_s, DIGITS) for total_s in self.left.totals_s],
                "right_s": [round(total_s, DIGITS) for total_s in self.right.totals_s],
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


def _confidences(segment: Segment | None) -> dict[str, float] | None:
    return None if segment is None else {family: round(getattr(segment.confidence, family), DIGITS) for family in FAMILIES}


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
                "confidence": {"left": _confidences(first), "right": _confidences(second)},
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
