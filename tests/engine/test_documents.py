"""A transcript as a document of a word processor, read back by python-docx."""

from __future__ import annotations

import io
from dataclasses import replace

import docx
import pytest

from engine.documents import DOCUMENT_FORMATS, to_docx, written
from engine.errors import UnknownFormatError
from engine.formats import FORMATS, render
from engine.subtitles.options import SubtitleOptions
from engine.tags import Emotion, Event
from engine.transcript import Transcript
from tests.transcripts import segment, transcript


def paragraphs(content: bytes) -> list[str]:
    return [one.text for one in docx.Document(io.BytesIO(content)).paragraphs]


def talk() -> Transcript:
    loud = replace(segment(61_000, 62_000, "stop & go <b>", speaker="Ann"), emotion=Emotion.ANGRY, event=Event.LAUGHTER)
    return replace(transcript(segment(320, 1_810, "你好 world"), loud, segment(63_000, 64_000, ""), duration_s=3_700.0), file="会议.wav")


def test_a_document_has_a_heading_and_a_paragraph_a_segment() -> None:
    assert paragraphs(to_docx(talk())) == [
        "会议.wav",
        "1:01:40 · tiny INT8",
        "0:00:00  你好 world",
        "0:01:01  Ann: stop & go <b>  [ANGRY, Laughter]",
    ]


def test_what_xml_cannot_hold_is_left_out() -> None:
    spoilt = replace(transcript(segment(0, 900, "a\x00b\x1fc\ud800d\ufffee")), file="x\x01\udc80.wav")
    assert paragraphs(to_docx(spoilt)) == ["x .wav", "0:00:00 · tiny INT8", "0:00:00  a b cde"]


def test_silence_is_a_document_too() -> None:
    assert len(paragraphs(to_docx(transcript(duration_s=2.0)))) == 2


def test_every_format_is_written_as_bytes_and_an_unknown_one_is_named() -> None:
    narrow = SubtitleOptions(max_line_width=16, max_line_count=1)
    for output_format in FORMATS:
        assert written(talk(), output_format, subtitles=narrow).decode() == render(talk(), output_format, subtitles=narrow)
    assert DOCUMENT_FORMATS == ("docx",)
    with pytest.raises(UnknownFormatError, match="docx"):
        written(talk(), "exe")
