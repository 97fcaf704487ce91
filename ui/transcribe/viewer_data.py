"""What the page's viewer needs of a transcript, as JSON: every segment with its words, and the person's changes.

Values, not HTML: the script (ui/assets/viewer.js) makes text of them, for the segments that are in view. What was recognized never
changes: it is compressed once, by the run that made it, and what a person changed goes beside it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import Any

from engine.editing.recognized_words import PlacedWord, RecognizedWords
from engine.transcript import Segment
from engine.wire import encoded
from ui.scheduling.recording_queue import Entry, Result
from ui.widgets.tag_chips import FAMILIES, likeliest

_DIGITS = 3
_PER_MILLE = 1_000


def recognized_gzip(result: Result) -> bytes:
    """The recognized segments as gzip of JSON, worked out once: seconds for hours of speech, so that a run does it before it is done.

    A list a field, for as many segments (ui/assets/recognized_segments.js reads them). ``details`` are JSON within JSON, which the script
    reads for what is in view alone: ``likeliest``, ``readings`` and ``words``, five numbers each: the characters from the word before to
    it and in it (UTF-16), the times likewise, in ms from the segment's start on, and its confidence per mille or null.
    """
    if result.words.sent is None:
        columns = _columns(result.transcript.segments, result.words)
        result.words.sent = gzip.compress(_compact(columns).encode(), mtime=0)
    return result.words.sent


def viewer_state(entry: Entry, result: Result) -> str:
    """What of an entry with this result is not in its recognized segments: its version, its length, and what the person changed."""
    head = json.dumps({"version": entry.version, "duration_ms": round(result.transcript.duration_s * 1000)})
    return f'{head[:-1]}, "edits": {"null" if result.edits is None else encoded(result.edits)}}}'


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _columns(segments: Sequence[Segment], words: RecognizedWords) -> dict[str, list[Any]]:
    of_each = [words.of(index) for index in range(len(segments))]
    return {
        "start": [one.start_ms for one in segments],
        "end": [one.end_ms for one in segments],
        "text": [one.text for one in segments],
        **{family: [getattr(one, family).value for one in segments] for family in FAMILIES},
        "channel": [one.channel for one in segments],
        "count": [len(one) for one in of_each],
        "details": [_compact(_details(one, placed)) for one, placed in zip(segments, of_each, strict=True)],
    }


def _details(segment: Segment, words: Sequence[PlacedWord]) -> dict[str, Any]:
    details: dict[str, Any] = {"likeliest": dict(_likeliest(segment)), "words": list(_numbers(words, segment))}
    if segment.alternatives:
        details["readings"] = [[one.text, round(one.probability, _DIGITS)] for one in segment.alternatives]
    return details


def _numbers(words: Sequence[PlacedWord], segment: Segment) -> Iterator[int | None]:
    places, last, end_ms = _utf16_places(segment.text), 0, segment.start_ms
    for word in words:
        first, behind = places[word.first], places[word.last]
        yield from (first - last, behind - first, word.start_ms - end_ms, word.end_ms - word.start_ms)
        yield None if word.confidence is None else round(word.confidence * _PER_MILLE)
        last, end_ms = behind, word.end_ms


def _likeliest(segment: Segment) -> Iterator[tuple[str, list[tuple[str, float]]]]:
    for family in FAMILIES:
        value, confidence = getattr(segment, family).value, getattr(segment.confidence, family)
        ranked = likeliest(value, confidence, segment.probabilities.get(family, {}))
        yield family, [(name, round(probability, _DIGITS)) for name, probability in ranked]


def _utf16_places(text: str) -> range | list[int]:
    """Where each character begins as JavaScript counts, and where the text ends."""
    if text.isascii() or max(text) <= "\uffff":
        return range(len(text) + 1)
    return list(accumulate((1 + (character > "\uffff") for character in text), initial=0))
