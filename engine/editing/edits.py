"""What a person made of a transcript, as one value: every segment in order, untouched or changed, and the speakers' names.

The value comes from a browser: :func:`checked_edits` lets only what fits the transcript pass.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from unicodedata import category

from engine.editing.recognized_words import Piece, RecognizedWords
from engine.tags import Emotion, Event, Language
from engine.transcript import Transcript

MOST_SEGMENTS = 20_000
MOST_PIECES = 200
LONGEST_TEXT = 20_000
LONGEST_NAME = 80
#: An end may lie so far behind the recording's: lengths are rounded.
LATEST_AFTER_END_MS = 1_000


@dataclass(frozen=True, kw_only=True)
class EditedSegment:
    """A segment as a person left it: split, joined, moved, or with other words or tags.

    ``pieces`` says of which recognized words it was made; its text may be another one by now.
    """

    start_ms: int
    end_ms: int
    text: str
    language: Language
    emotion: Emotion
    event: Event
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, kw_only=True)
class Edits:
    """All segments in the order of their times; a number stands for that recognized segment, untouched."""

    segments: tuple[int | EditedSegment, ...]
    #: Names that stand in place of "Speaker 1", as (channel, name).
    speakers: tuple[tuple[int, str], ...] = ()

    def is_empty(self, transcript: Transcript) -> bool:
        """Whether they leave the transcript as it was recognized."""
        return not self.speakers and self.segments == tuple(range(len(transcript.segments)))


def checked_edits(edits: Edits, transcript: Transcript, words: RecognizedWords) -> Edits:
    """The edits with texts and names on one line and segments in the order of their starts; ValueError for what does not fit."""
    if len(edits.segments) > MOST_SEGMENTS:
        raise ValueError(f"{len(edits.segments)} segments are more than {MOST_SEGMENTS}")
    untouched = [one for one in edits.segments if isinstance(one, int)]
    if any(not 0 <= index < len(transcript.segments) for index in untouched) or len(set(untouched)) < len(untouched):
        raise ValueError(f"untouched segments are numbers below {len(transcript.segments)}, each of them once")
    last_ms = round(transcript.duration_s * 1000) + LATEST_AFTER_END_MS
    last_ms = max([last_ms, *(one.end_ms for one in transcript.segments)])
    segments = [one if isinstance(one, int) else _checked_segment(one, transcript, words, last_ms) for one in edits.segments]
    segments.sort(key=lambda one: transcript.segments[one].start_ms if isinstance(one, int) else one.start_ms)
    return Edits(segments=tuple(segments), speakers=tuple(_checked_names(edits, transcript)))


def _checked_segment(segment: EditedSegment, transcript: Transcript, words: RecognizedWords, last_ms: int) -> EditedSegment:
    if not 0 <= segment.start_ms < segment.end_ms <= last_ms:
        raise ValueError(f"a segment from {segment.start_ms} ms to {segment.end_ms} ms does not lie in the recording")
    if len(segment.text) > LONGEST_TEXT:
        raise ValueError(f"a text of {len(segment.text)} characters is longer than {LONGEST_TEXT}")
    if not 1 <= len(segment.pieces) <= MOST_PIECES:
        raise ValueError(f"a segment is made of 1 to {MOST_PIECES} pieces, not of {len(segment.pieces)}")
    for index, first, last in segment.pieces:
        if not (0 <= index < len(transcript.segments) and 0 <= first <= last <= len(words.of(index))):
            raise ValueError(f"there are no words {first} to {last} in segment {index}")
    if len({transcript.segments[index].channel for index, _, _ in segment.pieces}) > 1:
        raise ValueError("a segment cannot be of two channels")
    return replace(segment, text=one_line(segment.text))


def _checked_names(edits: Edits, transcript: Transcript) -> Iterator[tuple[int, str]]:
    channels = {segment.channel for segment in transcript.segments} - {None}
    for channel, name in sorted(dict(edits.speakers).items()):
        if channel not in channels:
            raise ValueError(f"there is no channel {channel}")
        if len(name) > LONGEST_NAME:
            raise ValueError(f"a name of {len(name)} characters is longer than {LONGEST_NAME}")
        if written := one_line(name):
            yield channel, written


def one_line(text: str) -> str:
    """A text on one line, without characters that no document may hold: control characters, halves of surrogates."""
    spaced = "".join(" " if category(character) == "Cc" else character for character in text if category(character) != "Cs")
    return " ".join(spaced.split())
