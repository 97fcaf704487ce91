"""Which Chinese numerals are written in digits: those whose reading is sure by their form and by their neighbours.

几十个 and 三四个 are estimates, 一点 is a bit or one o'clock, 十分 is very or ten minutes, 一心一意 no number at all: such words stay,
and so do single numerals outside dates, times and percentages (一个). Dates, times and money keep their words around the digits.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise

from engine.speech.itn.itn_change import Change
from engine.speech.itn.japanese_numbers import is_japanese, japanese_number
from engine.speech.itn.mandarin_numerals import NUMERALS, SIMPLIFIED, digits_of, value_of, written
from engine.speech.itn.mandarin_points import hour, with_points
from engine.speech.unspaced import HAN_AND_BETWEEN

#: Sayings and names that look like numbers; they are matched first and kept.
_SAYINGS = (
    "一点一滴|一点一点|一五一十|三三两两|七七八八|三七二十一|八九不离十|二百五(?![十百千万亿])|三十六计|七十二变|五十步笑百步|十万八千里|十万火急|三百六十行|"
    "不怕一万|千千万万|九一八事变|一二八事变|一二九运动|五一二地震|十三陵|十八般武艺|三十而立|四十不惑|五十知天命|十月怀胎|十年树木|十天半个?月|"
    "十年八年|十天八天|十年如一日|十年寒窗|十年河[东西]|三十年河[东西]|十人十色|十中八九|五十歩百歩|一百单八将|一百零八将|一千零一夜|二十四史|二十四孝|千儿八百|百儿八十|万儿八千|十万分(?!之)|十二分(?=[的地满努感])|一二三四五六七八九十[百千万]*|一二三木头人|九九八十一难|二十四桥"
)
_PHRASE = re.compile(
    rf"(?P<saying>(?:{_SAYINGS})(?![{NUMERALS}]))|(?:(?P<denominator>[{NUMERALS}]+)分之)?(?P<run>[{NUMERALS}]+(?:点[{NUMERALS}]+)*)"
    r"(?P<tail>[块度][一二三四五六七八九](?=$|[\s，。！？、；,.!?;的了吧呢吗啊钱左]))?"
)
_UNTIL = re.compile(rf"(?P<to>[到至])(?:百分之)?(?P<run>[{NUMERALS}]+(?:点[{NUMERALS}]+)?)")
_COUNTED = (
    "年月日号点分秒时天周岁个只条张本块元角毛斤两吨克米里尺寸度层楼户家间座栋辆台部架艘匹头名位人口次遍回趟场届章节页集期季级班排列步倍码版卷篇首句题代世公千毫厘平立"
    "英美欧港线室房床桌组对双套份件瓶杯碗盒箱包袋颗粒棵朵根支枝把片幅顶道种样类项门所员伏瓦安赫兆亩顷海小刻钟强比折"
)
_MEASURE = re.compile(f"[{_COUNTED}]")
#: Before a measure or the end of a phrase two numerals are a number; within other words they may be a name (十三陵).
_AFTER_SHORT = re.compile(rf"$|[^{HAN_AND_BETWEEN}]|[{_COUNTED}后多来余胜负加减乘除等左右以之到至和与或及了吧吗呢啊出]")
_AFTER_TEN = re.compile(
    "月(?![一二三四五六七八九](?:$|[^日号])|十)|[年日号岁度点天个块元米斤页楼人名位]|分钟|小时|公里|公斤|美元|[到至][二三四五六七八九]?十"
)
_DAY = re.compile("[日号]")
_MONTH_AND_DAY = re.compile(rf"月[{NUMERALS}]+[日号]")
_OF_YEAR = re.compile(rf"[{NUMERALS}0-9]年$")
_OF_MONTH = re.compile(rf"[{NUMERALS}0-9]月$")
#: 周二十点 is Tuesday at ten; days of the old calendar (正月十五) are written in words.
_WEEKDAY = re.compile("(?:周|星期|礼拜)$")
_OLD_MONTH = re.compile("(?:[正腊冬]月|大年|(?:^|[^十0-9年])[一二三四五六七八九十]月)$")
#: 三到五千 are 3000 to 5000: two numbers with one scale.
_SHARED_SCALE = re.compile("(?:^|[^十百千万亿一二两三四五六七八九])(?P<one>[一二两三四五六七八九])[到至或]$")
_NO_NUMBER_BEFORE = re.compile(r"(?:[几数好初双]|初[一二三四五六七八九十]+[到至]|[0-9][.,:/]?|[又])$")
_NO_NUMBER_AFTER = re.compile(r"[几数0-9]|[.,:][0-9]")
_GENERATION = re.compile("[五六七八九零〇][零〇五]")
_PER = {"百": "%", "千": "‰"}
_FEWEST_DIGITS = 3  # 五六个人 are five or six; three digits in a row were read one by one
_CONTEXT = 8  # characters looked at on either side


def mandarin_changes(text: str) -> Iterator[Change]:
    """The numbers of a text that are sure, in order; by the rules of Japanese where the text holds kana."""
    plain = text.translate(SIMPLIFIED)
    japanese = is_japanese(plain)
    place = 0
    while found := _PHRASE.search(plain, place):
        place, said = found.end(), None
        if not found["saying"]:
            place, said = (found.end("run"), japanese_number(plain, found.span("run"))) if japanese else _phrase(plain, found)
        if said is not None:
            yield Change(found.start(), place, _as_in_text(said, text[found.start() : place]))


def _as_in_text(said: str, spoken: str) -> str:
    """Traditional 萬, 億, 點 and 塊 where the text has them."""
    return said.translate({SIMPLIFIED[ord(one)]: one for one in spoken if ord(one) in SIMPLIFIED})


def _phrase(plain: str, found: re.Match[str]) -> tuple[int, str | None]:
    """Where a phrase ends and what it is written as; None where its reading is not sure."""
    run, end = found["run"], found.end("run")
    before, after = plain[max(0, found.start() - _CONTEXT) : found.start()], plain[end : end + _CONTEXT]
    if _NO_NUMBER_BEFORE.search(before) or _NO_NUMBER_AFTER.match(after):
        return end, None
    if _WEEKDAY.search(before) and len(run.partition("点")[0]) > 1:
        return end, None
    if found["denominator"]:
        return _fraction(plain, found)
    if "点" in run:
        return end, with_points(run.split("点"), before, after)
    said = _number(run, before, after)
    tail = found["tail"]
    if said is not None and tail:
        return found.end(), f"{said}{tail[0]}{value_of(tail[1])}"
    return end, said


def _number(numerals: str, before: str, after: str) -> str | None:
    if after.startswith("点"):
        of_hour = hour(numerals, before, after)
        if of_hour is not None or len(numerals) == 1:
            return of_hour or (written(numerals) if numerals == "十" else None)
    if len(numerals) == 1:
        return _single(numerals, before, after)
    if _shares_a_scale(numerals, before) or (_OLD_MONTH.search(before) and not _DAY.match(after)):
        return None
    digits = digits_of(numerals)
    if digits is not None:
        return digits if _is_read_out(numerals, digits, after) else None
    if numerals[0] in "百千万亿" or (numerals == "十一" and not _is_eleven(before, after)):
        return None
    if len(numerals) == 2 and not (before.endswith("第") or _AFTER_SHORT.match(after)):  # noqa: PLR2004 - two numerals
        return None
    return written(numerals)


def _shares_a_scale(numerals: str, before: str) -> bool:
    """Whether the number before 到 is of the same scale: 三到五千."""
    one = _SHARED_SCALE.search(before) if numerals[-1] in "百千" else None
    return one is not None and (value_of(one["one"]) or 0) < (value_of(numerals[0]) or 0)


def _is_eleven(before: str, after: str) -> bool:
    """Whether 十一 is 11 rather than the first of October."""
    return _MEASURE.match(after) is not None or before.endswith(("月", "第")) or (before[-1:].isascii() and before[-1:].isalpha())


def _single(numeral: str, before: str, after: str) -> str | None:
    """十 before a measure, and any numeral of a date that has more than one part."""
    if numeral in "百千万亿两零〇幺":
        return None
    of_date = _MONTH_AND_DAY.match(after) or (_OF_YEAR.search(before) and after.startswith("月"))
    of_day = _OF_MONTH.search(before) and _DAY.match(after)
    return written(numeral) if of_date or of_day or (numeral == "十" and _AFTER_TEN.match(after)) else None


def _is_read_out(numerals: str, digits: str, after: str) -> bool:
    """Whether digits in a row were read one by one, rather than estimated (三五个人, 七八年) or part of a word (五五开)."""
    counts_up = all(int(other) == int(one) + 1 for one, other in pairwise(digits))
    if after.startswith("后"):
        return _GENERATION.fullmatch(numerals) is not None
    if len(numerals) >= _FEWEST_DIGITS:
        return not (counts_up and _MEASURE.match(after))
    return after.startswith("年") and not counts_up and numerals != "三五"


def _fraction(plain: str, found: re.Match[str]) -> tuple[int, str | None]:
    """百分之五十 -> 50%, 百分之三十到五十 -> 30%到50%, 三分之一 -> 1/3."""
    end, denominator = found.end("run"), found["denominator"]
    after = plain[end : end + _CONTEXT]
    part = _part(found["run"], after)
    if part is None:
        return end, None
    if denominator not in _PER:
        whole = value_of(denominator)
        is_fraction = whole and whole > 1 and part.isdigit() and int(part) <= 2 * whole and denominator[0] not in "万亿"
        return end, f"{part}/{whole}" if is_fraction else None
    sign = _PER[denominator]
    until = _UNTIL.match(plain, end) if denominator == "百" else None
    if until is None:
        return end, f"{part}{sign}"
    after = plain[until.end() : until.end() + _CONTEXT]
    other = _part(until["run"], after)
    if "百分之" not in until.group() and _MEASURE.match(after):  # 百分之五十到三百人
        return end, f"{part}{sign}"
    return until.end(), f"{part}{sign}{until['to']}{other}{sign}" if other is not None else None


def _part(run: str, after: str) -> str | None:
    """The number after 分之."""
    if "点" in run:
        return with_points(run.split("点"), "百分之", after) if run.count("点") == 1 and "十" not in run.split("点")[1] else None
    if _NO_NUMBER_AFTER.match(after) or after.startswith("点") or (len(run) > 1 and digits_of(run) is not None):
        return None
    value = value_of(run)
    return str(value) if value is not None and run != "两" else None
