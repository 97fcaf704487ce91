"""Downloads: one file a format, named after the recording."""

from __future__ import annotations

import json
from pathlib import Path

from engine.audio import load_audio
from engine.formats import FORMATS, render
from tests.ui.fake_engine import FakeEngine
from ui.exports import write_exports


def test_every_format_is_written_as_the_engine_renders_it(two_words: Path, tmp_path: Path) -> None:
    transcript = FakeEngine().transcribe(load_audio(two_words), file="my talk.wav")
    paths = write_exports(transcript, tmp_path)
    assert set(paths) == set(FORMATS)
    for name, path in paths.items():
        assert path.name == f"my talk.{name}"
        assert path.read_text(encoding="utf-8") == render(transcript, name)
    assert json.loads(paths["json"].read_text(encoding="utf-8"))["file"] == "my talk.wav"


def test_two_runs_do_not_overwrite_each_other(two_words: Path, tmp_path: Path) -> None:
    transcript = FakeEngine().transcribe(load_audio(two_words))
    first, second = write_exports(transcript, tmp_path), write_exports(transcript, tmp_path)
    assert first["txt"] != second["txt"]
    assert first["txt"].is_file()


def test_a_name_that_is_a_path_stays_inside_the_folder(two_words: Path, tmp_path: Path) -> None:
    transcript = FakeEngine().transcribe(load_audio(two_words), file="../../etc/passwd.wav")
    for path in write_exports(transcript, tmp_path).values():
        assert path.resolve().is_relative_to(tmp_path.resolve())
