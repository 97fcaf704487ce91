"""What holds of every text: numbers said and written are the same, the rest stays, twice is once, a long text costs no more a word."""

from __future__ import annotations

import re
import sys

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from engine.speech.itn.itn import apply_itn, changes

DIGITS_EN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEENS_EN = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
TENS_EN = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
DIGITS_ZH = "零一二三四五六七八九"
WORDS = (
    *DIGITS_EN, *TEENS_EN, *TENS_EN[2:], "hundred", "thousand", "million", "and", "a", "point", "dot", "oh", "double", "third", "second",
    "twenty", "one's", "apples", "pm", "percent", "to", "or", "past", "half", "quarter", "may", "march", "in", "room",
    "eighties", "hundreds", "o'clock", "dollars", "the", "first", "twelfth", "of", "25", "3.5", "minus",
)  # fmt: skip
NUMERAL_TEXT = "零〇一二两三九幺十百千万亿点百分之几月日年号人个块度到至半刻第周初后多来两負萬です時円 .5"


def said_in_english(value: int, *, with_and: bool) -> str:
    """A number below 10¹² as English says it."""
    for scale, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand")):
        if value >= scale:
            head, rest = divmod(value, scale)
            more = "" if not rest else f" {'and ' if with_and and rest < 100 else ''}{said_in_english(rest, with_and=with_and)}"
            return f"{said_in_english(head, with_and=with_and)} {name}{more}"
    if value >= 100:
        rest = value % 100
        joint = " and " if with_and else " "
        return f"{DIGITS_EN[value // 100]} hundred" + (joint + said_in_english(rest, with_and=with_and) if rest else "")
    if value >= 20:
        return TENS_EN[value // 10] + (f" {DIGITS_EN[value % 10]}" if value % 10 else "")
    return TEENS_EN[value - 10] if value >= 10 else DIGITS_EN[value]


def said_in_mandarin(value: int) -> str:
    """A number below 10¹² as Mandarin says it, by replacing digits with digit and scale and then mending the zeros."""
    groups, scales = [], ("", "万", "亿")
    while value:
        value, group = divmod(value, 10_000)
        said = "".join(
            DIGITS_ZH[int(digit)] + (scale if digit != "0" else "") for digit, scale in zip(f"{group:04}", "千百十 ", strict=True)
        )
        groups.append(re.sub("零+$", "", re.sub("零+", "零", said.replace(" ", ""))) if group else "零")
    joined = "".join(group + (scales[place] if group != "零" else "") for place, group in reversed(list(enumerate(groups))))
    return re.sub("^一十", "十", re.sub("零+", "零", joined).strip("零"))


def value_of(written: str) -> int:
    """The value of digits with 万, 亿 or an English scale after them."""
    factors = {"万": 10**4, "亿": 10**8, " million": 10**6, " billion": 10**9}
    parts = re.findall(r"(\d+)(万|亿| million| billion|)", written)
    assert "".join(map("".join, parts)) == written
    return sum(int(digits) * factors.get(scale, 1) for digits, scale in parts)


@given(st.integers(10, 10**12 - 1), st.booleans())
def test_a_number_said_in_english_comes_back(value, with_and):
    assume(with_and or value > 99)
    assert value_of(apply_itn(said_in_english(value, with_and=with_and))) == value


@given(st.integers(12, 10**12 - 1))
def test_a_number_said_in_mandarin_comes_back(value):
    said = said_in_mandarin(value)
    assume(said != "二百五")  # also a fool
    assert value_of(apply_itn(f"{said}个").removesuffix("个")) == value
    assert value_of(apply_itn(f"第{said}").removeprefix("第")) == value


@given(st.lists(st.integers(0, 9), min_size=3, max_size=40))
def test_digits_read_one_by_one_become_one_number(digits):
    written = "".join(map(str, digits))
    assert apply_itn(" ".join(DIGITS_EN[digit] for digit in digits)) == written
    spoken = "".join(DIGITS_ZH[digit] for digit in digits)
    if written != "7788":  # 七七八八 is also a saying
        assert apply_itn(f"号码是{spoken}") == f"号码是{written}"


@given(st.integers(0, 999), st.lists(st.integers(0, 9), min_size=1, max_size=6))
def test_a_decimal_comes_back(whole, fraction):
    decimals = "".join(map(str, fraction))
    english = f"it is {said_in_english(whole, with_and=True)} point {' '.join(DIGITS_EN[digit] for digit in fraction)}"
    assert apply_itn(english) == f"it is {whole}.{decimals}"
    mandarin = (said_in_mandarin(whole) or "零") + "点" + "".join(DIGITS_ZH[digit] for digit in fraction)
    assert apply_itn(f"约{mandarin}公里") == f"约{whole}.{decimals}公里"


@given(st.integers(1300, 2099))
def test_a_year_comes_back(year):
    century, rest = divmod(year, 100)
    assume(rest > 9)
    spoken = f"in {said_in_english(century, with_and=True)} {said_in_english(rest, with_and=True)}"
    assert apply_itn(spoken) == f"in {year}"
    assert apply_itn("".join(DIGITS_ZH[int(digit)] for digit in str(year)) + "年") == f"{year}年"


@given(st.integers(1, 12), st.integers(10, 59))
def test_a_time_of_day_comes_back(hour, minute):
    said = f"{said_in_english(hour, with_and=True)} {said_in_english(minute, with_and=True)} pm"
    assert apply_itn(said) == f"{hour}:{minute} pm"
    mandarin = f"下午{said_in_mandarin(hour)}点{said_in_mandarin(minute)}分"
    assert apply_itn(mandarin) == f"下午{hour}点{minute}分"


@given(st.integers(1, 99))
def test_a_percentage_comes_back(value):
    assert apply_itn(f"{said_in_english(value, with_and=True)} percent") == f"{value}%"
    assert apply_itn(f"百分之{said_in_mandarin(value)}") == f"{value}%"


@given(st.text())
def test_a_text_without_number_words_is_unchanged(text):
    without = re.sub("[零〇一二两兩三四五六七八九幺十百千万萬亿億]", "", text)
    assume(not re.search("|".join([*DIGITS_EN, *TEENS_EN, *TENS_EN[2:], "hundred", "thousand", "million", "th"]), without.lower()))
    assert apply_itn(without) == without


@settings(max_examples=400)
@given(
    st.one_of(
        st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join),
        st.text(NUMERAL_TEXT, max_size=14),
        st.lists(st.one_of(st.sampled_from(WORDS), st.text(NUMERAL_TEXT, max_size=4)), max_size=8).map("".join),
        st.text(),
    )
)
def test_any_text_is_answered_and_a_written_one_stays(text):
    written = apply_itn(text)
    assert apply_itn(written) == written


