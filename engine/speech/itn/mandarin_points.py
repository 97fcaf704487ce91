"""Chinese numerals around 点: a decimal (三点五万), a time of day (三点二十), a version (二点零点一), or words (便宜一点五块钱)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from engine.speech.itn.mandarin_numerals import READ_OUT, digits_of, value_of
from engine.speech.unspaced import HAN_AND_BETWEEN

OF_DAY = re.compile("(?:上午|下午|中午|晚上|早上|早晨|凌晨|清晨|傍晚|夜里|半夜|午夜|今晚|今早|明早|明晚|昨晚|当晚)$")
#: 一点 is a bit except after these: 便宜一点五块钱 is cheaper by a bit.
_ONE_IS_A_NUMBER = re.compile(rf"(?:^|[^{HAN_AND_BETWEEN}]|[是为约达近到至第本共计重宽乘加减除以于价版号]|百分之)$")
_OCLOCK = re.compile("点(?:半|钟|整)")
_DIVISIBLE = re.compile("个(?:半|小时|钟头|月|百分点|点|星期|工作日|亿)")
_UNDIVIDED = re.compile("[个人位名]")  # 两点三个人 are three people at two
_MEASURE = re.compile("[米元块斤吨克公千毫厘平立英美度倍秒年岁亩寸升瓦伏兆]|个百分点|小时")
_SCALED = re.compile(rf"(?P<digits>[{READ_OUT}]+)(?P<scale>万亿|千万|百万|万|亿|千)?")
_THOUSANDFOLD = re.compile("[克米瓦卡赫焦伏帕]|字节")
_HOURS, _MINUTES = 24, 59
_MINUTE_DIGITS = 2


def hour(numerals: str, before: str, after: str) -> str | None:
    """The hour of 两点半, 八点钟, 下午三点, where ``after`` begins with 点; None where 点 may mean something else."""
    value = value_of(numerals)
    of_day = OF_DAY.search(before) is not None
    if value is None or value > _HOURS or not (_OCLOCK.match(after) or of_day):
        return None
    return str(value) if of_day or after.startswith("点钟") or _is_number(numerals, before) else None


def with_points(parts: Sequence[str], before: str, after: str) -> str | None:
    """The numerals around one 点 or several, in digits; None where they may mean more than one thing."""
    if after.startswith(("点", "几", "多", "分之")) or not (_is_number(parts[0], before) or OF_DAY.search(before)):
        return None
    if len(parts) > 2:  # noqa: PLR2004 - 二点零点一
        digits = [digits_of(part) or "" for part in parts]
        return ".".join(digits) if all(digits) and len(set(parts)) > 1 else None
    return _time(parts[0], parts[1], before, after) or _decimal(parts[0], parts[1], before, after)


def _is_number(numerals: str, before: str) -> bool:
    return numerals != "一" or _ONE_IS_A_NUMBER.search(before) is not None


def _time(hours: str, minutes: str, before: str, after: str) -> str | None:
    """三点二十 -> 3点20, 三点一刻 -> 3点一刻, 下午三点零五 -> 下午3点05; None where it may be a decimal."""
    hour_value, minute_value = value_of(hours), value_of(minutes.removeprefix("零"))
    if hour_value is None or hour_value > _HOURS or minute_value is None or minute_value > _MINUTES:
        return None
    if after.startswith("刻"):
        return f"{hour_value}点{minutes}" if minutes in {"一", "三"} else None
    has_minutes = after.startswith("分") and not after.startswith("分之")
    of_day = OF_DAY.search(before) is not None
    if minutes.startswith("零"):
        is_time = len(minutes) == _MINUTE_DIGITS and (has_minutes or of_day)
        return f"{hour_value}点0{minute_value}" if is_time else None
    if "十" in minutes or (has_minutes and of_day):
        return f"{hour_value}点{minute_value}"
    return None


def _decimal(whole: str, fraction: str, before: str, after: str) -> str | None:
    found = _SCALED.fullmatch(fraction)
    value = digits_of(whole) if len(whole) > 1 else None
    if value is None:
        number = value_of(whole)
        value = None if number is None else str(number)
    if found is None or value is None:
        return None
    digits, scale = digits_of(found["digits"]), found["scale"] or ""
    if scale == "千" and not _THOUSANDFOLD.match(after):
        return None
    measured = bool(scale) or _MEASURE.match(after) is not None or before.endswith("百分之")
    if not measured and (_may_be_a_time(whole, found["digits"], before, after) or whole == "两"):
        return None
    return f"{value}.{digits}{scale}"


def _may_be_a_time(hours: str, fraction: str, before: str, after: str) -> bool:
    """三点零五 may be 3:05, 下午三点五 too; 两点三个人 are three people; 三点五分 is a score or a time."""
    value = value_of(hours)
    if value is None or value > _HOURS or (value == 0 and not after.startswith("分")):
        return False
    if after.startswith(("分", "刻")) or OF_DAY.search(before):
        return True
    if len(fraction) == _MINUTE_DIGITS and fraction[0] in "零〇":
        return True
    return len(fraction) == 1 and _UNDIVIDED.match(after) is not None and not _DIVISIBLE.match(after)
