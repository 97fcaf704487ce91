"""Characters of scripts that are written without spaces, as ranges for a regular expression's ``[…]``; names as in Unicode's blocks."""

#: CJK Unified Ideographs with extension A and the compatibility ideographs: what a font has.
HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
#: The same with all later extensions, which lie in planes 2 and 3.
HAN_OF_ALL_PLANES = f"{HAN}\U00020000-\U0003ffff"
#: Hiragana and katakana.
KANA = "\u3040-\u30ff"
#: Radicals, 々, 〇, and the punctuation of Chinese and Japanese.
RADICALS_AND_MARKS = "\u2e80-\u303f"
#: Fullwidth and halfwidth forms.
WIDTH_FORMS = "\uff00-\uffef"
