"""Chinese characters that sound alike: by pinyin without tone (pypinyin), for hotwords that are found by ear and written as given.

Each character is read on its own, by its most common reading, on both sides, so that a character always matches itself; a phrase is also
looked for as its words are read (重庆 is chong qing). pypinyin is loaded when the first phrase asks for it: it takes 58 MB and a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from engine.speech.ctc import Emission
from engine.speech.decoding.spelling import is_han, plain
from engine.speech.vocabulary import WORD_START, Vocabulary

#: Before a syllable, so that it is no letter of a word.
_SYLLABLE = "~"
#: Homophones of a single character are too many to be meant.
LEAST_CHARACTERS = 2


@cache
def sound_of(symbol: str) -> str:
    """The syllable of a Chinese character by its most common reading; any other symbol is its own sound."""
    if not is_han(symbol):
        return symbol
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - see the module's docstring

    return f"{_SYLLABLE}{lazy_pinyin(symbol, style=Style.NORMAL)[0]}"


def sounds_of(symbols: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """The sounds of a phrase, character by character, and as its words are read where that differs."""
    from pypinyin import Style, lazy_pinyin  # noqa: PLC0415 - as above

    by_character = tuple(sound_of(symbol) for symbol in symbols)
    places = [place for place, symbol in enumerate(symbols) if is_han(symbol)]
    read = lazy_pinyin("".join(symbols[place] for place in places), style=Style.NORMAL, errors=list)
    as_read = list(by_character)
    if len(read) == len(places):
        for place, syllable in zip(places, read, strict=True):
            as_read[place] = f"{_SYLLABLE}{syllable}"
    return tuple(dict.fromkeys([by_character, tuple(as_read)]))


def may_sound_alike(phrase: str) -> bool:
    """Whether homophones of a phrase are looked for: it is of Chinese characters alone, two or more."""
    return len(phrase) >= LEAST_CHARACTERS and all(is_han(character) for character in phrase)


class HomophoneWriter:
    """Writes phrases of Chinese characters as they were given where a reading has other characters of the same sound."""

    def __init__(self, phrases: Iterable[str], vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        self._ids = _single_characters(vocabulary)
        self._phrases: dict[tuple[str, ...], str] = {}
        for phrase in phrases:
            written = plain(phrase)
            if may_sound_alike(written) and all(character in self._ids for character in written):
                self._phrases |= dict.fromkeys(sounds_of(tuple(written)), written)
        self._lengths = sorted({len(sounds) for sounds in self._phrases}, reverse=True)

    def write(self, emissions: Sequence[Emission]) -> list[Emission]:
        """The emissions with the phrases' own characters; the longest phrase wins, and one that is there already stays."""
        texts = [self._character(emission.token_id) for emission in emissions]
        kept = set(self._phrases.values())
        found = list(emissions)
        place = 0
        while place < len(found):
            length = next((length for length in self._lengths if self._matches(texts[place : place + length], length)), 0)
            if length:
                said = "".join(text or "" for text in texts[place : place + length])
                if said not in kept:
                    phrase = self._phrases[tuple(sound_of(character) for character in said)]
                    for offset, character in enumerate(phrase):
                        found[place + offset] = self._written(found[place + offset], character)
            place += max(1, length)
        return found

    def _matches(self, texts: Sequence[str | None], length: int) -> bool:
        return len(texts) == length and None not in texts and tuple(sound_of(text) for text in texts if text) in self._phrases

    def _character(self, token_id: int) -> str | None:
        """The character that a token is; None for one that is none, or several."""
        character = plain(self._vocabulary.piece(token_id)).removeprefix(WORD_START)
        return character if is_han(character) else None

    def _written(self, emission: Emission, character: str) -> Emission:
        return Emission(self._ids[character], emission.start_frame, emission.end_frame, emission.log_prob)


def _single_characters(vocabulary: Vocabulary) -> Mapping[str, int]:
    """The tokens that are one Chinese character, by character; the one without a mark of a word's start where there are two."""
    found: dict[str, int] = {}
    for index in range(len(vocabulary)):
        piece = vocabulary.piece(index)
        character = plain(piece.removeprefix(WORD_START))
        if is_han(character) and (character not in found or not piece.startswith(WORD_START)):
            found[character] = index
    return found
