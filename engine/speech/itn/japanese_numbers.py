"""Which numerals of a Japanese text are written in digits: those before a counter that takes figures, and those read one by one.

一人, 二つ, 十分, 五十嵐 and 八百屋 are words; they stay.
"""

from __future__ import annotations

import re

from engine.speech.itn.mandarin_numerals import digits_of, written_japanese
from engine.speech.unspaced import KANA_LETTERS

_KANA = re.compile(f"[{KANA_LETTERS}]")
_COUNTERS = re.compile(
    "年|月|日|时|分|秒|円|歳|才|人|個|个|本|枚|回|度|台|階|号|番|件|匹|冊|杯|点|万人|パーセント|キロ|メートル|センチ|グラム|ドル|ポイント|%|世紀|世代|億"
)
_AFTER_TEN = re.compile("年|月|日|时|円|人|個|个|分間|秒|歳")
_HOUR = re.compile("时(?:半|[一二三四五六七八九十]+分)")
_OF_DAY = re.compile("(?:午前|午後|正午|朝|夜|夕方)$")
_MONTH_AND_DAY = re.compile("月[一二三四五六七八九十]+日")
_OF_MONTH = re.compile("[一二三四五六七八九十]月$")
_NO_NUMBER_BEFORE = re.compile(r"(?:[数何幾几第]|[0-9][.,:]?)$")
_NO_NUMBER_AFTER = re.compile(r"[数何几0-9]")
_OF_HOUR = re.compile("[一二三四五六七八九十0-9]时$")
_FEWEST_DIGITS = 3
_FEWEST_DECIMALS = 2
_CONTEXT = 8


def is_japanese(text: str) -> bool:
    """Whether a text holds kana."""
    return _KANA.search(text) is not None


def japanese_number(text: str, span: tuple[int, int]) -> str | None:
    """What the numerals at ``span`` are written as; None where their reading is not sure."""
    first, last = span
    run, before, after = text[first:last], text[max(0, first - _CONTEXT) : first], text[last : last + _CONTEXT]
    if _NO_NUMBER_BEFORE.search(before) or _NO_NUMBER_AFTER.match(after):
        return None
    whole, point, fraction = run.partition("点")
    digits = digits_of(fraction if point else run)
    if point:  # 三点一 may be three points and one
        value = digits_of(whole) if len(whole) == 1 else written_japanese(whole)
        return f"{value}.{digits}" if digits and value and value.isdigit() and len(digits) >= _FEWEST_DECIMALS else None
    if digits is not None and len(run) > 1:
        return digits if len(run) >= _FEWEST_DIGITS or run[0] in "零〇" else None
    if len(run) == 1:
        return written_japanese(run) if _is_single_number(run, before, after) else None
    return written_japanese(run) if _COUNTERS.match(after) else None


def _is_single_number(numeral: str, before: str, after: str) -> bool:
    """A numeral alone is one in a date or a time of day, in 十時 and in 千円."""
    if numeral in "百千":
        return after.startswith("円")
    if _MONTH_AND_DAY.match(after) or (_OF_MONTH.search(before) and after.startswith("日")):
        return True
    if _HOUR.match(after) or (_OF_DAY.search(before) and after.startswith("时")) or (_OF_HOUR.search(before) and after.startswith("分")):
        return True
    return numeral == "十" and _AFTER_TEN.match(after) is not None
