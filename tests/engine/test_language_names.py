"""What people and programs call a language, and what stays an error."""

from __future__ import annotations

import pytest

from engine.errors import UnknownLanguageError
from engine.tags import LANGUAGE_CHOICES, parse_language

KNOWN = {
    "auto": ["auto", "AUTO", " auto ", "und", "自动"],
    "zh": [
        "zh", "ZH", "zh-CN", "zh_CN", "zh-TW", "zh-Hans", "zh-Hant-TW", "zh-cmn-Hans-CN", "cmn", "cmn-Hant-HK", "zho", "chi", "zh_CN.UTF-8",
        "chinese", "Chinese", "Mandarin", "Mandarin Chinese", "Chinese (Simplified)", "Chinese (Traditional, Taiwan)", "Chinese, Mandarin",
        "中文", "普通话", "國語", "简体中文", "漢語",
    ],
    "yue": [
        "yue", "yue-HK", "yue-Hant-HK", "zh-yue", "zh-HK", "zh-Hant-HK", "zh_MO", "cantonese", "CANTONESE", "Chinese (Cantonese)",
        "Chinese (Hong Kong)", "Chinese, Cantonese", "粤语", "粵語", "广东话", "廣東話",
    ],
    "en": [
        "en", "EN", "en-US", "en-us", "en_GB", "eng", "en-GB-oxendict", "en_US.UTF-8", "en_GB@euro",
        "english", "English (US)", "English (Hong Kong)", "英语", "英文",
    ],
    "ja": ["ja", "ja-JP", "JA_jp", "jpn", "Japanese", "日本語", "日语", "ｊａ"],
    "ko": ["ko", "ko-KR", "kor", "KOREAN", "한국어", "韩语", "조선말"],
}  # fmt: skip


@pytest.mark.parametrize(("text", "language"), [(text, language) for language, texts in KNOWN.items() for text in texts])
def test_a_tag_or_a_name_is_understood(text: str, language: str) -> None:
    assert parse_language(text) == language


@pytest.mark.parametrize(
    "text",
    [
        "zn", "zn-CN", "cn", "jp", "kr", "de", "de-DE", "german", "nospeech", "", " ", "zh-", "-zh", "en-", "en--US", "en US",
        "english breakfast",
        "zh-nan", "zh-min-nan", "zh-wuu", "nan", "wuu", "chinese and english", "en,zh", "en-US,en;q=0.9", "<|zh|>", "zhongwen?",
        "en-toolongsubtag",
        "German (English)", "English (Japanese)", "English, Japanese", "()", "chinese(", "None", "null",
    ],
)  # fmt: skip
def test_what_is_no_language_of_ours_is_an_error_with_the_remedy(text: str) -> None:
    with pytest.raises(UnknownLanguageError, match="choose one of auto, zh, en, yue, ja, ko") as caught:
        parse_language(text)
    assert repr(text) in str(caught.value)


def test_every_choice_stands_for_itself() -> None:
    assert [parse_language(choice) for choice in LANGUAGE_CHOICES] == list(LANGUAGE_CHOICES)
