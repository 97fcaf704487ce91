"""Mandarin as sounds: initials and toned finals, the units of the training's second, intermediate CTC.

Two thousand characters are too many to learn from four hours of speech by ear alone; some two hundred sounds are not, and labels in
pinyin teach them too. The sounds leave with the training: the bundle answers in characters. Conversion: pypinyin.
Intermediate CTC: Lee and Watanabe, https://arxiv.org/abs/2102.03216.
"""

from __future__ import annotations

import re
import unicodedata

INITIALS = ("zh", "ch", "sh", "b", "p", "m", "f", "d", "t", "n", "l", "g", "k", "h", "j", "q", "x", "r", "z", "c", "s", "y", "w")
_SYLLABLE = re.compile(r"^([a-zü]+)([1-5]?)$")


def sounds_of_syllable(syllable: str) -> list[str] | None:
    """``zhong1`` -> ``["zh", "ong1"]``; ``lv4`` and ``lü4`` are one; None for what is no syllable."""
    found = _SYLLABLE.match(unicodedata.normalize("NFC", syllable.strip().lower()).replace("u:", "ü").replace("v", "ü"))
    if found is None:
        return None
    letters, tone = found.group(1), found.group(2) or "5"
    initial = next((name for name in INITIALS if letters.startswith(name) and len(letters) > len(name)), None)
    return [letters + tone] if initial is None else [initial, letters[len(initial) :] + tone]


def sounds_of_pinyin(label: str) -> list[str] | None:
    """Toned pinyin, syllables apart by spaces: -> sounds, or None."""
    sounds: list[str] = []
    for syllable in label.split():
        parts = sounds_of_syllable(syllable)
        if parts is None:
            return None
        sounds += parts
    return sounds or None


def sounds_of_text(text: str) -> list[str] | None:
    """Chinese characters -> sounds, each character as its word has it read; None where one has no reading."""
    from pypinyin import Style, lazy_pinyin

    syllables = lazy_pinyin(text, style=Style.TONE3, neutral_tone_with_five=True, v_to_u=True, errors=lambda _: ["?"])
    return sounds_of_pinyin(" ".join(syllables))
