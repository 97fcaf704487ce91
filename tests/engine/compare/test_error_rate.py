"""CER and WER against a reference, and the cases in which a rate would say nothing."""

from __future__ import annotations

import pytest

from engine.compare.error_rate import EMPTY_REFERENCE, OTHER_SCRIPT, normalize_text, score_against, scripts_of


@pytest.mark.parametrize(
    ("reference", "transcript", "cer", "wer"),
    [
        ("one two three four", "one too three", 6 / 18, 2 / 4),
        ("Don't stop, Ｍary!", "dont stop mary", 0.0, 0.0),
        ("ab", "", 1.0, 1.0),
        ("a", "a b c", 4.0, 2.0),
        ("12 34", "12 35", 1 / 5, 1 / 2),
        ("안녕 하세요", "안녕 하세오", 1 / 6, 1 / 2),
    ],
)
def test_rates_of_spaced_scripts(reference: str, transcript: str, cer: float, wer: float) -> None:
    score = score_against(reference, transcript)
    assert score.cer is not None
    assert score.wer is not None
    assert (score.cer.rate, score.wer.rate) == pytest.approx((cer, wer))
    assert score.reason is None


def test_edits_are_counted_by_kind() -> None:
    score = score_against("a b c d e", "a x d e f")
    assert score.to_dict()["wer"] == {"rate": 0.6, "substitutions": 1, "deletions": 1, "insertions": 1, "length": 5}


def test_scripts_without_spaces_have_no_words_to_count() -> None:
    score = score_against("今天，天气 很好。", "今天天气很坏")
    assert score.cer is not None
    assert score.cer.rate == pytest.approx(1 / 6)
    assert score.wer is None


@pytest.mark.parametrize(("reference", "transcript"), [("三一四", "three one four"), ("привет", "one two"), ("hello", "안녕하세요")])
def test_another_script_is_said_and_not_counted(reference: str, transcript: str) -> None:
    assert score_against(reference, transcript).to_dict() == {"cer": None, "wer": None, "reason": OTHER_SCRIPT}


@pytest.mark.parametrize(
    ("reference", "transcript"), [("我爱OpenAI公司的产品", "我爱公司的产品"), ("3.14", "three"), ("今日は", "今日"), ("three", "")]
)
def test_scripts_that_share_something_are_compared(reference: str, transcript: str) -> None:
    assert score_against(reference, transcript).cer is not None


@pytest.mark.parametrize("reference", ["", "  \n", "。，!?", "…"])
def test_a_reference_without_words_has_no_rate(reference: str) -> None:
    assert score_against(reference, "one").to_dict() == {"cer": None, "wer": None, "reason": EMPTY_REFERENCE}


def test_one_foreign_name_does_not_change_the_script() -> None:
    assert scripts_of("今天我们去看一场很好看的电影然后回家吃饭睡觉 X") == {"CJK"}
    assert scripts_of("12 34") == frozenset()
    assert normalize_text("Well-known — “Ｏne”.") == "well known one"
