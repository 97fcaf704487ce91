"""How wide a text is drawn, in columns of a fixed-width font: https://www.unicode.org/reports/tr11/ (East Asian Width)."""

from __future__ import annotations

from unicodedata import east_asian_width

_WIDE = frozenset("WF")


def columns(text: str, *, east_asian: bool = False) -> int:
    """Two columns for each wide character, one for any other.

    ``east_asian`` says that the text around it is Chinese, Japanese or Korean: then ambiguous punctuation (“ ” … —) is wide too.
    Combining marks count one, so that no player finds a line longer than it was counted.
    """
    if text.isascii():
        return len(text)
    return sum(_width(character, east_asian=east_asian) for character in text)


def _width(character: str, *, east_asian: bool) -> int:
    kind = east_asian_width(character)
    return 2 if kind in _WIDE or (east_asian and kind == "A" and not character.isalnum()) else 1


def is_east_asian(text: str) -> bool:
    """Whether a text holds wide characters."""
    return not text.isascii() and any(east_asian_width(character) in _WIDE for character in text)
