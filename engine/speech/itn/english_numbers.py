"""Which English number words are written in digits: those whose reading is sure by their form and by their neighbours.

"seven eleven" is a shop, a time or a date, "twenty twenty five people" are an estimate, "thirty second" is 32nd or half a minute: such
words stay, and so do single digits without a unit ("one of them"). Dates, money and measures keep their words around the digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.speech.itn.english_context import (
    AFTER_ORDINAL,
    BEFORE_NOUN_POINT,
    BEFORE_PRICE,
    BEFORE_YEAR,
    COUNTED,
    DECADES,
    FRACTIONS,
    MEASURES,
    MONTHS,
    NUMBERED,
    ORDINALS,
    PLURAL_SCALES,
    SUFFIXES,
    TEENTHS,
    UNITS,
)
from engine.speech.itn.english_numerals import (
    DIGITS,
    OH,
    SCALES,
    SMALL,
    TENS,
    TIMES,
    UNABSORBED,
    decimal,
    group,
    pieces,
    read_out,
    written_cardinal,
)
from engine.speech.itn.english_runs import POINTS, EnglishWords
from engine.speech.itn.english_years import year
from engine.speech.itn.itn_change import Change

_DAY_TIME = re.compile(r" (?:[ap]\.?m\b|[ap]\. ?m\b|[ap] m\b)(?! i\b)| ?o['’]? ?clock\b", re.IGNORECASE)
_PART_OF_DAY = re.compile(r" (?:in the (?:morning|afternoon|evening)|at night)\b", re.IGNORECASE)
_FEWEST_DIGITS = 3  # two digits in a row may be an estimate: "five six days"
_CONNECTING = {"to", "or", "and"}
_HOURS, _MINUTES, _LAST_DAY = 12, 60, 31
_FIRST_CENTURY, _LAST_CENTURY = 13, 20  # of "thirteen hundreds" and "twenty tens"


def english_changes(text: str) -> Iterator[Change]:
    """The numbers of a text that are sure, in order."""
    words = EnglishWords(text)
    place = 0
    while place < len(words):
        last, written = _ordinal(words, place)
        if written is None:
            end = words.run_end(place)
            last, written = _written(words, place, end) if end > place else (place + 1, None)
        if written is not None:
            yield Change(words.start(place), words.end(last - 1), written)
        place = last


def _written(words: EnglishWords, first: int, last: int) -> tuple[int, str | None]:
    """Number words → the place after what was read, and the number in digits; None where the reading is not sure."""
    if words.touches_a_number(first, last) or _continues_a_number(words, first) or _shares_a_scale(words, first, last):
        return last, None
    said, then = words.between(first, last), words.joined(last)
    if then in DECADES or then == "hundreds":
        return _decade(words, said, last)
    if then in FRACTIONS or then in PLURAL_SCALES or (then == "and" and words.joined(last + 1) in ORDINALS):
        return last, None
    value = _decimal(words, first, last) if not set(POINTS).isdisjoint(said) else _whole(words, first, last)
    percent = _percent_end(words, last)
    if value is not None and percent > last:
        return percent, f"{value}%"
    return last, value


def _continues_a_number(words: EnglishWords, first: int) -> bool:
    """Whether these words end a number whose beginning is not known: "a couple hundred and | fifty", "point | five percent"."""
    before = words.preceding(first)
    if before == "and" and words.preceding(first - 1) in SCALES:
        return not (words[first - 3] in SMALL or words[first - 3] in SCALES or words[first - 3] == "a")
    return before in SCALES or before in POINTS


def _shares_a_scale(words: EnglishWords, first: int, last: int) -> bool:
    """Whether this is one of two numbers with one "hundred" or "thousand" between them: "three to five thousand" are 3000 to 5000."""
    if words.joined(last) in _CONNECTING:
        ranged = (first, last), (last + 1, words.run_end(last + 1))
    elif words.preceding(first) in _CONNECTING and first > 1:
        start = first - 2
        while words.preceding(start) in SMALL:
            start -= 1
        ranged = (start, words.run_end(start)), (first, last)
    else:
        return False
    one, other = (words.between(*span) for span in ranged)
    if not one or not other or other[-1] not in SCALES or other[-1] in UNABSORBED or not set(one).isdisjoint(SCALES):
        return False
    smaller, larger = pieces(one), pieces([word for word in other if word not in SCALES][: len(other) - 1])
    return bool(smaller and larger) and int((smaller or ["0"])[-1]) < int((larger or ["0"])[0])


def _percent_end(words: EnglishWords, place: int) -> int:
    if words.joined(place) == "percent":
        return place + 1
    return place + 2 if words.joined(place) == "per" and words.joined(place + 1) == "cent" else place


def _has_unit(words: EnglishWords, place: int) -> bool:
    return words.joined(place) in MEASURES or _percent_end(words, place) > place


# ---- ordinals and decades ------------------------------------------------------------------------------------------------


def _ordinal(words: EnglishWords, place: int) -> tuple[int, str | None]:
    """Ordinals such as "the fifteenth" and "twenty first century"; an ordinal that may be part of something else stays."""
    word, then = words[place], words.joined(place + 1)
    if word in TEENTHS:
        known = words.preceding(place) in {"the", *MONTHS} or then in AFTER_ORDINAL
        return (place + 1, f"{TEENTHS[word]}th") if known else (place, None)
    if word in TENS and then in UNITS:
        after = words.joined(place + 2)
        of_month = after == "of" and words.joined(place + 3) in MONTHS
        # "the thirty second video" lasts half a minute, "the twenty first graders" are twenty.
        if words.preceding(place) in MONTHS or after in AFTER_ORDINAL or of_month:
            unit = UNITS[then]
            return place + 2, f"{TENS[word] + unit}{SUFFIXES.get(unit, 'th')}"
    return place, None


def _decade(words: EnglishWords, said: list[str], last: int) -> tuple[int, str | None]:
    """Decades and centuries: "nineteen eighties" -> 1980s, "eighteen hundreds" -> 1800s."""
    found = pieces(said)
    if found is None or len(found) != 1 or not _FIRST_CENTURY <= int(found[0]) <= _LAST_CENTURY:
        return last, None
    return last + 1, f"{int(found[0]) * 100 + DECADES.get(words[last], 0)}s"


# ---- numbers with a point, numbers without one ----------------------------------------------------------------------------


def _decimal(words: EnglishWords, first: int, last: int) -> str | None:
    parts: list[list[str]] = [[]]
    for word in words.between(first, last):
        if word in POINTS:
            parts.append([])
        else:
            parts[-1].append(word)
    if parts[0] == ["one"] and words.preceding(first) in BEFORE_NOUN_POINT:
        return None
    if len(parts) == 2:  # noqa: PLR2004 - before and after one point
        return decimal(*parts)
    groups = [group(part) if set(part).isdisjoint(SCALES) else None for part in parts]
    return None if None in groups else ".".join(part for part in groups if part is not None)


def _whole(words: EnglishWords, first: int, last: int) -> str | None:
    said = words.between(first, last)
    if not set(said).isdisjoint(SCALES):
        # "a hundred people" are not counted, "a hundred percent" are
        is_round = said[0] == "a" and len(said) == 2 and _percent_end(words, last) == last  # noqa: PLR2004 - "a" and its scale
        return None if is_round else written_cardinal(said)
    digits = read_out(said) if len(said) > 1 else None
    found = pieces(said)
    time = _time(words, first, last, found) if found else None
    if time is not None:
        return time
    is_numbered = words.preceding(first) in NUMBERED and words.joined(last) not in COUNTED and not _counts_up(found or [])
    if digits is not None:
        may_be_a_time = len(said) == _FEWEST_DIGITS and said[0] in DIGITS and said[1] in OH  # "nine oh five"
        return digits if is_numbered or (not may_be_a_time and _is_read_out(words, first, last, digits)) else None
    if not found:
        return None
    if len(found) == 1:
        return found[0] if _is_count(words, first, last, int(found[0])) else None
    return "".join(found) if is_numbered else _dated(words, first, last, found)


def _counts_up(found: list[str]) -> bool:
    """Whether two numbers follow on each other: "gate ten eleven" may be two gates."""
    return len(found) == 2 and len(found[0]) == len(found[1]) and int(found[1]) == int(found[0]) + 1  # noqa: PLR2004 - two


def _is_read_out(words: EnglishWords, first: int, last: int, digits: str) -> bool:
    """Whether digits in a row are one number: three at least, that nothing is counted with."""
    if len(digits) < _FEWEST_DIGITS:
        return False
    doubled = words[first] in TIMES and len(digits) == _FEWEST_DIGITS and words[first + 1] not in OH
    return not doubled and words.joined(last) != "go" and words.joined(last) not in COUNTED


def _time(words: EnglishWords, first: int, last: int, found: list[str]) -> str | None:
    """Times of day: "three | thirty" pm -> 3:30; hours alone before "pm" and "o'clock"; None where no time of day is sure."""
    if not 1 <= int(found[0]) <= _HOURS:
        return None
    end = words.end(last - 1)
    named = _DAY_TIME.match(words.text, end) is not None
    if len(found) == 1:
        return found[0] if named and not _is_clock(words, first, last, int(found[0])) else None
    minutes = "".join(found[1:])
    if not (named or _PART_OF_DAY.match(words.text, end)) or len(minutes) != 2 or int(minutes) >= _MINUTES:  # noqa: PLR2004 - digits
        return None
    return f"{found[0]}:{minutes}"


def _is_count(words: EnglishWords, first: int, last: int, value: int) -> bool:
    """Whether one number below 100 counts or measures something, rather than being "one of them" or the hour of "ten to ten"."""
    unit = _has_unit(words, last)
    end = words.run_end(last + 1) if words.joined(last) in {"to", "or"} and words.joined(last + 1) else last
    unit_follows = end > last + 1 and _has_unit(words, end)
    if unit or unit_follows:
        return value != 1 or _percent_end(words, end) > end
    return value > len(DIGITS) - 1 and not _is_clock(words, first, last, value)


def _is_clock(words: EnglishWords, first: int, last: int, value: int) -> bool:
    """Whether this is either number of a time told by the clock: "ten past ten", "quarter to twelve", "ten to one"."""
    before, then = words.preceding(first), words.joined(last)
    if before in {"past", "half"} or then == "past":
        return True
    said_before = words.preceding(first - 1)
    if before == "to" and value <= _HOURS and (said_before in {"quarter", "half", "minutes"} or words.run_end(first - 2) > first - 2):
        return True
    if then != "to":
        return False
    hour = words[last + 1] if words[last + 1].isdecimal() else "".join(pieces(words.between(last + 1, words.run_end(last + 1))) or [])
    return bool(hour) and len(hour) <= len(str(_HOURS)) and 1 <= int(hour) <= _HOURS


def _dated(words: EnglishWords, first: int, last: int, found: list[str]) -> str | None:
    """Pairs that are a year, after a month also with the day before it: "december | twenty five | twenty twenty six" -> 25 2026."""
    before, then = words.preceding(first), words.joined(last)
    if before in MONTHS and int(found[0]) <= _LAST_DAY and found[0] != "0":
        of_day = year(found[1:], sure=True)
        if of_day is not None:
            return f"{found[0]} {of_day}"
    if before in BEFORE_PRICE or then in COUNTED or then == "vision":
        return None
    return year(found, sure=before in BEFORE_YEAR)
