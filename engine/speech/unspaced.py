"""Characters of scripts that are written without spaces, as ranges for a regular expression's ``[…]``; names as in Unicode's blocks."""

from __future__ import annotations

import re
from collections.abc import Iterable

#: CJK Unified Ideographs alone, with extension A and the compatibility ideographs (what a font has), and with all later extensions.
UNIFIED_HAN = "\u4e00-\u9fff"
HAN = f"\u3400-\u4dbf{UNIFIED_HAN}\uf900-\ufaff"
HAN_OF_ALL_PLANES = f"{HAN}\U00020000-\U0003ffff"
#: From extension A to the last unified ideograph, whatever lies between them.
HAN_AND_BETWEEN = "\u3400-\u9fff"
#: Hiragana and katakana: both blocks, their letters alone, and their letters and marks, halfwidth ones among them.
KANA = "\u3040-\u30ff"
KANA_LETTERS = "\u3041-\u3096\u30a1-\u30fa\u30fc"
KANA_OF_ALL_WIDTHS = "\u3041-\u309f\u30a1-\u30ff\uff66-\uff9f"
THAI = "\u0e00-\u0e7f"
#: Radicals, 々, 〇, and the punctuation of Chinese and Japanese.
RADICALS_AND_MARKS = "\u2e80-\u303f"
#: Fullwidth and halfwidth forms.
WIDTH_FORMS = "\uff00-\uffef"
#: The first radical, and everything after it: drawn two columns wide, and each character a word of its own.
FIRST_WIDE = 0x2E80
WIDE = f"{chr(FIRST_WIDE)}-\U0010ffff"


def joined(words: Iterable[str], unspaced: re.Pattern[str]) -> str:
    """Words as a text: with spaces, but not between two characters that are ``unspaced``."""
    text = ""
    for word in words:
        close = not text or (unspaced.match(text[-1]) and unspaced.match(word[0]))
        text += word if close else f" {word}"
    return text
