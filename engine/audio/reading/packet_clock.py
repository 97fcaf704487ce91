"""Times of packets → how much silence belongs before each stretch of sound, so that sample n lies at n / rate of the container's time.

A gap is filled where the container's length has room for it, the sound after it goes on from there, and, for formats whose clock may jump
(joined transport streams), another track shows that the time really passed. Any other gap moves the clock instead.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

#: Players' clocks and rounded times differ by less; a loss that is known of is made up for to a hundredth.
JITTER_S, EXACT_S = 0.1, 0.005
#: Times that go back by more belong to another recording, joined to this one.
RESTART_S = 1.0
#: A gap beyond this must be confirmed by the sound that follows.
LONG_GAP_S = 1.0
#: A clock that may jump is followed without another track's word up to here, and with doubt about the length altogether.
UNCONFIRMED_S = 600.0
SUSPECT_S = 10.0
#: How far what follows may be from where it should be.
FOLLOWS_S = 0.5
SLACK_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """What is known of a stretch of sound: its time and length, the time of the next one, and what went before."""

    time_s: float | None
    duration_s: float
    next_s: float | None
    #: What is known to be lost before it, in seconds; None where nothing was.
    lost_s: float | None = None


class PacketClock:
    """Follows one track of one piece that begins at ``begin_s`` of the recording.

    ``length_s`` is what the container says of itself, None where it does not know; ``may_jump`` is whether its format's clock does.
    ``is_exact`` is whether its times count samples; ``others_s`` are the times of other tracks' packets as they come.
    ``on_jump`` gets the place and the size of a jump that is not followed, in seconds.
    """

    def __init__(
        self,
        *,
        begin_s: float,
        length_s: float | None,
        limit_s: float | None,
        may_jump: bool,
        is_exact: bool,
        others_s: Collection[float],
        on_jump: Callable[[float, float], None],
    ) -> None:
        self._shift_s, self._begin_s = begin_s, begin_s
        self._length_s, self._limit_s, self._may_jump, self._on_jump = length_s, limit_s, may_jump, on_jump
        self._is_exact, self._others_s = is_exact, others_s
        self._first = True
        #: Whether the last stretch was the first one.
        self.at_beginning = False

    def gap_s(self, place: Place, position_s: float) -> float:
        """Silence to put before a stretch, in seconds, given where it would lie without."""
        if place.time_s is None:
            return place.lost_s or 0.0
        ahead_s = place.time_s + self._shift_s - position_s
        self.at_beginning, self._first = self._first, False
        exact = self.at_beginning or place.lost_s is not None or self._is_exact
        if ahead_s < -RESTART_S:
            self._shift_s -= ahead_s
            return 0.0
        if ahead_s <= (EXACT_S if exact else JITTER_S):
            return 0.0
        if self._is_believed(ahead_s, place, position_s):
            return ahead_s
        self._shift_s -= ahead_s
        if not self._may_jump:
            self._on_jump(position_s, ahead_s)
        return 0.0

    def _is_believed(self, ahead_s: float, place: Place, position_s: float) -> bool:
        if self._limit_s is not None and position_s + ahead_s > self._limit_s:
            return False
        if ahead_s <= LONG_GAP_S:
            return True
        assert place.time_s is not None  # noqa: S101 - see gap_s
        if place.next_s is not None and abs(place.next_s - place.time_s - place.duration_s) > FOLLOWS_S:
            return False
        passed = any(0.2 * ahead_s < place.time_s - other_s < 0.8 * ahead_s for other_s in self._others_s)
        if passed:
            return True
        fits = self._length_s is None or position_s + ahead_s - self._begin_s <= self._length_s + SLACK_S
        if self._may_jump or self._length_s is None:
            return fits and ahead_s <= (UNCONFIRMED_S if self.at_beginning or not self._others_s else SUSPECT_S)
        return fits