NUMBER_WORDS = re.compile(
    f"(?:[零〇一二两兩三四五六七八九幺十百千万萬亿億点點分之到至块塊度]|"
    f"{'|'.join([*DIGITS_EN, *TEENS_EN, *TENS_EN[2:]])}|hundreds?|thousand|[mb]illion|and|point|dot|oh|double|triple|per ?cent|"
    r"[a-z]+(?:ies|th)|first|second|third|tens|\b[ao]\b|[ -])+",
    re.IGNORECASE,
)


@settings(max_examples=400)
@given(st.lists(st.one_of(st.sampled_from(WORDS), st.text(NUMERAL_TEXT, max_size=6)), max_size=12).map(" ".join))
def test_only_number_words_are_changed_and_each_change_holds_a_digit(text):
    last = 0
    for change in changes(text):
        assert last <= change.first < change.last
        assert NUMBER_WORDS.fullmatch(text[change.first : change.last])
        assert re.search(r"\d", change.written)
        last = change.last


PHRASES = [
    "i have twenty five apples on may fifth and three to five thousand or ten percent ",
    "我有二十五个苹果和三百块钱今天是三月五号三点一刻",
    "one ", "double ", "one hundred and ", "ten to ", "point one ", "oh one ", "a hundred ", "a ", "one two to ",
    "一", "一点", "三千", "百分之五到", "五分之", "かな二十",
]  # fmt: skip


@pytest.mark.parametrize("phrase", PHRASES)
def test_an_hour_of_text_takes_as_many_steps_a_word_as_a_minute(phrase):
    """The function calls for four times the text, counted: they grow as the text does."""

    def calls(text: str) -> int:
        count = 0

        def counted(_frame: object, event: str, _argument: object) -> None:
            nonlocal count
            count += event in {"call", "c_call"}

        before = sys.getprofile()
        sys.setprofile(counted)
        try:
            apply_itn(text)
        finally:
            sys.setprofile(before)
        return count

    apply_itn(phrase)  # loads the rules
    short, long = phrase * 100, phrase * 400
    assert calls(long) <= 5 * calls(short)
    hour = phrase * (60_000 // len(phrase))
    assert len(apply_itn(hour)) > 0
