"""Transcript → txt, srt, vtt, json."""

from __future__ import annotations

import html
import json
from collections.abc import Callable
from dataclasses import dataclass

from engine.errors import UnknownFormatError
from engine.transcript import Segment, Transcript
from engine.words import FIRST_WIDE, TimedStretch, timed_words

CUE_MS = 7_000  # a subtitle that stays longer is read twice
CUE_COLUMNS = 84  # two lines of 42; a CJK character counts double
PAUSE_MS = 500  # a cue prefers to end where the speaker pauses


@dataclass(frozen=True)
class Cue:
    """One subtitle: its times and its text on one line."""

    start_ms: int
    end_ms: int
    text: str
    speaker: str | None = None


def _columns(text: str) -> int:
    return sum(2 if ord(character) >= FIRST_WIDE else 1 for character in text)


def cues(transcript: Transcript) -> list[Cue]:
    """Subtitles: a segment each, longer ones split between words at a pause, after 7 s or after two lines."""
    result: list[Cue] = []
    for segment in transcript.segments:
        if not segment.text:
            continue
        if segment.end_ms - segment.start_ms <= CUE_MS and _columns(segment.text) <= CUE_COLUMNS:
            result.append(Cue(segment.start_ms, segment.end_ms, segment.text, segment.speaker))
            continue
        group: list[TimedStretch] = []
        for word in timed_words(segment):
            width = _columns(segment.text[group[0].first : word.last]) if group else 0
            long = bool(group) and (width > CUE_COLUMNS or word.end_ms - group[0].start_ms > CUE_MS)
            paused = bool(group) and word.start_ms - group[-1].end_ms >= PAUSE_MS and width > CUE_COLUMNS // 2
            if long or paused:
                result.append(_cue(segment, group))
                group = []
            group.append(word)
        if group:
            result.append(_cue(segment, group))
    return result


def _cue(segment: Segment, group: list[TimedStretch]) -> Cue:
    return Cue(group[0].start_ms, group[-1].end_ms, segment.text[group[0].first : group[-1].last], segment.speaker)


def _clock(time_ms: int, *, decimal: str) -> str:
    seconds, milliseconds = divmod(time_ms, 1000)
    return f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{decimal}{milliseconds:03d}"


def _one_line(text: str) -> str:
    """No line breaks, and no arrow that a subtitle parser would take for a time line."""
    return " ".join(text.split()).replace("-->", "→")


def _said_by(speaker: str | None) -> str:
    return "" if speaker is None else f"{speaker}: "


def to_json(transcript: Transcript) -> str:
    """One JSON object on one line."""
    return json.dumps(transcript.to_dict(), ensure_ascii=False) + "\n"


def to_txt(transcript: Transcript) -> str:
    """One line a segment, who speaks in front where that is known; nothing for silence."""
    return "".join(f"{_said_by(segment.speaker)}{_one_line(segment.text)}\n" for segment in transcript.segments if segment.text)


def to_srt(transcript: Transcript) -> str:
    """SubRip: numbered cues, comma before the milliseconds."""
    blocks = [
        f"{number}\n{_clock(cue.start_ms, decimal=',')} --> {_clock(cue.end_ms, decimal=',')}\n"
        f"{_said_by(cue.speaker)}{_one_line(cue.text)}\n"
        for number, cue in enumerate(cues(transcript), start=1)
    ]
    return "\n".join(blocks)


def to_vtt(transcript: Transcript) -> str:
    """WebVTT (https://www.w3.org/TR/webvtt1/): header, cues, ``&<>`` escaped; who speaks is the cue's voice."""
    blocks = [
        f"{_clock(cue.start_ms, decimal='.')} --> {_clock(cue.end_ms, decimal='.')}\n"
        f"{'' if cue.speaker is None else f'<v {cue.speaker}>'}{html.escape(_one_line(cue.text), quote=False)}\n"
        for cue in cues(transcript)
    ]
    return "\n".join(["WEBVTT\n", *blocks])


_WRITERS: dict[str, Callable[[Transcript], str]] = {"json": to_json, "txt": to_txt, "srt": to_srt, "vtt": to_vtt}

#: The formats a transcript can be written in.
FORMATS: tuple[str, ...] = tuple(_WRITERS)


def render(transcript: Transcript, output_format: str) -> str:
    """Write a transcript in one of :data:`FORMATS`; UnknownFormatError for any other."""
    if output_format not in _WRITERS:
        raise UnknownFormatError(output_format=output_format, known=FORMATS)
    return _WRITERS[output_format](transcript)
