"""Number words become digits; words that only look like numbers stay."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.itn import apply_itn

ROOT = Path(__file__).resolve().parents[2]
DIGITS_EN = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
DIGITS_ZH = "零一二三四五六七八九"


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("one two three", "123"),
        ("twenty five", "25"),
        ("Twenty-Five", "25"),
        ("three one four", "314"),
        ("zero zero seven", "007"),
        ("nine one one", "911"),
        ("I have twenty three apples", "I have 23 apples"),
        ("nineteen ninety nine", "1999"),
        ("twenty nineteen", "2019"),
        ("two thousand and nineteen", "2019"),
        ("twenty one two", "212"),
        ("one hundred and five", "105"),
        ("one million two hundred thousand and five", "1200005"),
        ("three hundred sixty five four", "365 4"),
        ("thirty two point one four", "32.14"),
        ("thirty seconds", "30 seconds"),
        ("twenty five and three one four", "25 and 314"),
        ("三十度", "30度"),
        ("二零一九年", "2019年"),
        ("九八年", "98年"),
        ("三一四", "314"),
        ("三五", "35"),
        ("幺幺零", "110"),
        ("我有二十三个苹果", "我有23个苹果"),
        ("一千零五十", "1050"),
        ("两百五", "250"),
        ("三万", "3万"),
        ("三千万人", "3000万人"),
        ("一万两千", "12000"),
        ("三点一四", "3.14"),
        ("三点零零", "3.00"),
        ("百分之五十", "50%"),
        ("百分之三点五", "3.5%"),
        ("一九四九年十月一日", "1949年10月1日"),
        ("两点半", "2点半"),
        ("三点二十分", "3点20分"),
        ("他十岁", "他10岁"),
        ("请打一三八零零一三八零零零", "请打13800138000"),
        ("twenty five 二十五", "25 25"),
    ],
)
def test_numbers_are_written_in_digits(spoken: str, written: str) -> None:
    assert apply_itn(spoken) == written
    assert apply_itn(written) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello world",
        "  two  spaces  ",
        "one of them",
        "no one knows",
        "someone",
        "one's own",
        "first of all",
        "twenty first century",
        "on may fifth",
        "a hundred people",
        "one hundred two hundred",
        "two or three people",
        "point five",
        "three billion billion billion billion",
        "一起",
        "一个",
        "一样",
        "不一样",
        "万一",
        "千万不要",
        "亿零",
        "星期一",
        "一点点",
        "十分好",
        "十全十美",
        "一心一意",
        "三三两两",
        "一五一十",
        "不管三七二十一",
        "五六个人",
        "七八十",
        "两三百",
        "二十几岁",
        "二百二十几",
        "四川",
        "李四",
        "百分之百",
    ],
)
def test_what_is_no_number_stays(text: str) -> None:
    assert apply_itn(text) == text


@given(st.lists(st.integers(0, 9), min_size=2, max_size=40))
def test_digits_read_one_by_one_become_one_number(digits: list[int]) -> None:
    written = "".join(map(str, digits))
    assert apply_itn(" ".join(DIGITS_EN[digit] for digit in digits)) == written
    assert apply_itn("".join(DIGITS_ZH[digit] for digit in digits)) == written


WORDS = (*DIGITS_EN, "ten", "twelve", "twenty", "ninety", "hundred", "thousand", "million", "and", "point", "third", "one's", "apples")


@given(
    st.one_of(
        st.lists(st.sampled_from(WORDS)).map(" ".join), st.text("零〇一二两三九幺十百千万亿点百分之几月日年号人", max_size=12), st.text()
    )
)
def test_any_text_is_answered_and_a_written_one_stays(text: str) -> None:
    written = apply_itn(text)
    assert apply_itn(written) == written


def test_the_libraries_are_loaded_by_the_first_number_alone() -> None:
    code = (
        "import sys\nfrom engine.itn import apply_itn\n"
        "apply_itn('one of them 一起')\nprint([name for name in ('text_to_num', 'cn2an') if name in sys.modules])\n"
        "apply_itn('twenty five 二十五')\nprint([name for name in ('text_to_num', 'cn2an') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n") == ["[]", "['text_to_num', 'cn2an']", ""]
