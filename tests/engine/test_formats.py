"""txt, srt, vtt, json, csv: valid and escaped. How subtitles are cut: tests/engine/subtitles."""

from __future__ import annotations

import csv
import io
import json
import re
from dataclasses import replace

import pytest

from engine.errors import UnknownFormatError
from engine.formats import CSV_COLUMNS, FORMATS, SUBTITLE_FORMATS, render
from engine.subtitles.options import SubtitleOptions
from engine.transcript import TagConfidence
from tests.subtitles import read_vtt
from tests.transcripts import segment, transcript


def test_json_is_one_object_on_one_line_with_the_contracts_keys() -> None:
    unsure = replace(segment(320, 1810, "hello"), confidence=TagConfidence(language=0.98765, emotion=0.5, event=1.0))
    line = render(transcript(unsure, duration_s=12.3456), "json")
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


def test_csv_is_a_row_a_segment_that_no_spreadsheet_computes() -> None:
    said = transcript(segment(320, 1810, 'a "b", c\nd', speaker="@Ann"), segment(3_661_007, 3_662_000, "=1+1"))
    header, *rows = csv.reader(io.StringIO(render(said, "csv"), newline=""))
    assert tuple(header) == CSV_COLUMNS
    assert rows == [
        ["0.320", "1.810", "'@Ann", "en", "NEUTRAL", "Speech", 'a "b", c d'],
        ["3661.007", "3662.000", "", "en", "NEUTRAL", "Speech", "'=1+1"],
    ]


@pytest.mark.parametrize(("output_format", "text"), [("txt", ""), ("srt", ""), ("vtt", "WEBVTT\n")])
def test_silence_is_an_empty_document(output_format: str, text: str) -> None:
    assert render(transcript(), output_format) == text
    assert render(transcript(segment(0, 500, "")), output_format) == text


def test_subtitles_are_cut_as_the_options_say() -> None:
    talk = transcript(segment(0, 6_000, "one two three four five six seven eight"))
    assert render(talk, "srt") == "1\n00:00:00,000 --> 00:00:06,000\none two three four five six seven eight\n"
    narrow = SubtitleOptions(max_line_width=14, max_line_count=2, min_cue_ms=1_000)
    assert [cue.text.split("\n") for cue in read_vtt(render(talk, "vtt", subtitles=narrow))] == [
        ["one two", "three four"],
        ["five six", "seven eight"],
    ]
    assert render(talk, "txt", subtitles=narrow) == render(talk, "txt")


def test_a_speaker_stands_before_the_words_or_is_a_voice() -> None:
    named = segment(0, 1_000, "good morning", speaker="A & B")
    assert render(transcript(named), "srt").endswith("\nA & B: good morning\n")
    assert render(transcript(named), "vtt").endswith("\n<v A &amp; B>good morning\n")


def test_the_formats_with_times_and_lines_are_named() -> None:
    assert set(SUBTITLE_FORMATS) == {"srt", "vtt"} < set(FORMATS)


def test_an_unknown_format_lists_the_known() -> None:
    with pytest.raises(UnknownFormatError, match=re.escape(", ".join(FORMATS))):
        render(transcript(), "docx")
