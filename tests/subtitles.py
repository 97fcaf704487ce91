"""Strict readers of SRT and VTT, as players are strict: whatever breaks the grammar is an error. Not the writers' code."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

_SRT_TIMES = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d),(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d),(\d{3})")
_VTT_TIMES = re.compile(r"(\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3}) --> (\d{2,}):([0-5]\d):([0-5]\d)\.(\d{3})")


@dataclass(frozen=True)
class ReadCue:
    start_ms: int
    end_ms: int
    text: str


def _times(line: str, grammar: re.Pattern[str]) -> tuple[int, int]:
    found = grammar.fullmatch(line)
    assert found is not None, f"no time line: {line!r}"
    numbers = [int(number) for number in found.groups()]
    start, end = (((h * 60 + m) * 60 + s) * 1000 + ms for h, m, s, ms in (numbers[:4], numbers[4:]))
    assert start <= end, line
    return start, end


def _blocks(text: str) -> list[list[str]]:
    assert text.endswith("\n")
    assert "\r" not in text
    return [block.split("\n") for block in text.strip("\n").split("\n\n")]


def read_srt(text: str) -> list[ReadCue]:
    """Numbered from 1, a time line, one line of text at least."""
    cues = []
    for number, (count, times, *lines) in enumerate(_blocks(text) if text else [], start=1):
        assert count == str(number)
        assert lines and all(lines)
        assert not any("-->" in line for line in lines)
        cues.append(ReadCue(*_times(times, _SRT_TIMES), "\n".join(lines)))
    return cues


def read_vtt(text: str) -> list[ReadCue]:
    """The header line, then cues whose text holds no bare ``<``, ``&`` or arrow beside a voice (``<v name>``) at its start."""
    (header, *rest) = _blocks(text)
    assert header == ["WEBVTT"]
    cues = []
    for times, *lines in rest:
        assert lines and all(lines)
        for line in (re.sub(r"^<v (?:[^<>&\n]|&(?:amp|lt|gt);)+>", "", lines[0]), *lines[1:]):
            assert "-->" not in line
            assert not re.search(r"<|&(?!amp;|lt;|gt;)", line), line
        cues.append(ReadCue(*_times(times, _VTT_TIMES), html.unescape("\n".join(lines))))
    return cues
