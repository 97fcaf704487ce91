"""Transcript → txt, srt, vtt, json, csv. What is no text, docx, is written by :mod:`engine.documents`."""

from __future__ import annotations

import csv
import html
import io
import json
from collections.abc import Callable, Iterable

from engine.errors import UnknownFormatError
from engine.subtitles.cues import cues, label_of
from engine.subtitles.options import SubtitleOptions
from engine.transcript import Transcript


def _clock(time_ms: int, *, decimal: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{decimal}{milliseconds:03d}"


def _one_line(text: str) -> str:
    """No line breaks, and no arrow that a subtitle parser would take for a time line."""
    return " ".join(text.split()).replace("-->", "→")


def to_json(transcript: Transcript) -> str:
    """One JSON object on one line."""
    return json.dumps(transcript.to_dict(), ensure_ascii=False) + "\n"


def to_txt(transcript: Transcript) -> str:
    """One line a segment, who speaks in front where that is known; nothing for silence."""
    return "".join(f"{label_of(segment.speaker)}{_one_line(segment.text)}\n" for segment in transcript.segments if segment.text)


#: The columns of a CSV file; a segment without a speaker leaves that cell empty.
CSV_COLUMNS = ("start_s", "end_s", "speaker", "language", "emotion", "event", "text")
#: Spreadsheets compute a cell that begins so; an apostrophe in front makes it text
#: (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = ("=", "+", "-", "@")


def to_csv(transcript: Transcript) -> str:
    """Comma-separated values (RFC 4180) with a heading: a row a segment, times in seconds."""
    written = io.StringIO()
    rows = csv.writer(written, lineterminator="\r\n")
    rows.writerow(CSV_COLUMNS)
    for one in transcript.segments:
        times = (f"{one.start_ms / 1000:.3f}", f"{one.end_ms / 1000:.3f}")
        rows.writerow((*times, _cell(one.speaker or ""), one.language.value, one.emotion.value, one.event.value, _cell(one.text)))
    return written.getvalue()


def _cell(text: str) -> str:
    line = " ".join(text.split())
    return f"'{line}" if line.startswith(_FORMULA) else line


def to_srt(transcript: Transcript, options: SubtitleOptions | None = None) -> str:
    """SubRip: numbered cues, comma before the milliseconds; a speaker's name before the first line."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, decimal=',')} --> {_clock(cue.end_ms, decimal=',')}\n"
        f"{_lines((label_of(cue.speaker) + cue.lines[0], *cue.lines[1:]))}\n"
        for number, cue in enumerate(cues(transcript, options), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: Transcript, options: SubtitleOptions | None = None) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/): header, cues, ``&<>`` escaped; a speaker is a voice (``<v name>``)."""
    blocks = [
        f"{_clock(cue.start_ms, decimal='.')} --> {_clock(cue.end_ms, decimal='.')}\n"
        f"{_voice(cue.speaker)}{html.escape(_lines(cue.lines), quote=False)}\n"
        for cue in cues(transcript, options)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


def _lines(lines: Iterable[str]) -> str:
    return "\n".join(_one_line(line) for line in lines)


def _voice(speaker: str | None) -> str:
    return "" if speaker is None else f"<v {html.escape(_one_line(speaker))}>"


_WRITERS: dict[str, Callable[[Transcript], str]] = {"json": to_json, "txt": to_txt, "csv": to_csv}
_SUBTITLES: dict[str, Callable[[Transcript, SubtitleOptions | None], str]] = {"srt": to_srt, "vtt": to_vtt}

#: The formats a transcript can be written in, and those of them that have times and lines.
FORMATS: tuple[str, ...] = (*_WRITERS, *_SUBTITLES)
SUBTITLE_FORMATS: tuple[str, ...] = tuple(_SUBTITLES)


def render(transcript: Transcript, output_format: str, *, subtitles: SubtitleOptions | None = None) -> str:
    """Write a transcript in one of :data:`FORMATS`; UnknownFormatError for any other. ``subtitles`` says how cues are cut."""
    if output_format in _SUBTITLES:
        return _SUBTITLES[output_format](transcript, subtitles)
    if output_format not in _WRITERS:
        raise UnknownFormatError(output_format=output_format, known=FORMATS)
    return _WRITERS[output_format](transcript)
