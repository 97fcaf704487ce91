"""A segment → its words with times, and with the confidence of the least certain token where tokens say them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.speech.itn.itn import Change, changes, rewritten
from engine.speech.unspaced import FIRST_WIDE, WIDE
from engine.speech.vocabulary import WORD_START, join_pieces
from engine.transcript import Segment, Token

_UNITS = re.compile(rf"[{WIDE}]|[^\s{WIDE}]+")
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

    The stretches joined are exactly ``segment.text``. Text normalization may have rewritten words ("twenty five" -> "25"): the number is
    one word, as long as these were and as certain as the least certain of them.
    """
    said = list(words(segment))
    spoken = join_pieces(token.text for token in segment.tokens)
    numbers = [] if spoken == segment.text else changes(spoken)
    places = _places(spoken, said) if rewritten(spoken, numbers) == segment.text else None
    yield from _searched(segment, said) if places is None else _by_changes(spoken, said, places, numbers)


def _places(spoken: str, said: Sequence[Word]) -> list[int] | None:
    """Where each word begins in the spoken text; None where one is not in it."""
    places, end = [], 0
    for word in said:
        place = spoken.find(word.text, end)
        if place < 0:
            return None
        places.append(place)
        end = place + len(word.text)
    return places


def _by_changes(spoken: str, said: Sequence[Word], places: Sequence[int], numbers: Sequence[Change]) -> Iterator[tuple[str, Word | None]]:
    """As :func:`placed_words`, where the spoken words and the numbers that some became are known."""
    place, index, word_index = 0, 0, 0
    while word_index < len(said):
        first, last, began, began_numbers = places[word_index], places[word_index], word_index, index
        # A number may be of several words, and a word ("twenty-year-old") may be of a number and more.
        while True:
            if word_index < len(said) and (word_index == began or places[word_index] < last):
                last = max(last, places[word_index] + len(said[word_index].text))
                word_index += 1
            elif index < len(numbers) and numbers[index].first < last:
                first, last = min(first, numbers[index].first), max(last, numbers[index].last)
                index += 1
            else:
                break
        if first > place:
            yield spoken[place:first], None
        within = [Change(one.first - first, one.last - first, one.written) for one in numbers[began_numbers:index]]
        yield (text := rewritten(spoken[first:last], within)), _joined(said[began:word_index], text)
        place = last
    if place < len(spoken):
        yield spoken[place:], None


def _joined(said: Sequence[Word], text: str) -> Word:
    """Words as the one that they were written as."""
    return Word(text=text, start_ms=said[0].start_ms, end_ms=said[-1].end_ms, confidence=min(word.confidence for word in said))


def _searched(segment: Segment, said: Sequence[Word]) -> Iterator[tuple[str, Word | None]]:
    """As :func:`placed_words`, for a text that does not follow from the tokens: a number where words are not found is these words."""
    place = 0
    missing: list[Word] = []
    for word in said:
        found = segment.text.find(word.text, place, place + len(word.text) + _LOOKED_AHEAD)
        if found < 0:
            missing.append(word)
            continue
        if found > place:
            yield from _between(segment.text[place:found], missing)
        yield word.text, word
        place, missing = found + len(word.text), []
    if place < len(segment.text):
        yield from _between(segment.text[place:], missing)


def _between(stretch: str, missing: Sequence[Word]) -> Iterator[tuple[str, Word | None]]:
    """Text between two words that were found: what words became, with the space around it."""
    core = stretch.strip()
    if not missing or not _NUMBER.fullmatch(core):
        yield stretch, None
        return
    first = stretch.index(core)
    for part, is_core in ((stretch[:first], False), (core, True), (stretch[first + len(core) :], False)):
        if part:
            yield part, _joined(missing, core) if is_core else None


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
