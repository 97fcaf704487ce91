"""Inverse text normalization (ITN) for models that cannot do it themselves: number words → digits, the rest untouched.

This file decides which words are a number; two small libraries say which one: text2num (English) and cn2an (Mandarin). Both are
MIT, had releases in 2026, need no network and no torch, and refuse what is no number: together 2 MB on disk, 7 MB of RSS, 0.13 s
to import, which happens when the first number is met. wetext, with WeTextProcessing's grammars for both languages, takes
52 MB, 43 MB and 0.3 s, and its taste in phone numbers, dates and times ("543 210", "03/05", "1st of all") is not ours.

What is left alone: a single digit ("one of them", 一个), round words with nothing to count (万一, 千万), estimates (五六个人, 七八十),
ordinals, and whatever the libraries refuse. Dates, times and money keep their words; only the numbers in them become digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_ONES = {word: str(value) for value, word in enumerate(["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"])}
_TEENS = ["ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen"]
_TENS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_SCALES = ["hundred", "thousand", "million", "billion"]
_ORDINALS = "first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh|twelfth|hundredth|thousandth"

_SMALL = f"(?:{'|'.join((*_ONES, *_TEENS, *_TENS))})\\b"
_SCALE = f"(?:{'|'.join(_SCALES)})\\b(?: and(?= {_SMALL}))?"
_ENGLISH = re.compile(
    rf"(?<![\w'’-]){_SMALL}(?:[ -](?:{_SMALL}|{_SCALE}))*(?: point(?: (?:{'|'.join(_ONES)})\b)+)?",
    re.IGNORECASE,
)
#: "twenty first" is no 20, "one's own" no 1.
_NO_NUMBER_BEFORE = re.compile(rf"['’]|[ -](?:{_ORDINALS})\b", re.IGNORECASE)

_DIGITS = dict(zip("零〇一二三四五六七八九幺两", "0012345678912", strict=True))
_READ_OUT = "零〇一二三四五六七八九幺"
_NUMERALS = f"{_READ_OUT}两十百千万亿"
#: Sayings that look like numbers; they are matched first and kept.
_SAYINGS = "一点一滴|一点一点|一五一十|三三两两|不管三七二十一"
_MANDARIN = re.compile(
    rf"(?P<saying>{_SAYINGS})|(?P<percent>百分之)?(?P<whole>[{_NUMERALS}]+)(?:点(?P<fraction>[{_READ_OUT}]+)(?![{_NUMERALS}点分]))?"
)
#: What a single numeral may stand before to be a number: 十 before a measure, any before the rest of a date or of a time of day.
_AFTER_TEN = re.compile("[年月日号岁度点天个块元米斤页楼]|分钟|小时|公里|公斤")
_AFTER_ONE = re.compile(rf"月[{_NUMERALS}]+[日号]|点(?:半|钟|[{_NUMERALS}]+分)")
_DAY = re.compile(r"[日号]")
_LONGEST_ESTIMATE = 2  # 五六个人 are five or six; three digits in a row were read one by one


def apply_itn(text: str) -> str:
    """Write the numbers of an English or Mandarin text in digits; a text without numbers comes back as it is."""
    return _MANDARIN.sub(_mandarin, _ENGLISH.sub(_english, text))


def load() -> None:
    """Import the libraries now, so that the first number does not wait for them."""
    apply_itn("twenty five 二十五")


def _english(match: re.Match[str]) -> str:
    said = match.group()
    words = said.lower().replace("-", " ").replace(" and", "").split()
    if (len(words) == 1 and words[0] in _ONES) or _NO_NUMBER_BEFORE.match(match.string, match.end()):
        return said
    whole, fraction = (words[: words.index("point")], words[words.index("point") + 1 :]) if "point" in words else (words, [])
    from text_to_num import text2num  # noqa: PLC0415 - most texts hold no number

    try:
        values = [str(text2num(" ".join(piece), "en")) for piece in _pieces(whole)]
    except ValueError:
        return said
    # "nineteen ninety nine" and "three one four" are one number, "one hundred five six" are not.
    joined = ("" if set(words).isdisjoint(_SCALES) else " ").join(values)
    return f"{joined}.{''.join(_ONES[word] for word in fraction)}" if fraction else joined


def _pieces(words: list[str]) -> Iterator[list[str]]:
    """Cut number words where one number ends and the next begins: twenty | twenty one | two."""
    piece: list[str] = []
    for word in words:
        goes_on = not piece or word in _SCALES or piece[-1] in _SCALES or (piece[-1] in _TENS and word in _ONES and word != "zero")
        if not goes_on:
            yield piece
            piece = []
        piece.append(word)
    yield piece


def _mandarin(match: re.Match[str]) -> str:
    said, whole, fraction = match.group(), match["whole"], match["fraction"]
    before, after = match.string[: match.start()], match.string[match.end() :]
    if match["saying"] or after.startswith("几"):
        return said
    is_number = fraction or match["percent"] or _is_number(whole, before, after)
    value = _value(whole) if is_number else None
    if value is None:
        return said
    decimals = f".{''.join(_DIGITS[numeral] for numeral in fraction)}" if fraction else ""
    return f"{value}{decimals}{'%' if match['percent'] else ''}"


def _is_number(numerals: str, before: str, after: str) -> bool:
    """Whether numerals stand for a number rather than in a word, going by their length and their neighbours."""
    if len(numerals) == 1:
        is_day = before.endswith("月") and _DAY.match(after)
        return bool(is_day or _AFTER_ONE.match(after) or (numerals == "十" and _AFTER_TEN.match(after)))
    if set(numerals) <= set(_READ_OUT):
        return len(numerals) > _LONGEST_ESTIMATE or after.startswith("年") or not (before or after)
    return True


def _value(numerals: str) -> str | None:
    """Numerals → digits, a closing 万 or 亿 kept (三万 -> 3万); None for what is no number."""
    if set(numerals) <= set(_DIGITS):
        read_out = len(numerals) == 1 or "两" not in numerals
        return "".join(_DIGITS[numeral] for numeral in numerals) if read_out else None
    scale = numerals[-1] if numerals[-1] in "万亿" else ""
    import cn2an  # noqa: PLC0415 - most texts hold no number

    try:
        return f"{cn2an.cn2an(numerals.removesuffix(scale), 'normal')}{scale}"
    except (ValueError, KeyError):  # cn2an stumbles over some that it means to refuse, 亿零 for one
        return None
