"""When subtitles are shown: from when their words begin, long enough to be read, and never two at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.subtitles.options import MAX_CUE_MS

#: What people read in a second (Netflix: 17 to 20 Latin letters, 9 to 11 Chinese characters, which take two columns each).
COLUMNS_A_SECOND = 20
#: Where words come faster than they can be shown, a subtitle begins at most so much before or after its first word.
MOST_SHIFTED_MS = 1_000


@dataclass(frozen=True, slots=True)
class Spoken:
    """A subtitle's words: when they were said, and how many columns they take."""

    start_ms: int
    end_ms: int
    columns: int


def shown_times(spoken: Sequence[Spoken], *, last_ms: int, min_cue_ms: int) -> list[tuple[int, int]]:
    """The time of each subtitle, in the order of the words, which must not go back. None is shown after ``last_ms``.

    A subtitle stays until its words are said and could be read, as far as the next one and the longest time allow. Words too dense for
    the shortest time are shown up to a second late, then for less than it.
    """
    min_cue_ms = max(1, min_cue_ms)  # what has no length is not shown at all
    starts_ms: list[int] = []
    for cluster, limit_ms in _clusters(spoken, last_ms, min_cue_ms):
        floor_ms = min(cluster[0], starts_ms[-1] + min_cue_ms) if starts_ms else 0
        starts_ms += _spread(cluster, floor_ms, limit_ms, min_cue_ms)
    times: list[tuple[int, int]] = []
    for index, (cue, start_ms) in enumerate(zip(spoken, starts_ms, strict=True)):
        next_ms = starts_ms[index + 1] if index + 1 < len(spoken) else last_ms
        readable_ms = max(min_cue_ms, 1000 * cue.columns // COLUMNS_A_SECOND)
        end_ms = min(max(cue.end_ms, start_ms + readable_ms), start_ms + MAX_CUE_MS, next_ms)
        times.append((start_ms, max(start_ms, end_ms)))
    return times


def _clusters(spoken: Sequence[Spoken], last_ms: int, min_cue_ms: int) -> Iterator[tuple[list[int], int]]:
    """The starts of subtitles that press on one another, and the time by which the last of them must end."""
    cluster: list[int] = []
    free_ms = 0
    for cue in spoken:
        if cluster and cue.start_ms >= free_ms:
            yield cluster, cue.start_ms
            cluster = []
        free_ms = (max(free_ms, cue.start_ms) if cluster else cue.start_ms) + min_cue_ms
        cluster.append(cue.start_ms)
    if cluster:
        yield cluster, last_ms


def _spread(starts_ms: Sequence[int], floor_ms: int, limit_ms: int, min_cue_ms: int) -> list[int]:
    """Starts that lie as far apart as the shortest time asks, or as far as there is room: a millisecond, if the recording has it."""
    fits, too_long = 0, min_cue_ms + 1
    while too_long - fits > 1:
        tried = (fits + too_long) // 2
        fits, too_long = (tried, too_long) if _apart(starts_ms, floor_ms, limit_ms, tried) else (fits, tried)
    return _moved(starts_ms, floor_ms, limit_ms, fits)


def _apart(starts_ms: Sequence[int], floor_ms: int, limit_ms: int, apart_ms: int) -> bool:
    moved = _moved(starts_ms, floor_ms, limit_ms, apart_ms)
    near = apart_ms == 1 or all(abs(now_ms - said_ms) <= MOST_SHIFTED_MS for now_ms, said_ms in zip(moved, starts_ms, strict=True))
    return near and moved[0] >= floor_ms and moved[-1] + apart_ms <= limit_ms


def _moved(starts_ms: Sequence[int], floor_ms: int, limit_ms: int, apart_ms: int) -> list[int]:
    """Each start so far after the one before, then so far before the one after, the last one ending in time."""
    moved: list[int] = []
    for start_ms in starts_ms:
        moved.append(max(start_ms, moved[-1] + apart_ms if moved else floor_ms))
    for index in range(len(moved) - 1, -1, -1):
        latest_ms = (moved[index + 1] if index + 1 < len(moved) else limit_ms) - apart_ms
        moved[index] = min(moved[index], latest_ms)
    return moved
