"""An English text → its words, and the stretches of number words among them ("runs"), whatever they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass

from engine.speech.itn.english_numerals import DIGITS, OH, SCALES, SMALL, TENS, TIMES

POINTS = ("point", "dot")
_WORD = re.compile(r"[0-9A-Za-z_\u00c0-\u024f]+(?:['’][A-Za-z]+)*")
_SENTENCE_END = re.compile(r"\s*(?:$|[.,!?;:。，！？；])")
_AFTER_DIGIT = re.compile(r"\d[.,:/]")
_BEFORE_DIGIT = re.compile(r"[.,:/]\d")
_JOINTS = {" ", "-"}
_LONG_NUMBER = 6  # "oh two oh seven nine one one" is a telephone number, "oh nine one one" begins with an exclamation


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    first: int
    last: int


class EnglishWords:
    """The words of a text in small letters, by their place; a place outside the text holds the word ""."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._words = [_Word(found.group().lower(), found.start(), found.end()) for found in _WORD.finditer(text)]

    def __len__(self) -> int:
        return len(self._words)

    def __getitem__(self, place: int) -> str:
        return self._words[place].text if 0 <= place < len(self._words) else ""

    def between(self, first: int, last: int) -> list[str]:
        """The words from one place to another (exclusive)."""
        return [word.text for word in self._words[first:last]]

    def joined(self, place: int) -> str:
        """The word here if a space or a hyphen alone separates it from the one before; otherwise ""."""
        if not 0 < place < len(self._words):
            return ""
        gap = self.text[self._words[place - 1].last : self._words[place].first]
        return self._words[place].text if gap in _JOINTS else ""

    def preceding(self, place: int) -> str:
        """The word before this one if a space or a hyphen alone separates them; otherwise ""."""
        return self[place - 1] if self.joined(place) else ""

    def start(self, place: int) -> int:
        """Where the word begins in the text."""
        return self._words[place].first

    def end(self, place: int) -> int:
        """Where the word ends in the text."""
        return self._words[place].last

    def touches_a_number(self, first: int, last: int) -> bool:
        """Whether the words from ``first`` to ``last`` (exclusive) continue digits ("3.twenty"), or a word by a hyphen or an apostrophe."""
        before, after = self.text[max(0, self.start(first) - 2) : self.start(first)], self.text[self.end(last - 1) : self.end(last - 1) + 2]
        return before[-1:] in set("-'’") or _AFTER_DIGIT.fullmatch(before) is not None or _BEFORE_DIGIT.fullmatch(after) is not None

    def run_end(self, place: int) -> int:
        """The place after the number words that begin here; ``place`` itself where none begin."""
        word, then = self[place], self.joined(place + 1)
        if word in OH:
            end = self._end(place + 1) if then in DIGITS else place
            return end if end - place > _LONG_NUMBER else place
        starts = word in SMALL or (word == "a" and then in SCALES) or (word in TIMES and (then in DIGITS or then in OH))
        return self._end(place + 1) if starts else place

    def _end(self, place: int) -> int:
        while self._belongs(place):
            place += 1
        return place

    def _belongs(self, place: int) -> bool:
        """Whether the word here goes on with a number that the word before it belongs to."""
        word, before, then = self.joined(place), self[place - 1], self.joined(place + 1)
        if word in SCALES:
            return before in SMALL or before in SCALES or before == "a"
        if word in TIMES:
            return then in DIGITS or then in OH
        if word in POINTS:
            return (before in SMALL or before in OH or before in SCALES) and (then in SMALL or (then in OH and self._is_zero(place + 1)))
        if word == "and":
            return before in SCALES and then in SMALL and self._is_and_within(place)
        return word in SMALL or (word in OH and self._is_zero(place))

    def _is_zero(self, place: int) -> bool:
        """Whether "oh" is a digit rather than an exclamation: before another digit, or at the end of a sentence."""
        then = self.joined(place + 1)
        closes = self[place] == "oh" and _SENTENCE_END.match(self.text, self.end(place)) is not None
        return then in DIGITS or then in OH or then in TIMES or closes or self[place - 3] == "version"

    def _is_and_within(self, place: int) -> bool:
        """Whether "and" is within one number ("a hundred and fifty") rather than between two ("one hundred and two hundred")."""
        after = place + 2
        if self[place + 1] in TENS and self.joined(after) in DIGITS:
            after += 1
        if self.joined(after) == "hundred" or (self.joined(after) in SCALES and self[place - 1] != "hundred"):
            return False
        start = place - 1
        while self[start] in SMALL or self[start] in SCALES or self[start] == "a":
            start -= 1
        return self[start] != "between" or self.joined(after) == "and"
