"""Names in any encoding and of any length: what is printed of them, and what a file system takes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import soundfile

from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import load_audio
from engine.errors import AudioDecodeError, AudioNotFoundError
from engine.files.batch_journal import BatchJournal, result_paths
from engine.files.file_names import LONGEST_NAME_BYTES, printable, shortened
from tests.starter_facts import DIGITS

NOT_UTF8 = os.fsdecode("录音".encode("gbk"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("talk.wav", "talk.wav"),
        ("录音 😀.wav", "录音 😀.wav"),
        ("caf\udce9.wav", "caf\ufffd.wav"),
        ("\udcff\udcfe", "\ufffd\ufffd"),
        ("\ud800x", "?x"),
    ],
)
def test_whatever_is_no_text_is_replaced(name: str, shown: str) -> None:
    assert printable(name) == shown
    shown.encode("utf-8")


@pytest.mark.parametrize("name", ["plain", "录音录音", "café", "a\udcff\udcfeb", "😀😀"])
def test_a_name_is_cut_between_characters(name: str) -> None:
    whole = name.encode("utf-8", "surrogateescape")
    for most in range(len(whole) + 3):
        kept = shortened(name, most)
        size = len(kept.encode("utf-8", "surrogateescape"))
        assert name.startswith(kept) and size <= most
        if kept != name:
            assert size + len(name[len(kept)].encode("utf-8", "surrogateescape")) > most


@pytest.mark.skipif(os.name != "posix" or os.sys.platform == "darwin", reason="this file system takes text alone")
@pytest.mark.parametrize("extension", ["wav", "mp3", "m4a"])
def test_a_recording_whose_name_is_not_utf8_is_read(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"{NOT_UTF8}.{extension}"
    samples = load_audio(DIGITS).samples
    if extension == "m4a":
        path.write_bytes((DIGITS).read_bytes())  # FLAC by its content
    else:
        soundfile.write(path.with_name(f"plain.{extension}"), samples, 16_000)
        path.with_name(f"plain.{extension}").rename(path)
    decoder = Decoder()
    assert decoder.probe(path) is not None
    waveform = decoder.load(path)
    assert waveform.duration_s == pytest.approx(len(samples) / 16_000, abs=0.1)
    assert waveform.name == load_audio(path).name == printable(path.name)
    path.write_bytes(b"no audio")
    with pytest.raises(AudioDecodeError):
        decoder.load(path)
    decoder.close()


@pytest.mark.parametrize("name", ["noextension", "talk.caf.download", "x.raw", "x.wav.txt", "x.TS", "x.mp3", "ending."])
def test_content_decides_not_the_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(DIGITS.read_bytes())
    decoder = Decoder()
    assert decoder.probe(path).container == "FLAC"
    assert decoder.load(path).duration_s == pytest.approx(6.1, abs=0.01)
    decoder.close()


@pytest.mark.parametrize(("container", "extension"), [("CAF", "caf"), ("W64", "w64"), ("AIFF", "aiff"), ("AU", "au"), ("RF64", "rf64")])
def test_rarer_containers_are_read_with_and_without_their_endings(tmp_path: Path, container: str, extension: str) -> None:
    samples = load_audio(DIGITS).samples
    decoder = Decoder()
    for name in (f"talk.{extension}", "talk"):
        soundfile.write(tmp_path / name, samples, 16_000, format=container, subtype="PCM_16")
        assert decoder.load(tmp_path / name).duration_s == pytest.approx(len(samples) / 16_000)
    decoder.close()


def test_a_name_that_no_file_can_have_is_no_file(tmp_path: Path) -> None:
    for name in ("x" * 5_000 + ".wav", "a\0b.wav"):
        with pytest.raises((AudioNotFoundError, AudioDecodeError)):
            load_audio(tmp_path / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_no_file_and_nobody_waits_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.wav")
    with pytest.raises(AudioDecodeError, match="it is no file, but a pipe or a device"):
        load_audio(tmp_path / "pipe.wav")


def test_results_get_names_that_the_file_system_takes(tmp_path: Path) -> None:
    longest = "录" * 83 + "ab.wav"  # 255 bytes
    paths = result_paths(
        tmp_path / "out", [longest, f"other/{longest}", "x" * 251 + ".mp3", "x" * 251 + ".wav", "Talk.wav", "talk.wav"], "json"
    )
    assert len({path.name.casefold() for path in paths}) == len(paths)
    journal = BatchJournal(tmp_path / "out", settings={})
    source = tmp_path / "recording"
    source.write_bytes(b"sound")
    for path in paths:
        assert len(os.fsencode(path.name)) <= LONGEST_NAME_BYTES
        assert path.name.endswith(".json")
        journal.write(source, path, "{}\n")
        assert path.read_text(encoding="utf-8") == "{}\n"
    assert paths[1].name.endswith("-2.json") and paths[5].name == "talk-2.json"
    again = BatchJournal(tmp_path / "out", settings={})
    assert all(again.is_finished(source, path) for path in paths)
