"""How work is cut: at silences, in equal runs, the largest first."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from engine.cluster.archive.pieces import by_size, cut_at_silences
from engine.speech.endpointing import SpeechSpan
from engine.speech.speech_stream import SpanFrames

NO_FRAMES = np.zeros((0, 80), np.float32)


def spans_of(lengths_ms: list[int]) -> list[SpanFrames]:
    spans, now = [], 0
    for length in lengths_ms:
        spans.append(SpanFrames(SpeechSpan(now, now + length), NO_FRAMES))
        now += length + 500
    return spans


@given(st.lists(st.integers(min_value=10, max_value=30_000), max_size=60), st.sampled_from([1.0, 30.0, 300.0]))
def test_every_span_is_in_one_piece_in_order(lengths_ms, piece_s):
    spans = spans_of(lengths_ms)
    runs = cut_at_silences(spans, piece_s=piece_s)
    assert [one.span for run in runs for one in run] == [one.span for one in spans]
    assert all(runs)


@given(st.lists(st.integers(min_value=10, max_value=30_000), min_size=1, max_size=60))
def test_no_piece_is_longer_than_its_share_and_one_span(lengths_ms):
    runs = cut_at_silences(spans_of(lengths_ms), piece_s=60.0)
    share_ms = sum(lengths_ms) / max(1, round(sum(lengths_ms) / 60_000))
    assert all(sum(one.span.duration_ms for one in run) < share_ms + 30_000 for run in runs)


def test_silence_has_no_piece():
    assert cut_at_silences([], piece_s=60.0) == []


def test_the_largest_files_come_first_and_small_ones_travel_together():
    groups = by_size([10, 900, None, 20, 30], most_bytes=100, most_files=10)
    assert groups[0] == [1]
    assert sorted(position for group in groups for position in group) == [0, 1, 2, 3, 4]
    assert any(len(group) > 1 for group in groups)


def test_a_group_holds_no_more_files_than_it_may():
    assert by_size([1] * 5, most_bytes=100, most_files=2) == [[0, 1], [2, 3], [4]]
