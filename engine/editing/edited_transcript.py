"""A transcript and a person's edits → the transcript that is exported."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from engine.editing.edits import EditedSegment, Edits, one_line
from engine.editing.recognized_words import Piece, RecognizedWords
from engine.speech.unspaced import FIRST_WIDE
from engine.transcript import Segment, TagConfidence, Transcript

#: The confidence of a tag that a person chose.
CHOSEN = 1.0


def edited_transcript(transcript: Transcript, edits: Edits | None, words: RecognizedWords) -> Transcript:
    """The transcript with the edits, which were checked; as it is where there are none.

    Where a segment still says the recognized words its tokens stay, which time its subtitles; other words have neither tokens nor readings.
    """
    if edits is None:
        return transcript
    names = dict(edits.speakers)
    made = [transcript.segments[one] if isinstance(one, int) else _edited_segment(one, transcript, words) for one in edits.segments]
    return replace(transcript, segments=tuple(_named(one, names) for one in made))


def joined_text(left: str, right: str) -> str:
    """Two texts as one: a space between them, unless both characters that meet belong to a script without spaces.

    ui/assets/edit_operations.js does the same.
    """
    if not left or not right:
        return left or right
    return f"{left}{right}" if ord(left[-1]) >= FIRST_WIDE and ord(right[0]) >= FIRST_WIDE else f"{left} {right}"


def recognized_text(pieces: tuple[Piece, ...], words: RecognizedWords) -> str:
    """What was recognized of these pieces."""
    text = ""
    for piece in pieces:
        text = joined_text(text, one_line(words.text(piece)))
    return text


def _edited_segment(edited: EditedSegment, transcript: Transcript, words: RecognizedWords) -> Segment:
    source = transcript.segments[edited.pieces[0][0]]
    whole = [(index, 0, len(words.of(index))) for index, _, _ in edited.pieces[:1]] == list(edited.pieces)
    as_recognized = edited.text == recognized_text(edited.pieces, words)
    tokens = tuple(token for piece in edited.pieces for token in words.tokens(piece)) if as_recognized else ()
    return replace(
        source,
        start_ms=edited.start_ms,
        end_ms=edited.end_ms,
        text=edited.text,
        language=edited.language,
        emotion=edited.emotion,
        event=edited.event,
        confidence=TagConfidence(
            language=source.confidence.language if edited.language is source.language else CHOSEN,
            emotion=source.confidence.emotion if edited.emotion is source.emotion else CHOSEN,
            event=source.confidence.event if edited.event is source.event else CHOSEN,
        ),
        tokens=tokens,
        alternatives=source.alternatives if whole and as_recognized else (),
    )


def _named(segment: Segment, names: Mapping[int, str]) -> Segment:
    name = None if segment.channel is None else names.get(segment.channel)
    return segment if name is None else replace(segment, speaker_name=name)
