"""When subtitles are shown: from when their words begin, long enough to be read, and never two at once."""

from __future__ import annotations

from collections.abc import Sequence
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
    starts_ms = [start_ms for run in _dense_runs(spoken, last_ms, min_cue_ms) for start_ms in run.spread(min_cue_ms)]
    times: list[tuple[int, int]] = []
    for index, (cue, start_ms) in enumerate(zip(spoken, starts_ms, strict=True)):
        next_ms = starts_ms[index + 1] if index + 1 < len(spoken) else last_ms
        readable_ms = max(min_cue_ms, 1000 * cue.columns // COLUMNS_A_SECOND)
        end_ms = min(max(cue.end_ms, start_ms + readable_ms), start_ms + MAX_CUE_MS, next_ms)
        times.append((start_ms, max(start_ms, end_ms)))
    return times


@dataclass(frozen=True, slots=True)
class _DenseRun:
    """Subtitles too close together for the shortest time: when each should begin, and the time that there is for all of them."""

    starts_ms: tuple[int, ...]
    floor_ms: int
    limit_ms: int

    def spread(self, min_cue_ms: int) -> list[int]:
        """Starts that lie as far apart as the shortest time asks, or as there is room: a millisecond, if the recording has it."""
        if self.has_room(min_cue_ms):
            return self._moved(min_cue_ms)
        fits, too_long = 0, min_cue_ms
        while too_long - fits > 1:
            tried = (fits + too_long) // 2
            fits, too_long = (tried, too_long) if self.has_room(tried) else (fits, tried)
        return self._moved(fits)

    def has_room(self, apart_ms: int) -> bool:
        """Whether starts so far apart stay near their words and within the time that there is."""
        moved = self._moved(apart_ms)
        near = apart_ms == 1 or all(abs(now - said) <= MOST_SHIFTED_MS for now, said in zip(moved, self.starts_ms, strict=True))
        return near and moved[0] >= self.floor_ms and moved[-1] + apart_ms <= self.limit_ms

    def _moved(self, apart_ms: int) -> list[int]:
        """Each start so far after the one before, then so far before the one after, the last one ending in time."""
        moved: list[int] = []
        for start_ms in self.starts_ms:
            moved.append(max(start_ms, moved[-1] + apart_ms if moved else self.floor_ms))
        for index in reversed(range(len(moved))):
            latest_ms = (moved[index + 1] if index + 1 < len(moved) else self.limit_ms) - apart_ms
            moved[index] = min(moved[index], latest_ms)
        return moved


def _dense_runs(spoken: Sequence[Spoken], last_ms: int, min_cue_ms: int) -> list[_DenseRun]:
    """All subtitles in their order; the last ones, which must end in time, with as many before them as have to make room."""
    runs: list[_DenseRun] = []
    starts_ms: list[int] = []
    floor_ms = free_ms = 0
    for cue in spoken:
        if starts_ms and cue.start_ms >= free_ms:
            runs.append(_DenseRun(tuple(starts_ms), floor_ms, cue.start_ms))
            starts_ms, floor_ms = [], free_ms
        free_ms = max(free_ms, cue.start_ms) + min_cue_ms
        starts_ms.append(cue.start_ms)
    if not starts_ms:
        return runs
    last = _DenseRun(tuple(starts_ms), floor_ms, last_ms)
    for apart_ms in (min_cue_ms, 1):
        for count in range(len(runs) + 1):
            before, beside = runs[: len(runs) - count], [*runs[len(runs) - count :], last]
            joined = tuple(start_ms for run in beside for start_ms in run.starts_ms)
            together = _DenseRun(joined, beside[0].floor_ms, last_ms)
            if together.has_room(apart_ms):
                return [*before, together]
            if joined[0] + len(joined) * apart_ms <= last_ms:
                break  # those before it have not to move
    return [*runs, last]
