"""Downloads: every format, safe names, a zip of all; subtitles that a strict reader takes."""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from engine.audio.waveform import load_audio
from engine.documents import DOCUMENT_FORMATS
from engine.formats import CSV_COLUMNS, FORMATS, render
from engine.subtitles.options import SubtitleOptions
from engine.transcript import Transcript
from tests.subtitles import read_srt, read_vtt
from tests.ui.fake_engine import FakeEngine
from ui.transcribe.exports import DOWNLOADS, MEDIA_TYPES, TEXT_DOWNLOADS, download, file_stem, zip_of_all


@pytest.fixture
def transcript(two_words: Path) -> Transcript:
    return FakeEngine().transcribe(load_audio(two_words), file="my talk.wav")


def test_every_format_is_offered_as_the_engine_renders_it(transcript: Transcript) -> None:
    assert set(TEXT_DOWNLOADS) == set(FORMATS)
    assert set(DOWNLOADS) == {*FORMATS, *DOCUMENT_FORMATS} == set(MEDIA_TYPES)
    for name in FORMATS:
        file_name, content = download(transcript, name)
        assert file_name == f"my talk.{name}"
        assert content.decode("utf-8") == render(transcript, name)
    assert json.loads(download(transcript, "json")[1])["file"] == "my talk.wav"


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_transcript_is_a_valid_file(transcript: Transcript, name: str) -> None:
    content = download(replace(transcript, segments=()), name)[1].decode("utf-8")
    if name == "json":
        assert json.loads(content)["segments"] == []
    elif name == "vtt":
        assert read_vtt(content) == []
    elif name == "csv":
        assert content == ",".join(CSV_COLUMNS) + "\r\n"
    else:
        assert content == ""


def test_subtitles_are_what_their_readers_expect(transcript: Transcript) -> None:
    nasty = replace(
        transcript, segments=(replace(transcript.segments[0], text="a --> b & <i>c</i>\n\n2", tokens=()), *transcript.segments[1:])
    )
    expected = [(segment.start_ms, max(segment.end_ms, segment.start_ms + 800)) for segment in nasty.segments]
    for read, name in ((read_srt, "srt"), (read_vtt, "vtt")):
        cues = read(download(nasty, name)[1].decode("utf-8"))
        assert [(cue.start_ms, cue.end_ms) for cue in cues] == expected
        assert cues[0].text == "a → b & <i>c</i> 2"


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("talk.wav", "talk"),
        ("会议 (1).final.mp3", "会议 (1).final"),
        ("../../etc/passwd.wav", "passwd"),
        ("C:\\Users\\me\\a.wav", "a"),
        ('<img src=x onerror="x">.wav', "_img src=x onerror=_x__"),
        ("a:b|c?.wav", "a_b_c_"),
        (".hidden", "hidden"),
        ("no ending", "no ending"),
        ("", "transcript"),
        ("...", "transcript"),
        ("  .wav", "transcript"),
        ("con.wav", "_con"),
        ("line\nbreak\x00.wav", "line_break_"),
        ("evil\u202egpj.wav", "evil_gpj"),
        ("x" * 300 + ".wav", "x" * 100),
    ],
)
def test_a_download_has_a_name_that_every_system_takes(name: str, stem: str) -> None:
    assert file_stem(name) == stem


def test_subtitles_are_cut_as_asked_in_a_download_and_in_the_zip(transcript: Transcript) -> None:
    long = replace(transcript, segments=(replace(transcript.segments[0], text="one two three four five six", tokens=(), end_ms=2_900),))
    narrow = SubtitleOptions(max_line_width=14, max_line_count=1)
    assert [cue.text for cue in read_srt(download(long, "srt", subtitles=narrow)[1].decode())] == ["one two three", "four five six"]
    with zipfile.ZipFile(io.BytesIO(zip_of_all([long], subtitles=narrow))) as archive:
        assert len(read_vtt(archive.read("my talk.vtt").decode())) == 2


def test_the_zip_holds_every_transcript_in_every_format_under_a_name_of_its_own(transcript: Transcript) -> None:
    names = ["a.wav", "A.mp3", "a.flac", "../a.wav", "b.wav"]
    packed = zip_of_all(replace(transcript, file=name) for name in names)
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert archive.testzip() is None
        inside = archive.namelist()
        files = {json.loads(archive.read(name))["file"]: name for name in inside if name.endswith(".json")}
    stems = ["a", "A-2", "a-3", "a-4", "b"]
    assert inside == [f"{stem}.{output_format}" for stem in stems for output_format in DOWNLOADS]
    assert files == {name: f"{stem}.json" for name, stem in zip(names, stems, strict=True)}


def test_a_zip_of_nothing_is_a_zip() -> None:
    with zipfile.ZipFile(io.BytesIO(zip_of_all([]))) as archive:
        assert archive.namelist() == []
