"""Years as English says them, in pieces: nineteen | ninety nine, nineteen | oh | five."""

from __future__ import annotations

from collections.abc import Sequence

_FIRST_CENTURY, _LAST_CENTURY = 13, 20  # from ten to twelve they are rather times and prices: "eleven fifty"
_OLDEST_CENTURY = 10
_HOURS_TELL_NO_MORE = 59
_LAST_CLOCK_CENTURY = 17  # "sixteen thirty" may be half past four


def year(pieces: Sequence[str], *, sure: bool) -> str | None:
    """The year of two or three pieces; None for what is none, and unless ``sure`` for what may be an estimate or a time."""
    if not pieces or not pieces[0].isdigit():
        return None
    century = int(pieces[0])
    if len(pieces) == 3 and pieces[1] == "0" and len(pieces[2]) == 1 and pieces[2] != "0":  # noqa: PLR2004 - nineteen | oh | five
        return f"{century}0{pieces[2]}" if _FIRST_CENTURY <= century <= _LAST_CENTURY else None
    if len(pieces) != 2 or len(pieces[1]) != 2:  # noqa: PLR2004 - two pieces, two digits
        return None
    rest = int(pieces[1])
    if not sure and _may_be_an_estimate(century, rest):
        return None
    first = _OLDEST_CENTURY if sure and rest > _HOURS_TELL_NO_MORE else _FIRST_CENTURY
    return f"{century}{rest}" if first <= century <= _LAST_CENTURY else None


def _may_be_an_estimate(one: int, other: int) -> bool:
    """Whether it may be a time, or of about as many: "sixteen thirty", "twenty twenty", "eighteen nineteen"; not "twenty twenty one"."""
    if one <= _LAST_CLOCK_CENTURY and other <= _HOURS_TELL_NO_MORE:
        return True
    if one == _LAST_CENTURY:
        return other in {20, 30}
    return other - one in {0, 1} or (one % 10 == 0 and other - one == 10)  # noqa: PLR2004 - the next ten
