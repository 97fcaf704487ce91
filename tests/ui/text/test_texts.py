"""Every visible word in one file, in both languages."""

from __future__ import annotations

import re
from pathlib import Path
from string import Formatter
from types import SimpleNamespace

import pytest

from engine.tags import TAG_POSITIONS, TextNorm
from ui.text.texts import CHINESE, ENGLISH, TEXTS, Texts, browser_translations, label, preferred_language, texts_for

UI = Path(__file__).resolve().parents[3] / "ui"
SOURCES = {path.relative_to(UI).as_posix(): path.read_text(encoding="utf-8") for path in UI.rglob("*.py") if path.parent.name != "examples"}
USED = re.compile(r"""(?:texts|label)\(\s*f?["']([a-z]+\.[^"']+)["']""")


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("key", TEXTS)
def test_every_text_has_both_languages_with_the_same_blanks(key: str) -> None:
    english, chinese = TEXTS[key]
    assert english.strip()
    assert chinese.strip()
    assert placeholders(english) == placeholders(chinese)


def test_every_text_that_the_page_asks_for_is_there_and_none_lies_about_unused() -> None:
    asked = {key for source in SOURCES.values() for key in USED.findall(source)}
    exact = {key for key in asked if "{" not in key}
    families = {key.split("{")[0] for key in asked if "{" in key}
    assert exact <= set(TEXTS)
    # Written through a name of their own: error classes, stages, the banner's facts.
    indirect = ("error.", "stage.", "banner.", "light.o", "tag.", "cause.")
    unused = [key for key in TEXTS if key not in exact and not key.startswith((*families, *indirect))]
    assert unused == []


def test_no_chinese_is_written_outside_the_file_of_texts() -> None:
    chinese = re.compile("[\u4e00-\u9fff]")
    found = {name for name, source in SOURCES.items() if chinese.search(source)}
    # Beside the texts: languages' own names, the same for every reader.
    assert found == {"text/texts.py", "widgets/recording_form.py", "api/transcription_request.py"}


@pytest.mark.parametrize("tag", [tag.value for family in TAG_POSITIONS if family is not TextNorm for tag in family])
def test_every_tag_has_a_name(tag: str) -> None:
    assert f"tag.{tag}" in TEXTS


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


def test_an_unknown_key_is_an_error_and_never_shown() -> None:
    with pytest.raises(KeyError):
        Texts("en")("no.such")
    with pytest.raises(KeyError):
        label("no.such")


def test_the_browser_gets_the_same_words() -> None:
    translations = browser_translations().translations_dict
    assert translations["en"]["form.run"] == TEXTS["form.run"][0]
    assert translations["zh-CN"]["form.run"] == translations["zh"]["form.run"] == TEXTS["form.run"][1]


def test_a_tag_from_a_newer_bundle_is_shown_as_it_is() -> None:
    assert Texts("en").tag("CURIOUS") == "CURIOUS"
