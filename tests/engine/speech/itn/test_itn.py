"""Numbers that are sure become digits; what may mean something else stays in words.

``itn_right_answers.tsv`` was written before the rules, for choosing between them and other libraries (benchmarks/itn.py); the lists here
are what was found while trying to break them.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.itn import right_answers
from engine.speech.itn.itn import apply_itn

ROOT = Path(__file__).resolve().parents[4]
ROWS = right_answers()


@pytest.mark.parametrize("row", ROWS, ids=[row.spoken for row in ROWS])
def test_the_table_of_right_answers_holds(row):
    assert apply_itn(row.spoken) == row.answers[0]
    assert apply_itn(row.answers[0]) == row.answers[0]


def test_the_table_is_large_and_no_row_is_there_twice():
    assert len({row.spoken for row in ROWS}) == len(ROWS) >= 120


@pytest.mark.parametrize(
    ("spoken", "written"),
    [
        ("twenty five and three one four", "25 and 314"),
        ("between one hundred and fifty and two hundred", "between 150 and 200"),
        ("one hundred and twenty thousand", "120000"),
        ("one twenty over eighty", "one twenty over 80"),
        ("twenty to two hundred", "20 to 200"),
        ("two to three million", "two to 3 million"),
        ("one or two percent", "1 or 2%"),
        ("ten to twelve percent", "10 to 12%"),
        ("twenty per cent", "20%"),
        ("the twenty tens", "the 2010s"),
        ("in ten sixty six", "in 1066"),
        ("the war of eighteen twelve", "the war of 1812"),
        ("september eleventh two thousand one", "september 11th 2001"),
        ("forty second street", "42nd street"),
        ("seven fifteen p.m.", "7:15 p.m."),
        ("ten thirty a m", "10:30 a m"),
        ("room twelve oh four", "room 1204"),
        ("boeing seven forty seven", "boeing 747"),
        ("beverly hills nine oh two one oh", "beverly hills 90210"),
        ("oh five five five one two three four", "05551234"),
        ("eight dot eight dot eight dot eight", "8.8.8.8"),
        ("one point two billion dollars", "1.2 billion dollars"),
        ("twenty-five-year-old", "25-year-old"),
        ("Nineteen Ninety-Nine", "1999"),
        ("one hundred, two hundred", "100, 200"),
        ("three point zero", "3.0"),
        ("公元前二二一年", "公元前221年"),
        ("二零一八到二零二零年", "2018到2020年"),
        ("百分之一点五到二", "1.5%到2%"),
        ("百分之三至百分之五", "3%至5%"),
        ("从百分之五十升到百分之六十", "从50%升到60%"),
        ("下午三点到五点", "下午3点到五点"),
        ("零点三十分", "0点30分"),
        ("零点零一", "0.01"),
        ("一点五个小时", "1.5个小时"),
        ("两点五万", "2.5万"),
        ("三百零二亿", "302亿"),
        ("两亿五千万", "2亿5000万"),
        ("一亿五", "1.5亿"),
        ("五十到一百", "50到100"),
        ("十二月二十五", "12月25"),
        ("二零二六年三月二十五", "2026年3月25"),
        ("十一月十一", "11月11"),
        ("版本号一点零", "版本号1.0"),
        ("windows十一", "windows11"),
        ("〇三の一二三四の五六七八です", "03の1234の5678です"),
        ("八月十五号", "8月15号"),
        ("二百五十块", "250块"),
        ("三點十五分", "3點15分"),
        ("三百塊", "300塊"),
        ("pm二点五", "pm2.5"),
        ("一二三四五六", "123456"),
        ("电话七七八八九九零", "电话7788990"),
        ("十万分之一", "1/100000"),
        ("one hundred point zero", "100.0"),
        ("ten to three thirty pm", "10 to 3:30 pm"),
        ("十時です", "10時です"),
        ("八時五分です", "8時5分です"),
        ("二十三時三十分です", "23時30分です"),
    ],
)
def test_numbers_that_are_sure_are_written_in_digits(spoken, written):
    assert apply_itn(spoken) == written
    assert apply_itn(written) == written


@pytest.mark.parametrize(
    "text",
    [
        "",
        "  two  spaces  ",
        "three to five thousand",
        "twenty to thirty thousand",
        "between three and four hundred",
        "one hundred and first airborne",
        "one hundred thousandth",
        "hundred and twenty",
        "a few thousand two hundred",
        "point five percent",
        "two oh",
        "five five",
        "zero one",
        "half twelve",
        "ten to one pm",
        "half past ten pm",
        "two million point two million",
        "twenty to twelve",
        "minutes to twelve",
        "seven ten",
        "one eight hundred five five five one two three four",
        "nine ninety nine",
        "nineteen ninety five dollars",
        "a three twenty",
        "hindsight is twenty twenty",
        "thirty second",
        "one twenty first",
        "the o two",
        "oh nine",
        "3.twenty five",
        "twenty.5",
        "twenty十个",
        "三到五千",
        "一到两千人",
        "三五",
        "五四",
        "十二分的满意",
        "星期二十点半",
        "周二二十点",
        "初一到十五",
        "十月一",
        "十月二十",
        "十人十色ですね",
        "sixteen thirty",
        "forty niners",
        "in room two three people",
        "gate ten eleven",
        "bus one two",
        "十一二岁",
        "一百五一斤",
        "正月十五",
        "八月十五",
        "大年三十",
        "十五的月亮",
        "千儿八百",
        "七零八零后",
        "三点零零",
        "下午三点五",
        "八点五分",
        "两点五",
        "三分之一百",
        "每周二十个",
        "平均三四百",
        "一起",
        "不一样",
        "亿零",
        "十二边形",
        "百八十",
        "三日月です",
        "八百万の神",
        "五百四十二三です",
    ],
)
def test_what_may_mean_something_else_stays_in_words(text):
    assert apply_itn(text) == text


def test_the_rules_are_loaded_by_the_first_text_alone():
    code = (
        "import sys\nimport engine.speech.recognizer, engine.speech.words\nfrom engine.speech.itn.itn import apply_itn\n"
        "loaded = lambda: sorted(set(sys.modules) & {'engine.speech.itn.english_numbers', 'engine.speech.itn.mandarin_numbers'})\n"
        "print(loaded())\napply_itn('twenty five 二十五')\nprint(loaded())"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "['engine.speech.itn.english_numbers', 'engine.speech.itn.mandarin_numbers']"]


def test_the_documentation_shows_what_the_rules_do():
    table = (ROOT / "docs" / "itn.md").read_text(encoding="utf-8").split("\n|---|---|\n")[1].split("\n\n")[0]
    cells = [row.strip("|").split("|") for row in table.splitlines()]
    written = [example.split(" → ") for left, _ in cells for example in left.strip().split(", ")]
    assert {spoken: apply_itn(spoken) for spoken, _ in written} == dict(written)
    kept = [example for _, right in cells for example in right.strip().split(", ")]
    assert len(kept) > 30 and [apply_itn(text) for text in kept] == kept
