"""English number words → their value: cardinals, digits read one by one, and the pieces of years, times and room numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence

DIGITS = {word: value for value, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])}
TEENS = {
    word: value
    for value, word in enumerate(
        ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"], start=10
    )
}
TENS = {
    word: 10 * value for value, word in enumerate(["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"], start=2)
}
SCALES = {"hundred": 100, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
OH = ("oh", "o")
TIMES = {"double": 2, "triple": 3}
SMALL = {*DIGITS, *TEENS, *TENS}
#: Scales that stay words after a round number: "2 million".
UNABSORBED = ("million", "billion", "trillion")


def cardinal(words: Sequence[str]) -> int | None:
    """The value of words such as "two thousand and five", strictly; None where they are not one number, and for "zero"."""
    rest = ["one" if word == "a" else word for word in words if word != "and"]
    total, limit = 0, math.inf
    while rest:
        group, used = _below_ten_thousand(rest)
        rest = rest[used:]
        if not group:
            return None
        if not rest:
            return total + group if group < limit else None
        scale = SCALES.get(rest[0], 0)
        if scale < SCALES["thousand"] or scale >= limit or group >= SCALES["thousand"]:
            return None
        total, limit, rest = total + group * scale, scale, rest[1:]
    return total


def _below_ten_thousand(words: Sequence[str]) -> tuple[int, int]:
    """Value and number of words of the longest number below 1000 at the start, or of "nineteen hundred and five"."""
    small, used = _below_hundred(words)
    if small and words[used : used + 1] == ["hundred"]:
        if small >= TEENS["ten"] and small % 10 == 0:  # 2000 is never read "twenty hundred"
            return 0, 0
        more, more_used = _below_hundred(words[used + 1 :])
        return small * 100 + more, used + 1 + more_used
    return small, used


def _below_hundred(words: Sequence[str]) -> tuple[int, int]:
    if not words:
        return 0, 0
    first = words[0]
    if first in TENS:
        unit = DIGITS.get(words[1], 0) if len(words) > 1 else 0
        return TENS[first] + unit, 2 if unit else 1
    value = TEENS.get(first) or DIGITS.get(first, 0)
    return value, 1 if value else 0


def written_cardinal(words: Sequence[str]) -> str | None:
    """A cardinal in digits: "2 million" where it is that round, else all its digits; None for what is none."""
    value = cardinal(words)
    if value is None:
        return None
    if words[-1] in UNABSORBED:
        return f"{value // SCALES[words[-1]]} {words[-1]}"
    return str(value)


def read_out(words: Sequence[str]) -> str | None:
    """Digits read one by one, "double" and "oh" among them, in digits; None for anything else."""
    digits, times = "", 1
    for word in words:
        if word in TIMES and times == 1:
            times = TIMES[word]
            continue
        if word not in DIGITS and word not in OH:
            return None
        digits += str(DIGITS.get(word, 0)) * times
        times = 1
    return digits if times == 1 else None


def pieces(words: Sequence[str]) -> list[str] | None:
    """Digits and two-digit numbers in order ("three | twelve" -> 3, 12; "nineteen | oh | five" -> 19, 0, 5); None with other words."""
    found: list[str] = []
    place = 0
    while place < len(words):
        value, used = _below_hundred(words[place : place + 2])
        if not used:
            if words[place] not in (*OH, "zero"):
                return None
            used = 1
        found.append(str(value))
        place += used
    return found


def decimal(whole: Sequence[str], fraction: Sequence[str]) -> str | None:
    """Words before and after a point, "three" and "one four" -> "3.14"; a scale that ends the fraction stays a word: "2.5 million"."""
    scale = fraction[-1] if fraction and fraction[-1] in SCALES else ""
    digits = fraction[:-1] if scale else fraction
    before, after = group(whole), group(digits)
    if before is None or after is None or not set(digits).isdisjoint(SCALES) or (scale and not set(whole).isdisjoint(SCALES)):
        return None
    return f"{before}.{after}{f' {scale}' if scale else ''}"


def group(words: Sequence[str]) -> str | None:
    """What may stand beside a point: a cardinal or digits read one by one; None for anything else."""
    value = cardinal(words) if words else None
    return str(value) if value is not None else (read_out(words) or None)


def spoken_digits(digits: str) -> str:
    """How digits are read out: 015 -> zero one five."""
    names = {value: word for word, value in DIGITS.items()}
    return " ".join(names[int(digit)] for digit in digits)


def spoken_cardinal(value: int) -> str:
    """How a whole number from 0 to below 10¹⁵ is said, without "and": 2005 -> two thousand five."""
    names = {number: word for word, number in (*DIGITS.items(), *TEENS.items(), *TENS.items())}
    if value in names:
        return names[value]
    if value < SCALES["hundred"]:
        return f"{names[value - value % 10]} {names[value % 10]}"
    word, scale = max(((word, scale) for word, scale in SCALES.items() if scale <= value), key=lambda entry: entry[1])
    head, rest = divmod(value, scale)
    return f"{spoken_cardinal(head)} {word}" + (f" {spoken_cardinal(rest)}" if rest else "")
