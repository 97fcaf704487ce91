"""A segment → its words with times, and with the confidence of the least certain token where tokens say them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.transcript import Segment, Token
from engine.vocabulary import WORD_START, join_pieces

FIRST_WIDE = 0x2E80  # CJK and everything after it: drawn two columns wide, and each character a word of its own
_UNITS = re.compile(r"[\u2e80-\U0010ffff]|[^\s\u2e80-\U0010ffff]+")
_NUMBER = re.compile(r"[-+]?\d[\d.,:/]*[%.]?")
#: Characters that may lie between a word and the next one that is looked for: spaces, punctuation, a rewritten number.
_LOOKED_AHEAD = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word, or one CJK character, with its confidence in [0, 1]."""

    text: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass(frozen=True, slots=True)
class TimedStretch:
    """The characters ``first`` to ``last`` (exclusive) of a segment's text, and when they were spoken."""

    first: int
    last: int
    start_ms: int
    end_ms: int


def words(segment: Segment) -> Iterator[Word]:
    """The words of a segment's tokens in order; none for a segment without tokens."""
    group: list[Token] = []
    for token in segment.tokens:
        if group and (token.text.startswith(WORD_START) or ord(token.text[-1]) >= FIRST_WIDE):
            yield from _word(group)
            group = []
        group.append(token)
    if group:
        yield from _word(group)


def _word(tokens: Sequence[Token]) -> Iterator[Word]:
    text = join_pieces(token.text for token in tokens)
    if text:
        confidence = min(token.confidence for token in tokens)
        yield Word(text=text, start_ms=tokens[0].start_ms, end_ms=tokens[-1].end_ms, confidence=confidence)


def placed_words(segment: Segment) -> Iterator[tuple[str, Word | None]]:
    """The segment's text cut into stretches, each with the word it is, or None for what no token says.

    The stretches joined are exactly ``segment.text``. Text normalization may have rewritten words ("twenty five" -> "25"): a number where
    words are no longer found is one word, as long as these were and as certain as the least certain of them. Other text has no word.
    """
    place = 0
    rewritten: list[Word] = []
    for word in words(segment):
        found = segment.text.find(word.text, place, place + len(word.text) + _LOOKED_AHEAD)
        if found < 0:
            rewritten.append(word)
            continue
        if found > place:
            yield from _between(segment.text[place:found], rewritten)
        yield word.text, word
        place, rewritten = found + len(word.text), []
    if place < len(segment.text):
        yield from _between(segment.text[place:], rewritten)


def _between(stretch: str, rewritten: Sequence[Word]) -> Iterator[tuple[str, Word | None]]:
    """Text between two words that were found: what words became, with the space around it."""
    core = stretch.strip()
    if not rewritten or not _NUMBER.fullmatch(core):
        yield stretch, None
        return
    first = stretch.index(core)
    for part, is_core in ((stretch[:first], False), (core, True), (stretch[first + len(core) :], False)):
        if part:
            confidence = min(word.confidence for word in rewritten)
            became = Word(text=core, start_ms=rewritten[0].start_ms, end_ms=rewritten[-1].end_ms, confidence=confidence)
            yield part, became if is_core else None


def timed_words(segment: Segment) -> list[TimedStretch]:
    """The words of the segment's text, all of them timed: by its tokens, and what no token says evenly in between."""
    timed: list[TimedStretch] = []
    untimed: list[tuple[int, int]] = []
    place, known_ms = 0, segment.start_ms
    for stretch, word in placed_words(segment):
        if word is None:
            units = [(place + unit.start(), place + unit.end()) for unit in _UNITS.finditer(stretch)]
            # A full stop belongs to the word before it, not to the next subtitle.
            if units and timed and not untimed and units[0][0] == timed[-1].last and not _is_spoken(segment.text, units[0]):
                timed[-1] = TimedStretch(timed[-1].first, units.pop(0)[1], timed[-1].start_ms, timed[-1].end_ms)
            untimed += units
        else:
            timed += _spread(untimed, known_ms, word.start_ms)
            timed.append(TimedStretch(place, place + len(stretch), word.start_ms, word.end_ms))
            untimed, known_ms = [], word.end_ms
        place += len(stretch)
    return timed + _spread(untimed, known_ms, segment.end_ms)


def _is_spoken(text: str, unit: tuple[int, int]) -> bool:
    return any(character.isalnum() for character in text[unit[0] : unit[1]])


def _spread(units: Sequence[tuple[int, int]], start_ms: int, end_ms: int) -> list[TimedStretch]:
    """Units of a text, each given its share of a span of time by its length."""
    total = sum(last - first for first, last in units)
    span_ms = max(0, end_ms - start_ms)
    spread, done = [], 0
    for first, last in units:
        begins_ms = start_ms + span_ms * done // total
        done += last - first
        spread.append(TimedStretch(first, last, begins_ms, start_ms + span_ms * done // total))
    return spread
