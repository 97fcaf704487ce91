"""What people and programs call our languages: BCP-47 tags, ISO 639 codes, locales, English names, and the languages' own names.

Whisper's clients send ``english``, Home Assistant ``zh-HK``, a browser ``en-US``, a shell ``zh_CN.UTF-8``, a person 粤语. A name that is
not known here stays unknown: nothing is guessed, so that ``zn`` never becomes ``zh`` or auto.
"""

from __future__ import annotations

import re
import unicodedata

#: Subtags of the spoken language (BCP-47, ISO 639-1, -2 and -3).
_SUBTAGS = {
    "zh": "zh", "zho": "zh", "chi": "zh", "cmn": "zh",
    "yue": "yue",
    "en": "en", "eng": "en",
    "ja": "ja", "jpn": "ja",
    "ko": "ko", "kor": "ko",
    "auto": "auto", "und": "auto",
}  # fmt: skip
#: Regions whose spoken Chinese is Cantonese, unless the tag says Mandarin (cmn).
_CANTONESE_REGIONS = frozenset({"hk", "mo"})
_NAMES = {
    "zh": (
        "chinese", "mandarin", "mandarin chinese", "chinese mandarin", "simplified chinese", "traditional chinese", "putonghua", "guoyu",
        "中文", "汉语", "漢語", "华语", "華語", "普通话", "普通話", "国语", "國語", "简体中文", "簡體中文", "繁体中文", "繁體中文",
        "中国語", "중국어",
    ),
    "yue": (
        "cantonese", "cantonese chinese", "chinese cantonese", "粤语", "粵語", "广东话", "廣東話", "广州话", "廣州話", "広東語", "광둥어",
    ),
    "en": ("english", "英语", "英語", "英文", "영어"),
    "ja": ("japanese", "nihongo", "日本語", "日语", "日語", "日文", "일본어"),
    "ko": ("korean", "한국어", "한국말", "조선말", "韩语", "韓語", "韩文", "韓文", "朝鲜语", "朝鮮語", "韓国語"),
    "auto": ("automatic", "detect", "auto detect", "自动", "自動", "自动检测", "自動檢測"),
}  # fmt: skip
_BY_NAME = {name: language for language, names in _NAMES.items() for name in names}
#: What follows the language in a locale of POSIX: ``zh_CN.UTF-8``, ``en_GB@euro``.
_LOCALE_TAIL = re.compile(r"[.@][\w.@-]*$")
#: A tag: a language, then subtags of one to eight letters and digits.
_TAG = re.compile(r"([a-z]{2,4})((?:-[a-z0-9]{1,8})*)", re.ASCII)
#: A subtag of three letters in the second place names a language within a family: ``zh-yue``, ``zh-min-nan``.
_EXTENDED = re.compile(r"[a-z]{3}", re.ASCII)
#: A name with where or how it is spoken or written: ``English (United States)``, ``Chinese (Cantonese)``.
_QUALIFIED = re.compile(r"([^()]+)\(([^()]+)\)")
_CANTONESE_PLACES = frozenset({"hong kong", "macau", "macao", "香港", "澳门", "澳門"})


def language_called(text: str) -> str | None:
    """The language that a name or tag stands for, as :data:`engine.tags.LANGUAGE_CHOICES` has it; None for one that is not ours."""
    plain = " ".join(unicodedata.normalize("NFKC", text).casefold().split())
    return _of_tag(_LOCALE_TAIL.sub("", plain).replace("_", "-")) or _of_name(plain)


def _of_tag(tag: str) -> str | None:
    found = _TAG.fullmatch(tag)
    if found is None:
        return None
    language, subtags = _SUBTAGS.get(found[1]), found[2].split("-")[1:]
    if subtags and _EXTENDED.fullmatch(subtags[0]):
        # In the one family that has some, Chinese, they are its languages; anywhere else they would say nothing that we know.
        return _SUBTAGS.get(subtags[0]) if language == "zh" and subtags[0] in ("cmn", "yue") else None
    if language == "zh" and found[1] != "cmn" and _CANTONESE_REGIONS.intersection(subtags):
        return "yue"
    return language


def _of_name(name: str) -> str | None:
    known = _BY_NAME.get(name.replace("-", " ").replace(", ", " "))
    qualified = _QUALIFIED.fullmatch(name)
    if known or qualified is None:
        return known
    language, detail = _BY_NAME.get(qualified[1].strip()), qualified[2].strip()
    named = "yue" if language == "zh" and detail in _CANTONESE_PLACES else _BY_NAME.get(detail, language)
    return named if named == language or (language, named) == ("zh", "yue") else None
