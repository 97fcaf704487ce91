"""Speech spans → pieces of work: runs of whole spans, so that a long recording is cut at its silences and at nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from engine.speech.speech_stream import SpanFrames


def cut_at_silences(spoken: Sequence[SpanFrames], *, piece_s: float) -> list[tuple[SpanFrames, ...]]:
    """Runs of spans with about ``piece_s`` seconds of speech each; a span is never divided, and none is left out.

    The runs are of about equal speech, so that the last one is not a scrap that somebody must wait for.
    """
    total_ms = sum(one.span.duration_ms for one in spoken)
    count = max(1, round(total_ms / (piece_s * 1000)))
    runs: list[list[SpanFrames]] = [[]]
    passed_ms = 0
    for one in spoken:
        if runs[-1] and passed_ms >= len(runs) * total_ms / count:
            runs.append([])
        runs[-1].append(one)
        passed_ms += one.span.duration_ms
    return [tuple(run) for run in runs if run]


def by_size(sizes: Sequence[int | None], *, most_bytes: int, most_files: int) -> list[list[int]]:
    """Positions of files in groups of about ``most_bytes``, the largest files first: who begins with them waits least at the end.

    A file of unknown size counts as an average one.
    """
    known = [size for size in sizes if size is not None]
    usual = sum(known) // len(known) if known else 0
    weights = [usual if size is None else size for size in sizes]
    order = sorted(range(len(sizes)), key=lambda position: -weights[position])
    groups: list[list[int]] = []
    filled = 0
    for position in order:
        if not groups or filled + weights[position] > most_bytes or len(groups[-1]) >= most_files:
            groups.append([])
            filled = 0
        groups[-1].append(position)
        filled += weights[position]
    return groups
