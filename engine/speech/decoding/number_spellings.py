"""A phrase with a number → the ways in which it may be said and written: 3号楼 and 三号楼, iPhone 15 and iPhone fifteen."""

from __future__ import annotations

import re
from collections.abc import Callable

from engine.speech.decoding.spelling import is_han
from engine.speech.itn.english_numerals import spoken_cardinal, spoken_digits
from engine.speech.itn.itn import apply_itn
from engine.speech.itn.mandarin_numerals import spoken, spoken_one_by_one

_DIGITS = re.compile(r"\d+")
#: Longer runs of digits are read out, never said as one number.
_LONGEST_NUMBER = 8
_LONGEST_PAIRS = 4


def spellings(phrase: str) -> tuple[str, ...]:
    """The phrase itself first, then the same with its numbers in digits, and with its digits as words of the phrase's language."""
    found = [phrase, apply_itn(phrase)]
    for written in (phrase, found[1]):
        if not _DIGITS.search(written):
            continue
        letters = [character for character in written if character.isalpha()]
        if not letters or any(is_han(character) for character in letters):
            found += [_replaced(written, way) for way in (spoken_one_by_one, _mandarin_number, _mandarin_pair)]
        if not letters or any(character.isascii() for character in letters):
            found += [_replaced(written, way, apart=True) for way in (spoken_digits, _english_number, _english_pairs)]
    return tuple(dict.fromkeys(found))


def _replaced(phrase: str, way: Callable[[str], str], *, apart: bool = False) -> str:
    """Each run of digits as ``way`` says it, ``apart`` from what stands beside it."""
    space = " " if apart else ""
    return " ".join(_DIGITS.sub(lambda run: f"{space}{way(run.group())}{space}", phrase).split())


def _mandarin_number(digits: str) -> str:
    if len(digits) > _LONGEST_NUMBER or digits.startswith("0"):
        return spoken_one_by_one(digits)
    return spoken(int(digits))


def _mandarin_pair(digits: str) -> str:
    """两 where a number begins with 二 before a scale."""
    return re.sub("^二(?=[百千万])", "两", _mandarin_number(digits))


def _english_number(digits: str) -> str:
    if len(digits) > _LONGEST_NUMBER or digits.startswith("0"):
        return spoken_digits(digits)
    return spoken_cardinal(int(digits))


def _english_pairs(digits: str) -> str:
    """As years and house numbers are said: 2026 is twenty twenty six."""
    if len(digits) != _LONGEST_PAIRS or "0" in (digits[0], digits[2]):
        return _english_number(digits)
    return f"{spoken_cardinal(int(digits[:2]))} {spoken_cardinal(int(digits[2:]))}"
