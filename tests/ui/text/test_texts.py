"""Looking texts up: in which language, with which values, and what happens to an unknown key."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ui.text.texts import CHINESE, ENGLISH, Texts, browser_translations, label, preferred_language, read_locale, texts_for


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", CHINESE),
        ("zh", CHINESE),
        ("ZH-tw", CHINESE),
        ("en-US,en;q=0.9,zh;q=0.8", ENGLISH),
        ("de-DE,de;q=0.9", ENGLISH),
        ("", ENGLISH),
        ("zhuang-but-not-really", CHINESE),
        ("*", ENGLISH),
    ],
)
def test_the_first_language_of_the_browser_decides(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_a_request_without_a_language_is_answered_in_english() -> None:
    assert texts_for(None).language == ENGLISH
    assert texts_for(SimpleNamespace(headers={})).language == ENGLISH


def test_values_fill_the_placeholders() -> None:
    assert Texts("en")("light.on", precision="INT8") == "On: requests run in INT8"
    with pytest.raises(KeyError):
        Texts("en")("light.on")


def test_an_unknown_key_is_an_error_and_never_shown() -> None:
    with pytest.raises(KeyError):
        Texts("en")("no.such")
    with pytest.raises(KeyError):
        label("no.such")


def test_the_browser_gets_the_same_words() -> None:
    translations = browser_translations(["tab.live", "form.run"]).translations_dict
    assert {key: text for key, text in translations["en"].items() if key in read_locale(ENGLISH)} == {
        "tab.live": "Live",
        "form.run": "Transcribe",
    }
    assert translations["zh-CN"] == translations["zh"] == translations["zh-TW"]
    assert translations["zh"]["tab.live"] == read_locale(CHINESE)["tab.live"]
    # Gradio's own Chinese lacks this one: a screen reader was told "common.complete".
    assert translations["zh"]["common.complete"] == "已完成"


def test_a_tag_or_stage_from_a_newer_engine_is_shown_as_it_is_or_as_work() -> None:
    assert Texts("en").tag("CURIOUS") == "CURIOUS"
    assert Texts("en").stage("curious") == Texts("en")("stage.other")
