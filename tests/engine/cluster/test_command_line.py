"""``python -m engine.cluster``: what it says, and its exit status. The work is done in this process."""

from __future__ import annotations

import builtins
import json

import pytest

import engine.cluster.__main__ as command_line
from engine.cluster.__main__ import main
from tests.engine.cluster.workers_here import WorkersHere


@pytest.fixture
def here(monkeypatch, arrow) -> None:
    monkeypatch.setattr(command_line, "start_ray", lambda *_, **__: None)
    monkeypatch.setattr(command_line, "RayWorkers", lambda **_: WorkersHere())


def test_an_archive_is_transcribed_and_what_failed_is_said(here, archive, tmp_path, capsys):
    (tmp_path / "junk.wav").write_bytes(b"junk")
    output = tmp_path / "out"
    command = ["transcribe", f"{archive}/digits-en.wav", str(tmp_path / "junk.wav"), "--output", str(output), "--format", "srt"]
    assert main(command) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "1 done (0 before), 1 failed" in told.err
    assert "junk.wav: cannot read junk.wav as audio" in told.err
    assert json.loads((output / "report.json").read_text())["failed"] == 1
    assert main([*command[:2], *command[3:]]) == 0
    assert "1 done (1 before), 0 failed" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "doc"], "unknown format 'doc'"),
        (["--precision", "fp64"], "unknown precision 'fp64'"),
        (["--language", "xx"], "unknown language 'xx'"),
        (["--bundle", "nothing"], "no bundle 'nothing'"),
        (["--max-line-width", "2"], "max_line_width is 2"),
    ],
)
def test_a_wrong_choice_is_said_before_anything_is_started(here, archive, tmp_path, capsys, arguments, said):
    assert main(["transcribe", str(archive), "--output", str(tmp_path / "out"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_nothing_to_do_is_no_success(here, tmp_path, capsys):
    assert main(["transcribe", str(tmp_path / "gone"), "--output", str(tmp_path / "out")]) == 2
    assert "no recording in" in capsys.readouterr().err


def test_without_ray_it_says_how_to_get_it(archive, tmp_path, capsys, monkeypatch, arrow):
    imported = builtins.__import__

    def without_ray(name, *arguments):
        if name == "ray":
            raise ModuleNotFoundError("No module named 'ray'", name="ray")
        return imported(name, *arguments)

    monkeypatch.setattr(builtins, "__import__", without_ray)
    assert main(["transcribe", str(archive), "--output", str(tmp_path / "out")]) == 2
    assert "pip install -r requirements-cluster.txt" in capsys.readouterr().err
