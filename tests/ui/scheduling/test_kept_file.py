"""A recording that several callers upload at once is one file of Gradio's: none of them loses it."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from engine.errors import AudioNotFoundError
from ui.scheduling import kept_file as kept_file_module
from ui.scheduling.kept_file import keep_file, kept_file


def test_the_file_is_there_until_the_block_ends_and_costs_no_room(tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(b"sound")
    with kept_file(source, tmp_path / "requests") as kept:
        source.unlink()
        assert kept.read_bytes() == b"sound"
        assert kept.name == "a.wav"
    assert list((tmp_path / "requests").iterdir()) == []


def test_one_that_is_gone_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioNotFoundError, match=r"lost\.wav"):
        keep_file(tmp_path / "lost.wav", tmp_path / "requests" / "lost.wav")


def test_one_that_is_replaced_at_that_moment_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(b"sound")
    link, refused = os.link, list[Path]()

    def refused_twice(one: Path, other: Path) -> None:
        if len(refused) < 2:
            refused.append(one)
            raise FileNotFoundError(one)
        link(one, other)

    monkeypatch.setattr(kept_file_module.os, "link", refused_twice)
    keep_file(source, tmp_path / "requests" / "a.wav")
    assert (tmp_path / "requests" / "a.wav").read_bytes() == b"sound"
    assert len(refused) == 2


def test_nobody_loses_a_recording_that_others_upload_as_well(tmp_path: Path) -> None:
    source, stop = tmp_path / "a.wav", threading.Event()
    source.write_bytes(b"sound")

    def upload() -> None:
        while not stop.is_set():
            (tmp_path / "upload").write_bytes(b"sound")
            (tmp_path / "upload").replace(source)

    thread = threading.Thread(target=upload)
    thread.start()
    try:
        for _ in range(600):
            with kept_file(source, tmp_path / "requests") as kept:
                assert kept.read_bytes() == b"sound"
    finally:
        stop.set()
        thread.join()
