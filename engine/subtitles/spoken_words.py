"""A segment → its words as subtitles show them: unbroken, timed, and with how well a line may end after each."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.speech.words import TimedStretch, timed_words
from engine.subtitles.columns import columns, is_east_asian
from engine.subtitles.unbroken import unbroken
from engine.transcript import Segment

#: What it costs to end a line after a word; a further subtitle costs 1.
SENTENCE_END, CLAUSE_END, WORD_END, WITHIN_PHRASE = 0.0, 0.5, 1.8, 2.8
#: A segment begins a little before its first word and ends a little after its last; more than this is silence.
MARGIN_MS = 1_000

_CLOSING = "\"'”’）)】》」』]"
_SENTENCE = frozenset("。！？.!?…．｡")
_CLAUSE = frozenset("，、,;；:：—–､")
_MARKS = "".join(_SENTENCE | _CLAUSE) + _CLOSING
#: Words that belong to what follows them, and words that belong to what precedes them.
_LEADING = re.compile(
    "a|an|the|of|to|in|on|at|for|with|by|from|and|or|but|that|as|is|are|was|were|be|i|my|your|his|her|its|our|their|this|these|those|no|not"
    "|在|把|被|对|和|与|从|向|给|跟|将|是|很|不|没|最|更|这|那|一|一个|這|對|從|給|將",
    re.IGNORECASE,
)
_TRAILING = re.compile("的|地|得|了|着|过|吗|呢|吧|啊|呀|嘛|们|等|著|過|嗎|們|嘅|咗|啦|喇|咩")


@dataclass(frozen=True, slots=True, kw_only=True)
class SpokenWord:
    """A piece of text that no line break may cut."""

    text: str
    columns: int
    #: Whether a space parts it from the word before on the same line.
    spaced: bool
    start_ms: int
    end_ms: int
    end_cost: float
    #: Whether it is the first word of a segment.
    opens: bool


def spoken_words(segment: Segment, *, widest: int) -> list[SpokenWord]:
    """The segment's words in order, none over ``widest`` columns; times within the segment's, never going back."""
    text, east_asian = segment.text, is_east_asian(segment.text)
    pieces = unbroken(text, widest=widest, east_asian=east_asian)
    if not pieces:
        return []
    clock = _Clock(segment, timed_words(segment))
    words: list[SpokenWord] = []
    for index, (first, last) in enumerate(pieces):
        start_ms, end_ms = clock.at(first), clock.at(last, closing=True)
        piece = text[first:last]
        following = text[slice(*pieces[index + 1])] if index + 1 < len(pieces) else ""
        words.append(
            SpokenWord(
                text=piece,
                columns=columns(piece, east_asian=east_asian),
                spaced=not index or first > pieces[index - 1][1],
                start_ms=start_ms,
                end_ms=max(start_ms, end_ms),
                end_cost=_end_cost(piece, following),
                opens=not index,
            )
        )
    if words[0].start_ms - segment.start_ms <= MARGIN_MS:
        words[0] = replace(words[0], start_ms=segment.start_ms)
    if segment.end_ms - words[-1].end_ms <= MARGIN_MS:
        words[-1] = replace(words[-1], end_ms=max(words[-1].end_ms, segment.end_ms))
    return words


def _end_cost(word: str, following: str) -> float:
    last = word.rstrip(_CLOSING)[-1:]
    if last in _SENTENCE or not following:
        return SENTENCE_END
    if last in _CLAUSE:
        return CLAUSE_END
    after = following.strip(_MARKS)
    # Two characters that are no word of the dictionary together may be a name.
    close = _LEADING.fullmatch(word) or _TRAILING.fullmatch(after) or (len(word) == len(after) == 1 and columns(word + after) > 2)  # noqa: PLR2004
    return WITHIN_PHRASE if close else WORD_END


class _Clock:
    """When each character of a segment was spoken: by the stretches that are timed, evenly within each."""

    def __init__(self, segment: Segment, stretches: Sequence[TimedStretch]) -> None:
        self._firsts = [stretch.first for stretch in stretches]
        self._stretches = stretches
        self._start_ms, self._end_ms = segment.start_ms, max(segment.start_ms, segment.end_ms)
        self._latest_ms = self._start_ms

    def at(self, place: int, *, closing: bool = False) -> int:
        """The time at which the character at ``place`` begins, or with ``closing`` the one before it ends; asked in order."""
        index = bisect_right(self._firsts, place - closing) - 1
        if index >= 0:
            stretch = self._stretches[index]
            share = min(1.0, (place - stretch.first) / max(1, stretch.last - stretch.first))
            time_ms = round(stretch.start_ms + share * (stretch.end_ms - stretch.start_ms))
            self._latest_ms = min(max(self._latest_ms, time_ms), self._end_ms)
        return self._latest_ms
