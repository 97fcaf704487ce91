"""Edits of a transcript: what is taken, what is refused, and the transcript that is exported."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.documents import DOCUMENT_FORMATS, written
from engine.editing.edited_transcript import edited_transcript, joined_text, recognized_text
from engine.editing.edits import LONGEST_NAME, LONGEST_TEXT, MOST_PIECES, MOST_SEGMENTS, EditedSegment, Edits, checked_edits, one_line
from engine.editing.recognized_words import RecognizedWords
from engine.formats import FORMATS
from engine.tags import Emotion, Event, Language
from engine.transcript import Alternative, Transcript
from engine.wire import decoded, encoded
from tests.transcripts import spoken, transcript, transcripts


def talk() -> Transcript:
    """Two segments of three words each, 400 ms a word, on two channels."""
    first, second = spoken(["one", "two", "three"]), spoken(["four", "five", "six"], start_ms=2_000)
    plain = [replace(one, alternatives=(Alternative("other", 0.3),)) for one in (first, second)]
    return transcript(*plain, duration_s=4.0)


def edited(**changes: Any) -> EditedSegment:
    whole = EditedSegment(
        start_ms=0,
        end_ms=1_200,
        text="one two three",
        language=Language.EN,
        emotion=Emotion.NEUTRAL,
        event=Event.SPEECH,
        pieces=((0, 0, 3),),
    )
    return replace(whole, **changes)


def applied(*segments: int | EditedSegment, of: Transcript | None = None, speakers: tuple[tuple[int, str], ...] = ()) -> Transcript:
    made = of or talk()
    words = RecognizedWords(made.segments)
    return edited_transcript(made, checked_edits(Edits(segments=segments, speakers=speakers), made, words), words)


def test_untouched_segments_are_the_recognized_ones() -> None:
    assert applied(0, 1) == talk()
    assert edited_transcript(talk(), None, RecognizedWords(talk().segments)) == talk()


def test_a_split_keeps_the_tokens_of_each_half() -> None:
    left = edited(end_ms=400, text="one", pieces=((0, 0, 1),))
    right = edited(start_ms=400, text="two three", pieces=((0, 1, 3),))
    found = applied(left, right, 1).segments
    assert [[token.text for token in one.tokens] for one in found[:2]] == [["▁one"], ["▁two", "▁three"]]
    assert [one.text for one in found] == ["one", "two three", "four five six"]
    assert found[0].alternatives == ()


def test_a_join_keeps_all_tokens_and_other_words_keep_none() -> None:
    joined = edited(end_ms=3_200, text="one two three four five six", pieces=((0, 0, 3), (1, 0, 3)))
    assert len(applied(joined).segments[0].tokens) == 6
    other = applied(edited(text="something else"), 1).segments[0]
    assert (other.text, other.tokens, other.alternatives) == ("something else", (), ())


def test_moved_ends_and_tags_leave_words_tokens_and_readings() -> None:
    found = applied(edited(start_ms=100, end_ms=1_100, emotion=Emotion.SAD), 1).segments[0]
    assert (found.start_ms, found.end_ms, found.emotion) == (100, 1_100, Emotion.SAD)
    assert (found.tokens, found.alternatives) == (talk().segments[0].tokens, talk().segments[0].alternatives)
    assert replace(talk().segments[0].confidence, emotion=1.0) == found.confidence


def test_segments_come_in_the_order_of_their_starts() -> None:
    later = edited(start_ms=3_300, end_ms=3_900)
    assert [one.start_ms for one in applied(later, 1).segments] == [2_000, 3_300]


def test_a_speaker_has_the_persons_name_in_every_format() -> None:
    calls = [replace(segment, channel=number) for number, segment in enumerate(plain_segments(), start=1)]
    made = applied(0, 1, of=replace(talk(), segments=tuple(calls)), speakers=((2, "  Ann\nLee "),))
    assert [one.speaker for one in made.segments] == ["Speaker 1", "Ann Lee"]
    for output_format in FORMATS:
        assert "Ann Lee" in written(made, output_format).decode()
    assert made.to_dict()["segments"][1]["speaker"] == "Ann Lee"


def plain_segments() -> list[Any]:
    """Segments as the engine makes them, whose speaker follows from the channel."""
    from engine.transcript import Segment

    fields = ("start_ms", "end_ms", "text", "language", "emotion", "event", "confidence", "tokens")
    return [Segment(**{name: getattr(one, name) for name in fields}) for one in talk().segments]


@pytest.mark.parametrize(
    ("edits", "said"),
    [
        (Edits(segments=(0, 0)), "each of them once"),
        (Edits(segments=(2,)), "below 2"),
        (Edits(segments=(-1,)), "below 2"),
        (Edits(segments=tuple(range(MOST_SEGMENTS + 1))), "more than"),
        (Edits(segments=(edited(start_ms=-1),)), "does not lie"),
        (Edits(segments=(edited(start_ms=1_200),)), "does not lie"),
        (Edits(segments=(edited(end_ms=5_001),)), "does not lie"),
        (Edits(segments=(edited(text="x" * (LONGEST_TEXT + 1)),)), "longer than"),
        (Edits(segments=(edited(pieces=()),)), "pieces"),
        (Edits(segments=(edited(pieces=((0, 0, 1),) * (MOST_PIECES + 1)),)), "pieces"),
        (Edits(segments=(edited(pieces=((2, 0, 1),)),)), "no words"),
        (Edits(segments=(edited(pieces=((0, 0, 4),)),)), "no words"),
        (Edits(segments=(edited(pieces=((0, 2, 1),)),)), "no words"),
        (Edits(segments=(0, 1), speakers=((1, "Ann"),)), "no channel 1"),
    ],
)
def test_what_does_not_fit_the_transcript_is_refused(edits: Edits, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        checked_edits(edits, talk(), RecognizedWords(talk().segments))


def test_a_join_of_two_channels_and_an_endless_name_are_refused() -> None:
    made = replace(talk(), segments=tuple(replace(one, channel=number) for number, one in enumerate(plain_segments(), start=1)))
    words = RecognizedWords(made.segments)
    both = edited(pieces=((0, 0, 3), (1, 0, 3)))
    for edits, said in (
        (Edits(segments=(both,)), "two channels"),
        (Edits(segments=(0, 1), speakers=((1, "x" * (LONGEST_NAME + 1)),)), "longer"),
    ):
        with pytest.raises(ValueError, match=said):
            checked_edits(edits, made, words)
    assert checked_edits(Edits(segments=(0, 1), speakers=((1, " "),)), made, words).speakers == ()


def test_a_text_is_one_line_that_every_document_can_hold() -> None:
    assert one_line(" a\n\tb\x00\x1bc \ud800d\u3000e ") == "a b c d e"
    for output_format in (*FORMATS, *DOCUMENT_FORMATS):
        assert written(applied(edited(text="a\x00b\x0b\ud800 <c> & é 你好 \ufffe 👩"), 1), output_format)


def test_edits_survive_the_way_through_json_and_strangers_do_not() -> None:
    edits = Edits(segments=(0, edited(text="x")), speakers=((1, "Ann"),))
    assert decoded(encoded(edits), Edits) == edits
    for sent in (
        "[]",
        "{}",
        '{"segments": ["0"]}',
        '{"segments": [true]}',
        '{"segments": [{"start_ms": 0}]}',
        '{"segments": [0.5]}',
        "no JSON",
    ):
        with pytest.raises(ValueError):  # noqa: PT011 - the words are msgspec's
            decoded(sent, Edits)
    strange = encoded(edits).replace("NEUTRAL", "BORED")
    with pytest.raises(ValueError):  # noqa: PT011 - likewise
        decoded(strange, Edits)


@pytest.mark.parametrize(
    ("left", "right", "text"),
    [("a", "b", "a b"), ("你", "好", "你好"), ("你", "b", "你 b"), ("a", "好", "a 好"), ("", "b", "b"), ("a", "", "a")],
)
def test_texts_are_joined_as_their_scripts_are_written(left: str, right: str, text: str) -> None:
    assert joined_text(left, right) == text


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(made=transcripts(), data=st.data())
def test_any_segment_can_be_split_anywhere_and_nothing_that_was_said_is_lost(made: Transcript, data: st.DataObject) -> None:
    words = RecognizedWords(made.segments)
    for index, segment in enumerate(made.segments):
        count = len(words.of(index))
        cut = data.draw(st.integers(0, count))
        left, right = words.text((index, 0, cut)), words.text((index, cut, count))
        assert "".join((left + right).split()) == "".join(segment.text.split()) or not count
        assert words.tokens((index, 0, cut)) + words.tokens((index, cut, count)) == segment.tokens or not count
        assert recognized_text(((index, 0, count),), words) == (one_line(segment.text) if count else "")
