"""Text and tokens → symbols, so that a phrase matches however it is written and however its tokens cut it.

Symbols are letters in their plain form (NFKC, case folded), with a mark before and after each word of a script that separates words:
``O'Brien 张三`` is ``⟨ o b r i e n ⟩ 张 三``. Han, kana and digits are symbols of their own, with no marks: ``iPhone15`` and
``▁iphone ▁15`` are the same. Punctuation is none. The end of a word is known only when something else follows, so whoever reads tokens
one by one keeps whether a word is open.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache, cached_property

from engine.speech.unspaced import HAN_OF_ALL_PLANES, KANA
from engine.speech.vocabulary import Vocabulary

BEGIN, END = "⟨", "⟩"
_UNSPACED = re.compile(f"[々〇{KANA}{HAN_OF_ALL_PLANES}]")
_HAN = re.compile(f"[々〇{HAN_OF_ALL_PLANES}]")
_BYTE = re.compile(r"^<0x[0-9A-F]{2}>$")
#: Within a word, and no part of it: vocabularies write them or leave them out.
_SILENT = "'’ʼ`"


def plain(text: str) -> str:
    """Full width to half width, compatibility forms to plain ones, case folded."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def is_han(symbol: str) -> bool:
    """Whether a symbol is one Chinese character."""
    return _HAN.fullmatch(symbol) is not None


def read_on(text: str, *, in_word: bool) -> tuple[tuple[str, ...], bool]:
    """The symbols of more text in plain form, and whether a word is open after it; ``▁`` and spaces end a word."""
    symbols: list[str] = []
    for character in text:
        if character in _SILENT:
            continue
        unspaced = character.isdigit() or _UNSPACED.match(character) is not None
        letter = not unspaced and (character.isalpha() or unicodedata.category(character).startswith("M"))
        if in_word and not letter:
            symbols.append(END)
        if letter and not in_word:
            symbols.append(BEGIN)
        if letter or unspaced:
            symbols.append(character)
        in_word = letter
    return tuple(symbols), in_word


def symbols_of(phrase: str) -> tuple[str, ...]:
    """The symbols of a whole phrase: its last word ends with it."""
    symbols, in_word = read_on(plain(phrase), in_word=False)
    return (*symbols, END) if in_word else symbols


def units_of(symbol: str) -> float:
    """About how many tokens a symbol is: a character one, a letter a third, the marks around words none."""
    if symbol in (BEGIN, END):
        return 0.0
    return 1.0 if symbol.isdigit() or _UNSPACED.match(symbol) or symbol.startswith("~") else 1 / 3


class Speller:
    """The symbols that a vocabulary's tokens stand for, and which phrases they can write."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._plain = [self._plain_form(index) for index in range(len(vocabulary))]
        self.read = cache(self._read)

    def _plain_form(self, index: int) -> str | None:
        if not self._vocabulary.is_text(index):
            return None
        piece = self._vocabulary.piece(index)
        return piece if _BYTE.match(piece) else plain(piece)

    def _read(self, token_id: int, *, in_word: bool) -> tuple[tuple[str, ...], bool]:
        """The symbols of one more token, and whether a word is open after it; a tag or control token has none."""
        text = self._plain[token_id]
        if text is None:
            return (), in_word
        if _BYTE.match(text):
            return ((END, text) if in_word else (text,)), False
        return read_on(text, in_word=in_word)

    @cached_property
    def _written(self) -> tuple[set[tuple[str, ...]], set[tuple[str, ...]], int]:
        """What tokens write where no word is open, and where one is; and the most symbols of a token."""
        closed, opened = ({self.read(index, in_word=in_word)[0] for index in range(len(self._plain))} for in_word in (False, True))
        return closed - {()}, opened - {()}, max(map(len, closed | opened))

    @cached_property
    def _characters(self) -> frozenset[str]:
        return frozenset(symbol for written in self._written[:2] for symbols in written for symbol in symbols)

    def spell(self, phrase: str) -> tuple[str, ...] | None:
        """The symbols of a phrase as this vocabulary's tokens can write them, in bytes where it must; None where it cannot."""
        symbols = symbols_of(phrase)
        if any(symbol not in self._characters for symbol in symbols):
            symbols = tuple(
                part for symbol in symbols for part in ((symbol,) if symbol in self._characters | {BEGIN, END} else _bytes(symbol))
            )
        return symbols if symbols and self._writes(symbols) else None

    def _writes(self, symbols: Sequence[str]) -> bool:
        closed, opened, longest = self._written
        reached = {0}
        for first in range(len(symbols)):
            if first not in reached:
                continue
            in_word = first > 0 and symbols[first - 1] not in (BEGIN, END) and not _stands_alone(symbols[first - 1])
            known = opened if in_word else closed
            reached |= {last for last in range(first + 1, min(len(symbols), first + longest) + 1) if tuple(symbols[first:last]) in known}
        return len(symbols) in reached or (symbols[-1] == END and len(symbols) - 1 in reached)


def _stands_alone(symbol: str) -> bool:
    return symbol.isdigit() or _UNSPACED.match(symbol) is not None or _BYTE.match(symbol) is not None


def _bytes(character: str) -> tuple[str, ...]:
    return tuple(f"<0x{byte:02X}>" for byte in character.encode())
