"""The words of a recognized transcript by segment, each with its place in the text, its time and its confidence; worked out once."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from engine.speech.words import placed_words, timed_words
from engine.transcript import Segment, Token


@dataclass(frozen=True, slots=True)
class PlacedWord:
    """The characters ``first`` to ``last`` (exclusive) of a segment's text, when they were spoken, and how sure the model was of them.

    ``confidence`` is None for what no token says: its time is then its share of the time around it.
    """

    first: int
    last: int
    start_ms: int
    end_ms: int
    confidence: float | None


#: Words ``first`` to ``last`` (exclusive) of the segment ``segment``, as (segment, first, last).
Piece = tuple[int, int, int]


class RecognizedWords:
    """Words of the segments of one transcript, kept once they were asked for: an hour of speech has ten thousand."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self._segments = segments
        self._words: dict[int, tuple[PlacedWord, ...]] = {}
        #: What the page is sent of them (gzip), kept for as long as they are.
        self.sent: bytes | None = None

    def __len__(self) -> int:
        return len(self._segments)

    def of(self, index: int) -> tuple[PlacedWord, ...]:
        """The words of a segment in order; none where it has no text."""
        if index not in self._words:
            self._words[index] = tuple(_placed(self._segments[index]))
        return self._words[index]

    def text(self, piece: Piece) -> str:
        """The text of a piece with the punctuation up to the next word, without spaces around it."""
        index, first, last = piece
        words, text = self.of(index), self._segments[index].text
        if first >= last:
            return ""
        begin = words[first].first if first else 0
        end = words[last].first if last < len(words) else len(text)
        return text[begin:end].strip()

    def tokens(self, piece: Piece) -> tuple[Token, ...]:
        """The tokens that were spoken in a piece."""
        index, first, last = piece
        words, tokens = self.of(index), self._segments[index].tokens
        if first >= last:
            return ()
        starts_ms = [token.start_ms for token in tokens]
        begin = bisect_left(starts_ms, words[first].start_ms) if first else 0
        end = bisect_left(starts_ms, words[last].start_ms) if last < len(words) else len(tokens)
        return tokens[begin:end]


def _placed(segment: Segment) -> list[PlacedWord]:
    sure: dict[int, float] = {}
    place = 0
    for stretch, word in placed_words(segment):
        if word is not None:
            sure[place] = word.confidence
        place += len(stretch)
    return [PlacedWord(one.first, one.last, one.start_ms, one.end_ms, sure.get(one.first)) for one in timed_words(segment)]
