"""Transcript → a document of a word processor: docx (Office Open XML, ECMA-376), written by python-docx."""

from __future__ import annotations

import io
from collections.abc import Callable
from unicodedata import category

from engine.errors import UnknownFormatError
from engine.formats import FORMATS, SUBTITLE_FORMATS, render
from engine.subtitles.options import SubtitleOptions
from engine.tags import Emotion, Event
from engine.transcript import Segment, Transcript

#: Tags that say nothing that a reader would miss.
_PLAIN = frozenset({Emotion.NEUTRAL, Emotion.EMO_UNKNOWN, Event.SPEECH, Event.EVENT_UNK})


def to_docx(transcript: Transcript) -> bytes:
    """A heading with the recording's name, its length, then a paragraph a segment: its time, who speaks, what was said, notable tags."""
    from docx import Document  # noqa: PLC0415 - with lxml 40 MB of memory, for who asks for a document

    document = Document()
    document.core_properties.author = "LightVoice"
    document.core_properties.comments = ""
    document.core_properties.title = _writable(transcript.file)
    document.add_heading(_writable(transcript.file), level=1)
    document.add_paragraph(f"{_clock(round(transcript.duration_s * 1000))} · {_writable(transcript.bundle)} {transcript.precision.upper()}")
    for segment in transcript.segments:
        if segment.text:
            paragraph = document.add_paragraph()
            paragraph.add_run(f"{_clock(segment.start_ms)}  ").italic = True
            if segment.speaker is not None:
                paragraph.add_run(f"{_writable(segment.speaker)}: ").bold = True
            paragraph.add_run(_writable(segment.text))
            if tags := _notable(segment):
                paragraph.add_run(f"  [{tags}]").italic = True
    written = io.BytesIO()
    document.save(written)
    return written.getvalue()


def _notable(segment: Segment) -> str:
    return ", ".join(tag.value for tag in (segment.emotion, segment.event) if tag not in _PLAIN)


def _writable(text: str) -> str:
    """Text on one line, without what XML cannot hold: control characters, halves of surrogates, noncharacters."""
    kept = (" " if category(character) == "Cc" else character for character in text if category(character) not in ("Cs", "Cn"))
    return " ".join("".join(kept).split())


def _clock(time_ms: int) -> str:
    minutes, second = divmod(time_ms // 1000, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02d}:{second:02d}"


_WRITERS: dict[str, Callable[[Transcript], bytes]] = {"docx": to_docx}

#: Formats that are no text.
DOCUMENT_FORMATS: tuple[str, ...] = tuple(_WRITERS)


def written(transcript: Transcript, output_format: str, *, subtitles: SubtitleOptions | None = None) -> bytes:
    """A transcript as the bytes of a file, in any format; UnknownFormatError for one that is not written."""
    if output_format in _WRITERS:
        return _WRITERS[output_format](transcript)
    if output_format not in FORMATS:
        raise UnknownFormatError(output_format=output_format, known=(*FORMATS, *DOCUMENT_FORMATS))
    return render(transcript, output_format, subtitles=subtitles if output_format in SUBTITLE_FORMATS else None).encode("utf-8")
