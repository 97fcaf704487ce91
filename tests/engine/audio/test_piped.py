"""A recording that comes through a pipe: kept whole while it is read, bounded, and gone afterwards."""

from __future__ import annotations

import io
import os
import sys
import tempfile
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.audio import piped
from engine.audio.piped import as_file, check_once, is_piped
from engine.errors import AudioDecodeError, OptionError


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def bring(monkeypatch: pytest.MonkeyPatch, content: bytes, *, terminal: bool = False) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content), isatty=lambda: terminal))


def test_a_plain_file_is_itself(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"sound")
    with as_file(str(tmp_path / "a.wav")) as path:
        assert path == tmp_path / "a.wav"
    assert not is_piped(str(tmp_path / "lost.wav")) and not is_piped(str(tmp_path))


def test_standard_input_is_a_file_for_as_long_as_it_is_needed(own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, b"sound" * 1_000_000)
    with as_file("-") as path:
        assert path.read_bytes() == b"sound" * 1_000_000
        assert path.is_relative_to(own_temporary_folder)
    assert list(own_temporary_folder.iterdir()) == []


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_named_pipe_keeps_its_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "call.gsm")  # whose format is known by its ending alone
    writer = threading.Thread(target=lambda: (tmp_path / "call.gsm").write_bytes(b"sound"))
    writer.start()
    with as_file(str(tmp_path / "call.gsm")) as path:
        assert (path.name, path.read_bytes()) == ("call.gsm", b"sound")
    writer.join()


def test_a_pipe_without_an_end_is_left_when_there_is_no_room(own_temporary_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, b"0" * 10_000_000)
    monkeypatch.setattr(piped, "MOST_BYTES", 5_000_000)
    with pytest.raises(AudioDecodeError, match=r"cannot read stdin as audio \(more than 5 MB came"), as_file("-"):
        pytest.fail("it was kept")
    assert list(own_temporary_folder.iterdir()) == []


def test_no_temporary_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, b"sound")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "lost"))
    with pytest.raises(AudioDecodeError, match="keeping what it brings failed: No such file or directory"), as_file("-"):
        pytest.fail("it was kept")


def test_a_terminal_is_no_recording_and_nothing_is_read_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    bring(monkeypatch, b"", terminal=True)
    with pytest.raises(OptionError, match="which is a terminal; pipe a recording in"):
        check_once(["a.wav", "-"])
    check_once(["a.wav"])
    bring(monkeypatch, b"")
    check_once(["a.wav", "-"])
    with pytest.raises(OptionError, match="read once"):
        check_once(["-", "-"])
