"""Which gaps in a container's times are believed, and how silence takes their place in bounded blocks."""

from __future__ import annotations

import numpy as np
import pytest

from engine.audio.reading.packet_clock import PacketClock, Place
from engine.audio.resampling import PAUSE_BLOCK_SAMPLES, SAMPLE_RATE_HZ, Mixdown
from engine.errors import AudioTooLongError


class Jumps:
    def __init__(self) -> None:
        self.seen: list[tuple[float, float]] = []

    def __call__(self, at_s: float, jump_s: float) -> None:
        self.seen.append((at_s, jump_s))


def clock(jumps: Jumps | None = None, **options: object) -> PacketClock:
    chosen = {"begin_s": 0.0, "length_s": 100.0, "limit_s": None, "may_jump": False, "is_exact": False, "others_s": (), **options}
    return PacketClock(on_jump=jumps or Jumps(), **chosen)


def frame(time_s: float | None, *, lost_s: float | None = None, next_s: float | None = None) -> Place:
    follows_s = None if time_s is None else time_s + 0.02
    return Place(time_s=time_s, duration_s=0.02, next_s=follows_s if next_s is None else next_s, lost_s=lost_s)


def test_a_late_beginning_is_kept_and_jitter_is_not() -> None:
    following = clock()
    assert following.gap_s(frame(5.0), 0.0) == pytest.approx(5.0)
    assert following.gap_s(frame(5.05), 5.02) == 0
    assert following.gap_s(frame(6.0), 5.04) == pytest.approx(0.96)


def test_what_is_known_to_be_lost_is_made_up_for_exactly() -> None:
    following = clock()
    following.gap_s(frame(0.0), 0.0)
    assert following.gap_s(frame(0.06, lost_s=0.02), 0.04) == pytest.approx(0.02)
    assert following.gap_s(frame(None, lost_s=0.02), 0.08) == pytest.approx(0.02)
    assert following.gap_s(frame(None), 0.1) == 0


def test_times_that_go_back_belong_to_another_recording() -> None:
    following = clock()
    following.gap_s(frame(0.0), 0.0)
    assert following.gap_s(frame(0.0), 50.0) == 0
    assert following.gap_s(frame(2.0), 50.02) == pytest.approx(1.98)


def test_one_wrong_time_is_not_followed() -> None:
    jumps = Jumps()
    following = clock(jumps)
    following.gap_s(frame(0.0), 0.0)
    assert following.gap_s(frame(40.0, next_s=0.04), 0.02) == 0
    assert following.gap_s(frame(0.04), 0.04) == 0
    assert jumps.seen == [(0.02, pytest.approx(39.98))]


def test_a_gap_must_fit_into_the_container_and_the_limit() -> None:
    jumps = Jumps()
    following = clock(jumps, limit_s=60.0)
    following.gap_s(frame(0.0), 0.0)
    assert following.gap_s(frame(500.0), 1.0) == 0
    following = clock(jumps, limit_s=60.0)
    following.gap_s(frame(0.0), 0.0)
    assert following.gap_s(frame(80.0), 1.0) == 0
    assert len(jumps.seen) == 2


def test_a_clock_that_may_jump_is_followed_where_another_track_shows_that_the_time_passed() -> None:
    for others, believed in (([10.0, 20.0, 30.0], True), ([1.0, 50.0], False)):
        following = clock(may_jump=True, others_s=others)
        following.gap_s(frame(0.0), 0.0)
        assert (following.gap_s(frame(50.0), 1.0) > 0) is believed


class Counted:
    """Counts samples, and keeps none."""

    def __init__(self) -> None:
        self.samples = self.longest = 0
        self.loud_at: list[int] = []

    def take(self, block: np.ndarray) -> None:
        self.longest = max(self.longest, len(block))
        self.loud_at += (np.flatnonzero(np.abs(block) > 0.3) + self.samples).tolist()
        self.samples += len(block)

    def start_over(self) -> None:
        raise AssertionError


@pytest.mark.parametrize("rate", [SAMPLE_RATE_HZ, 44_100])
@pytest.mark.parametrize("pause_s", [0.25, 3 * 3600.0])
def test_a_pause_of_any_length_comes_in_bounded_blocks_and_ends_where_it_should(rate: int, pause_s: float) -> None:
    sink = Counted()
    mixdown = Mixdown(sink, path="late", max_duration_s=None)
    tone = np.full((rate // 10, 1), 0.5, np.float32)
    mixdown.add(tone, rate)
    mixdown.pause(pause_s)
    mixdown.add(tone, rate)
    mixdown.finish()
    assert sink.longest <= PAUSE_BLOCK_SAMPLES
    assert sink.samples == pytest.approx((0.2 + pause_s) * SAMPLE_RATE_HZ, abs=4)
    second = min(place for place in sink.loud_at if place > 0.15 * SAMPLE_RATE_HZ)
    assert second / SAMPLE_RATE_HZ == pytest.approx(0.1 + pause_s, abs=0.002)


def test_a_pause_beyond_the_limit_is_refused_before_any_of_it() -> None:
    sink = Counted()
    mixdown = Mixdown(sink, path="late", max_duration_s=60)
    with pytest.raises(AudioTooLongError):
        mixdown.pause(3600)
    assert sink.samples == 0
