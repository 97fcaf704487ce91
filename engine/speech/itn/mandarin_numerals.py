"""Chinese numerals → digits: 两千零二十六 -> 2026, 三千万 -> 3000万, 一二三 -> 123.

A number is what :func:`spoken` says for its value and nothing else: 五六十, 一千五十 and 两三百 are malformed, thus estimates or slips.
"""

from __future__ import annotations

import re

READ_OUT = "零〇一二三四五六七八九幺"
NUMERALS = f"{READ_OUT}两十百千万亿"
DIGITS = dict(zip("零〇一二三四五六七八九幺两", "0012345678912", strict=True))
#: Traditional characters and the simplified ones that the rules know; one for one, so that places in a text stay.
SIMPLIFIED = str.maketrans("萬億兩點幾號數週時塊個", "万亿两点几号数周时块个")

_LONGEST = 24  # no number that is recognized here is longer
_SPOKEN_DIGITS = "零一二三四五六七八九"
_SMALL_SCALES = {"千": 1000, "百": 100, "十": 10}
_WAN, _YI = 10**4, 10**8
_PAIR_ALONE = re.compile("两(?![百千万亿])")
#: 三千五 are 3500, 一万二 are 12000, 十万五 are 105000: a digit after a scale counts the next smaller one.
_SHORTENED = re.compile(r"(?P<head>.*[一二两三四五六七八九十](?P<scale>[百千万亿]))(?P<digit>[一二三四五六七八九])")
_NEXT_SMALLER = {"百": 10, "千": 100, "万": 1000, "亿": _YI // 10}


def digits_of(numerals: str) -> str | None:
    """Digits read one by one in digits; None for other numerals, and for 两, which is never read as a digit."""
    return "".join(DIGITS[numeral] for numeral in numerals) if numerals and set(numerals) <= set(READ_OUT) else None


def value_of(numerals: str) -> int | None:
    """The value of a Mandarin number; None for what is none."""
    if numerals in DIGITS:
        return int(DIGITS[numerals])
    if not 1 < len(numerals) <= _LONGEST and numerals != "十":
        return None
    shortened = _SHORTENED.fullmatch(numerals)
    if shortened:
        head = value_of(shortened["head"])
        return head + int(DIGITS[shortened["digit"]]) * _NEXT_SMALLER[shortened["scale"]] if head else None
    if _PAIR_ALONE.search(numerals):
        return None
    plain = numerals.replace("两", "二").replace("零十", "零一十")
    value = _loose_value(plain)
    return value if value and spoken(value) == plain else None


def written(numerals: str) -> str | None:
    """A Mandarin number in digits, with the 万 and 亿 that end it (三万 -> 3万, 一亿三千万 -> 1亿3000万); None for what is no number."""
    value = value_of(numerals)
    if value is None or numerals in DIGITS:
        return None if value is None else str(value)
    if numerals.endswith("万亿"):
        return f"{value // _WAN // _YI}万亿"
    if numerals.endswith("亿"):
        return f"{value // _YI}亿"
    hundred_millions, rest = divmod(value, _YI)
    if numerals.endswith("万"):
        return f"{hundred_millions}亿{rest // _WAN}万" if hundred_millions else f"{rest // _WAN}万"
    if hundred_millions and rest % (_YI // 10) == 0:  # 一亿五
        return f"{hundred_millions}.{rest // (_YI // 10)}亿"
    return str(value)


def written_japanese(numerals: str) -> str | None:
    """A Japanese number in digits, where 百 needs no 一 and gaps no 零 (二千二十六), a closing 万 or 億 kept; None for what is none."""
    if not 1 <= len(numerals) <= _LONGEST or not set(numerals).isdisjoint("零〇幺两"):
        return None
    closing = numerals[-1] if numerals[-1] in "万亿" else ""
    body = numerals.removesuffix(closing)
    if "亿" in body or (closing and "万" in body):
        return None
    value = _loose_value(body)
    if not value:
        return None
    said = spoken(value).replace("零", "").replace("一百", "百").replace("一十", "十")
    return f"{value}{closing}" if said in {body.replace("一百", "百"), re.sub("(?<![一二三四五六七八九])千", "一千", body)} else None


def _loose_value(numerals: str) -> int:
    """What numerals add up to, in whatever order they are."""
    total = section = digit = 0
    for numeral in numerals:
        if numeral in DIGITS:
            digit = int(DIGITS[numeral])
        elif numeral in _SMALL_SCALES:
            section += (digit or 1) * _SMALL_SCALES[numeral]
            digit = 0
        elif numeral == "万":
            total += (section + digit) * _WAN
            section = digit = 0
        else:
            total = (total + section + digit) * _YI
            section = digit = 0
    return total + section + digit


def spoken_one_by_one(digits: str) -> str:
    """How Mandarin reads digits out: 015 -> 零一五."""
    return "".join(_SPOKEN_DIGITS[int(digit)] for digit in digits)


def spoken(value: int) -> str:
    """How Mandarin says a whole number from 0 on, with 二 for 两: 10300 -> 一万零三百."""
    if value == 0:
        return _SPOKEN_DIGITS[0]
    hundred_millions, rest = divmod(value, _YI)
    ten_thousands, ones = divmod(rest, _WAN)
    said = f"{spoken(hundred_millions)}亿" if hundred_millions else ""
    for count, scale, skipped in ((ten_thousands, "万", False), (ones, "", not ten_thousands)):
        if count:
            gap = said and (skipped or count < _SMALL_SCALES["千"])
            said += f"{'零' if gap else ''}{_spoken_section(count)}{scale}"
    return said.removeprefix("一") if said.startswith("一十") else said


def _spoken_section(value: int) -> str:
    """How Mandarin says 1 to 9999, with 一十 for 十."""
    said, gap = "", False
    for scale, weight in (*_SMALL_SCALES.items(), ("", 1)):
        digit, value = divmod(value, weight)
        if digit:
            said += f"{'零' if gap and said else ''}{_SPOKEN_DIGITS[digit]}{scale}"
        gap = not digit
    return said
