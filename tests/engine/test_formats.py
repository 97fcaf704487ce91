"""txt, srt, vtt, json: valid, escaped, and split where a reader needs it."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from engine.errors import UnknownFormatError
from engine.formats import CUE_COLUMNS, CUE_MS, FORMATS, cues, render
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, TagConfidence, Timing, Token, Transcript

TIMING = Timing(decode_s=0.1, features_s=0.1, vad_s=0.1, asr_s=0.1, total_s=0.4, rtf=0.04)


def segment(start_ms: int, end_ms: int, text: str, tokens: tuple[Token, ...] = ()) -> Segment:
    return Segment(
        start_ms=start_ms,
        end_ms=end_ms,
        text=text,
        language=Language.EN,
        emotion=Emotion.HAPPY,
        event=Event.SPEECH,
        confidence=TagConfidence(language=0.98765, emotion=0.5, event=1.0),
        tokens=tokens,
    )


def transcript(*segments: Segment) -> Transcript:
    return Transcript(file="a.wav", duration_s=12.3456, bundle="tiny", precision="int8", segments=segments, timing=TIMING)


def spoken(words: list[str], *, step_ms: int = 400, pieces: str = "▁{}") -> Segment:
    tokens = tuple(
        Token(text=pieces.format(word), start_ms=index * step_ms, end_ms=index * step_ms + step_ms - 50, confidence=0.9)
        for index, word in enumerate(words)
    )
    joined = (" " if "▁" in pieces else "").join(words)
    return segment(0, len(words) * step_ms, joined, tokens)


def test_json_is_one_object_on_one_line_with_the_contracts_keys() -> None:
    line = render(transcript(segment(320, 1810, "hello")), "json")
    assert line.endswith("\n")
    assert line.count("\n") == 1
    values = json.loads(line)
    assert list(values) == ["file", "duration_s", "bundle", "precision", "text", "segments", "timing", "warnings"]
    assert list(values["segments"][0]) == ["start_ms", "end_ms", "text", "language", "emotion", "event", "confidence", "tokens"]
    assert values["segments"][0]["confidence"] == {"language": 0.9877, "emotion": 0.5, "event": 1.0}
    assert list(values["timing"]) == ["decode_s", "features_s", "vad_s", "asr_s", "total_s", "rtf"]


def test_chinese_stays_readable_in_json() -> None:
    assert "你好" in render(transcript(segment(0, 900, "你好")), "json")


def test_srt() -> None:
    text = render(transcript(segment(320, 1810, "hello"), segment(3_661_007, 3_662_000, "a --> b\n\nc")), "srt")
    assert text == "1\n00:00:00,320 --> 00:00:01,810\nhello\n\n2\n01:01:01,007 --> 01:01:02,000\na → b c\n"


def test_vtt() -> None:
    text = render(transcript(segment(320, 1810, "R&D <b>")), "vtt")
    assert text == "WEBVTT\n\n00:00:00.320 --> 00:00:01.810\nR&amp;D &lt;b&gt;\n"


def test_txt_is_a_line_a_segment() -> None:
    assert render(transcript(segment(0, 500, "one"), segment(600, 900, "two")), "txt") == "one\ntwo\n"


@pytest.mark.parametrize(("output_format", "text"), [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n")])
def test_silence_is_an_empty_document(output_format: str, text: str) -> None:
    assert render(transcript(), output_format) == text
    assert render(transcript(segment(0, 500, "")), output_format) == text


@pytest.mark.parametrize("words", [[f"word{index}" for index in range(60)], ["extraordinarily"] * 25])
def test_long_segments_are_split_between_words(words: list[str]) -> None:
    parts = cues(transcript(spoken(words)))
    assert len(parts) > 1
    assert " ".join(part.text for part in parts).split() == words
    for part in parts:
        assert len(part.text) <= CUE_COLUMNS
        assert part.end_ms - part.start_ms <= CUE_MS
    assert [part.start_ms for part in parts] == sorted(part.start_ms for part in parts)


def test_chinese_is_split_at_characters() -> None:
    characters = list("开放时间早上九点至下午五点" * 8)
    parts = cues(transcript(spoken(characters, step_ms=200, pieces="{}")))
    assert "".join(part.text for part in parts) == "".join(characters)
    assert all(len(part.text) * 2 <= CUE_COLUMNS for part in parts)


def test_a_pause_is_a_better_place_to_split() -> None:
    words = [
        Token(
            text=f"▁wordnumber{i:02d}",
            start_ms=i * 700 + (2000 if i >= 5 else 0),
            end_ms=i * 700 + 600 + (2000 if i >= 5 else 0),
            confidence=1.0,
        )
        for i in range(9)
    ]
    parts = cues(transcript(segment(0, 8_600, " ".join(word.text[1:] for word in words), tuple(words))))
    assert parts[0].text.endswith("wordnumber04")


def test_a_long_segment_without_tokens_is_split_evenly() -> None:
    parts = cues(transcript(segment(0, 20_000, "word " * 40)))
    assert " ".join(part.text for part in parts).split() == ["word"] * 40
    assert (parts[0].start_ms, parts[-1].end_ms) == (0, 20_000)
    for part in parts:
        assert part.end_ms - part.start_ms <= CUE_MS
        assert part.end_ms - part.start_ms == pytest.approx(500 * len(part.text.split()), abs=10)


def test_words_that_were_rewritten_are_in_the_subtitles_as_they_stand_in_the_text() -> None:
    spoken_words = spoken([f"word{index}" for index in range(40)])
    rewritten = spoken_words.text.replace("word7 word8", "78,").replace("word20", "Word 20.")
    parts = cues(transcript(replace(spoken_words, text=rewritten)))
    assert " ".join(part.text for part in parts) == rewritten
    assert [part.start_ms for part in parts] == sorted(part.start_ms for part in parts)


def test_an_unknown_format_lists_the_known() -> None:
    with pytest.raises(UnknownFormatError, match=re.escape(", ".join(FORMATS))):
        render(transcript(), "docx")
