"""What the page's viewer needs of a transcript, as JSON: every segment with its words, and the person's changes.

Sent once; the script (ui/assets/viewer.js) draws the segments that are in view. Values, not HTML: the script makes text of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import accumulate
from typing import Any

from engine.editing.recognized_words import PlacedWord, RecognizedWords
from engine.transcript import Segment
from engine.wire import encoded
from ui.scheduling.recording_queue import Entry, Result
from ui.widgets.tag_chips import FAMILIES, likeliest

_DIGITS = 3


def recognized_json(result: Result) -> str:
    """The recognized segments, worked out once: seconds for hours of speech, so that a run does it before it is done.

    ``words`` are five numbers each: the characters that it takes in the text (first, behind the last; UTF-16), its times, its confidence
    or null.
    """
    if result.words.sent is None:
        segments = [_segment(one, index, result.words) for index, one in enumerate(result.transcript.segments)]
        result.words.sent = json.dumps(segments, ensure_ascii=False, separators=(",", ":"))
    return result.words.sent


def viewer_json(entry: Entry, result: Result) -> str:
    """All that the viewer needs of an entry with this result."""
    head = json.dumps(
        {"version": entry.version, "duration_ms": round(result.transcript.duration_s * 1000), "playable": result.playback is not None}
    )
    edits = "null" if result.edits is None else encoded(result.edits)
    return f'{head[:-1]}, "edits": {edits}, "recognized": {recognized_json(result)}}}'


def _segment(segment: Segment, index: int, words: RecognizedWords) -> dict[str, Any]:
    places = _utf16_places(segment.text)
    found: dict[str, Any] = {
        "start": segment.start_ms,
        "end": segment.end_ms,
        "text": segment.text,
        **{family: getattr(segment, family).value for family in FAMILIES},
        "channel": segment.channel,
        "likeliest": dict(_likeliest(segment)),
        "words": [number for one in words.of(index) for number in _numbers(one, places)],
    }
    if segment.alternatives:
        found["readings"] = [[one.text, round(one.probability, _DIGITS)] for one in segment.alternatives]
    return found


def _numbers(word: PlacedWord, places: range | list[int]) -> tuple[int, int, int, int, float | None]:
    confidence = None if word.confidence is None else round(word.confidence, _DIGITS)
    return places[word.first], places[word.last], word.start_ms, word.end_ms, confidence


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
