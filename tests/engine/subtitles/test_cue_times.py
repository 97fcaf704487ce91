"""When cues are shown: long enough wherever there is room within a second of their words, and never two at once."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.subtitles.cue_times import MOST_SHIFTED_MS, Spoken, shown_times

SPEECH = st.lists(st.tuples(st.integers(0, 3_000), st.integers(0, 3_000), st.integers(1, 84)), min_size=1, max_size=30)


def said(gaps: list[tuple[int, int, int]]) -> list[Spoken]:
    spoken, start_ms = [], 0
    for gap_ms, length_ms, columns in gaps:
        start_ms += gap_ms
        spoken.append(Spoken(start_ms, start_ms + length_ms, columns))
    return spoken


def has_room(spoken: list[Spoken], last_ms: int, min_cue_ms: int) -> bool:
    """Whether all could be shown so long: late where words are dense, early where the recording ends."""
    starts_ms: list[int] = []
    for cue in spoken:
        starts_ms.append(max(cue.start_ms, starts_ms[-1] + min_cue_ms if starts_ms else 0))
    limit_ms = last_ms
    for index in reversed(range(len(spoken))):
        limit_ms = starts_ms[index] = min(starts_ms[index], limit_ms - min_cue_ms)
    return starts_ms[0] >= 0 and all(
        abs(start_ms - cue.start_ms) <= MOST_SHIFTED_MS for start_ms, cue in zip(starts_ms, spoken, strict=True)
    )


@given(SPEECH, st.integers(0, 2_000), st.integers(1, 2_000))
def test_every_cue_is_shown_long_enough_where_there_is_room(gaps: list[tuple[int, int, int]], rest_ms: int, min_cue_ms: int) -> None:
    spoken = said(gaps)
    last_ms = max(cue.end_ms for cue in spoken) + rest_ms
    times = shown_times(spoken, last_ms=last_ms, min_cue_ms=min_cue_ms)
    assert all(before[1] <= after[0] for before, after in pairwise(times))
    assert all(0 <= start_ms < end_ms <= last_ms for start_ms, end_ms in times) or last_ms <= len(spoken)
    if has_room(spoken, last_ms, min_cue_ms):
        assert all(end_ms - start_ms >= min_cue_ms for start_ms, end_ms in times)


def test_words_that_leave_time_are_shown_when_they_are_said() -> None:
    spoken = [Spoken(100, 2_000, 30), Spoken(2_000, 5_000, 60), Spoken(9_000, 9_900, 10)]
    assert shown_times(spoken, last_ms=12_000, min_cue_ms=800) == [(100, 2_000), (2_000, 5_000), (9_000, 9_900)]


def test_dense_words_are_shown_a_little_late_and_those_at_the_end_a_little_early() -> None:
    dense = [Spoken(0, 300, 5), Spoken(300, 600, 5), Spoken(600, 900, 5), Spoken(4_000, 5_000, 5)]
    assert shown_times(dense, last_ms=6_000, min_cue_ms=800) == [(0, 800), (800, 1_600), (1_600, 2_400), (4_000, 5_000)]
    late = [Spoken(0, 1_000, 5), Spoken(4_700, 5_000, 5)]
    assert shown_times(late, last_ms=5_000, min_cue_ms=800) == [(0, 1_000), (4_200, 5_000)]


def test_what_is_too_dense_is_shared_out_evenly() -> None:
    spoken = [Spoken(100 * index, 100 * index + 100, 5) for index in range(30)]
    times = shown_times(spoken, last_ms=60_000, min_cue_ms=800)
    assert {end_ms - start_ms for start_ms, end_ms in times[:-1]} <= {134, 135}
    assert times[-1] == (100 * 29 + MOST_SHIFTED_MS - 14, 100 * 29 + MOST_SHIFTED_MS - 14 + 800)


def test_nothing_said_is_nothing_shown() -> None:
    assert shown_times([], last_ms=1_000, min_cue_ms=800) == []
