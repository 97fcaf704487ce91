"""What went wrong while a recording was read, counted as it goes → the warnings at its end."""

from __future__ import annotations

from engine.audio.reading.reading_warnings import ReadingWarning, WarningType
from engine.audio.resampling import Mixdown

#: A recording may be shorter than its header states by the greater of these without a warning: padding, and rounded times.
SHORT_BY_S, SHORT_BY_SHARE = 0.5, 0.01
EXACT_TO_S = 0.02
#: Gaps that together are shorter than this are the steps of a clock.
LEAST_GAP_S = 0.2
#: At least this share of the packets' bytes must be sound; else the recording is refused.
LEAST_SOUND = 0.1
DIGITS = 3


class ReadingReport:
    """The account of one recording, over all its pieces."""

    def __init__(self) -> None:
        self._read_s = self._lost_s = 0.0
        self._bytes = self._good_bytes = 0
        self._places = 0
        self._first_s = 0.0
        self._losing = False
        self._gap_s = self._gap_first_s = 0.0
        self._gaps = 0
        self._warnings: list[ReadingWarning] = []

    @property
    def is_readable(self) -> bool:
        """Whether enough of it was sound to be called a recording."""
        return self._read_s > 0 and self._good_bytes >= LEAST_SOUND * self._bytes

    def packet(self, size_bytes: int, *, is_good: bool) -> None:
        """A packet was decoded, or could not be. By bytes, because the times of damaged packets are as doubtful as they are."""
        self._bytes += size_bytes
        self._good_bytes += size_bytes if is_good else 0

    def read(self, duration_s: float) -> None:
        """So much was decoded."""
        self._read_s += duration_s
        self._losing = False

    def concealed(self, duration_s: float, *, at_s: float) -> None:
        """So much was decoded of what is damaged: its decoder filled in what it could not read."""
        self.lost(duration_s, at_s=at_s)
        self._read_s += duration_s

    def lost_more(self, duration_s: float) -> None:
        """The last loss turns out to be longer by so much: a demuxer does not say what it passes over."""
        self._lost_s += max(0.0, duration_s)

    def lost(self, duration_s: float, *, at_s: float) -> None:
        """So much could not be; what lies together counts as one place."""
        self._lost_s += duration_s
        if not self._losing:
            if not self._places:
                self._first_s = at_s
            self._places += 1
        self._losing = True

    def missed(self, duration_s: float, *, at_s: float, is_damage: bool) -> None:
        """No packet came for so long, and no error either: a demuxer passed over something, or nothing was recorded."""
        if is_damage:
            self._first_s = self._first_s if self._places else at_s
            self._places += 1
            self._lost_s += duration_s
            return
        self._gap_first_s = self._gap_first_s if self._gaps else at_s
        self._gaps += 1
        self._gap_s += duration_s

    def cut(self) -> None:
        """The piece ends within a packet."""
        self._places += not self._losing
        self._losing = True

    def piece_ended(self, *, promised_s: float | None, reached_s: float, at_s: float, exact: bool, is_last: bool) -> None:
        """A piece is over at ``at_s`` of the recording.

        Its tracks reach ``reached_s`` from its own beginning, and it promised so much, to the sample where ``exact``.
        """
        allowed_s = EXACT_TO_S if exact else max(SHORT_BY_S, SHORT_BY_SHARE * (promised_s or 0.0))
        is_short = promised_s is not None and reached_s < promised_s - allowed_s
        if not is_last:  # what follows is the next piece
            if promised_s is not None and is_short:
                self.lost(promised_s - reached_s, at_s=at_s)
            self._losing = False
            return
        if promised_s is not None and is_short:
            self._warn(WarningType.ENDS_EARLY, promised_s=_rounded(promised_s), read_s=_rounded(at_s))
        elif self._losing:
            self._warn(WarningType.BREAKS_OFF, read_s=_rounded(at_s))
        self._places -= self._losing  # said: what is missing at the end is no silence
        self._losing = False

    def broke_off(self, *, at_s: float) -> None:
        """The last part of the file is incomplete."""
        if not any(one.type in (WarningType.ENDS_EARLY, WarningType.BREAKS_OFF) for one in self._warnings):
            self._warn(WarningType.BREAKS_OFF, read_s=_rounded(at_s))

    def left_out(self, *, from_byte: int, count: int) -> None:
        """A part of the file that is no recording."""
        self._warn(WarningType.LEFT_OUT, bytes=count, from_byte=from_byte)

    def jumped(self, at_s: float, jump_s: float) -> None:
        """Times that were not followed; the first is said."""
        if not any(one.type is WarningType.TIME_JUMP for one in self._warnings):
            self._warn(WarningType.TIME_JUMP, at_s=_rounded(at_s), jump_s=_rounded(jump_s))

    def warnings(self, mixdown: Mixdown) -> tuple[ReadingWarning, ...]:
        """The warnings of the whole recording."""
        found = list(self._warnings)
        if self._places:
            values = {"lost_s": _rounded(self._lost_s), "places": self._places, "first_s": _rounded(self._first_s)}
            found.append(ReadingWarning(type=WarningType.DAMAGED, values=values))
        if self._gap_s >= LEAST_GAP_S:
            values = {"gap_s": _rounded(self._gap_s), "places": self._gaps, "first_s": _rounded(self._gap_first_s)}
            found.append(ReadingWarning(type=WarningType.GAPS, values=values))
        if mixdown.not_numbers:
            found.append(ReadingWarning(type=WarningType.NOT_NUMBERS, values={"count": mixdown.not_numbers}))
        return tuple(found)

    def _warn(self, kind: WarningType, **values: float) -> None:
        self._warnings.append(ReadingWarning(type=kind, values=values))


def _rounded(seconds: float) -> float:
    return round(seconds, DIGITS)
