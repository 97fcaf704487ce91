"""Subtitles of real speech as the embedded bundle recognizes it, read back by two readers that are not ours."""

from __future__ import annotations

import itertools
from pathlib import Path
from unicodedata import east_asian_width

import pytest
import srt

from engine.audio.waveform import load_audio
from engine.formats import render
from engine.pipeline import Engine
from engine.subtitles.cues import cues
from tests.subtitles import read_srt, read_vtt

NAMES = ("harvard.wav", "jfk.flac", "multilingual.mp3", "silero_test.wav", "BAC009S0764W0121.wav", "sensevoice_example_zh.mp3")


def width(line: str) -> int:
    return sum(2 if east_asian_width(character) in "WF" else 1 for character in line)


@pytest.mark.weights
@pytest.mark.parametrize("name", NAMES)
def test_real_speech_is_readable(data_dir: Path, engine: Engine, name: str) -> None:
    path = data_dir / "real" / name
    if not path.is_file():
        pytest.skip(f"no recording {path}")
    talk = engine.transcribe(load_audio(path))
    found = cues(talk)
    assert found
    for cue in found:
        assert len(cue.lines) <= 2
        assert all(width(line) <= 42 for line in cue.lines)
        assert 800 <= cue.end_ms - cue.start_ms <= 7_000
        assert cue.end_ms <= round(talk.duration_s * 1000)
    assert all(before.end_ms <= after.start_ms for before, after in itertools.pairwise(found))
    assert "".join("".join(cue.text.split()) for cue in found) == "".join(talk.text.split())
    alone = [cue for cue in found if len(cue.text.split()) == 1 and cue.text.isascii()]
    assert all(cue.text in {segment.text for segment in talk.segments} for cue in alone)
    expected = [(cue.start_ms, cue.end_ms, cue.text) for cue in found]
    as_srt = render(talk, "srt")
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in read_srt(as_srt)] == expected
    assert [cue.content for cue in srt.parse(as_srt)] == [text for _, _, text in expected]
    assert [(cue.start_ms, cue.end_ms, cue.text) for cue in read_vtt(render(talk, "vtt"))] == expected
