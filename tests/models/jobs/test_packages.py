"""Which packages a command needs, told before it runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from models.jobs import packages
from models.jobs.packages import Packages, installer, missing, packages_for, program

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    ("line", "needed"),
    [
        ("", "none"),
        ("--help", "none"),
        ("export --help", "none"),
        ("export", "none"),  # wrong: the command says what it lacks
        ("sing", "none"),
        ("advise", "none"),
        ("fetch list", "none"),
        ("fetch whisper", "none"),
        ("fetch sensevoice-small --edition int4", "none"),
        ("fetch sensevoice-small-int8", "light"),
        ("fetch sensevoice-small --edition int8 --source modelscope", "light"),
        ("fetch sensevoice-small", "full"),
        ("fetch sensevoice-small --edition fp32", "full"),
        ("fetch sensevoice-small --edition sherpa", "full"),  # its FSMN-VAD is a checkpoint
        ("self-test BUNDLE", "light"),
        ("evaluate BUNDLE --data DIR", "light"),
        ("benchmark BUNDLE", "light"),
        ("benchmark BUNDLE --plots DIR", "full"),
        ("quantize BUNDLE", "full"),
        ("prune BUNDLE", "full"),
        ("export DIR --output BUNDLE", "full"),
        ("random-checkpoint DIR", "full"),
    ],
)
def test_what_a_command_line_needs(line: str, needed: str) -> None:
    assert packages_for(line.split()) == needed


def imported(*arguments: str) -> Packages:
    return packages_for(["import", "--output", "bundle", *arguments])


def test_an_import_needs_pytorch_for_checkpoints_alone(tmp_path: Path) -> None:
    ready = tmp_path / "home" / "sherpa"
    ready.mkdir(parents=True)
    graph = ready / "model.int8.onnx"
    graph.touch()
    assert imported(str(tmp_path / "nowhere")) == Packages.NONE
    assert imported(str(ready)) == imported(str(graph)) == Packages.LIGHT
    cached = tmp_path / "models--FunAudioLLM--SenseVoiceSmall" / "snapshots" / "0123"
    cached.mkdir(parents=True)
    (cached / "model.pt").touch()
    assert imported(str(cached.parents[1])) == imported(str(cached)) == Packages.FULL
    assert imported(str(ready), "--vad", str(cached)) == Packages.FULL
    beside = ready.parent / "fsmn-vad"
    beside.mkdir()
    (beside / "model.pt").touch()
    assert imported(str(ready)) == imported(str(graph)) == Packages.FULL
    assert imported(str(ready), "--vad", str(ready)) == Packages.LIGHT


@pytest.mark.parametrize(("name", "needed"), [("SenseVoiceSmall/model.pt", "full"), ("sherpa/model.onnx", "light")])
def test_an_archive_is_looked_into(tmp_path: Path, name: str, needed: str) -> None:
    path = tmp_path / "carried.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(name, "")
    assert imported(str(path)) == needed


def test_run_sh_is_answered_on_standard_output_and_nothing_heavy_is_loaded() -> None:
    heavy = "import runpy, sys; sys.modules.update(dict.fromkeys(('torch', 'onnx', 'onnxruntime', 'yaml')));"
    code = f"{heavy} sys.argv = ['models', '--packages', 'quantize', 'my bundle']; runpy.run_module('models', run_name='__main__')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "full\n", "")


def test_jobs_go_through_run_sh_where_something_is_missing_and_this_python_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "ROOT", tmp_path)
    monkeypatch.setattr(packages, "missing", lambda needed: ("torch",) if needed == Packages.FULL else ())
    plain = (sys.executable, "-m", "models")
    assert installer(yes=True) is None
    assert program(["quantize", "bundle"], yes=True) == plain
    (tmp_path / ".venv").mkdir()
    (tmp_path / "run.sh").touch()
    monkeypatch.setattr(packages.sys, "prefix", str(tmp_path / ".venv"))
    assert program(["quantize", "bundle"], yes=True)[1:] == (str(tmp_path / "run.sh"), "--yes", "models")
    assert program(["quantize", "bundle"], yes=False)[1:] == (str(tmp_path / "run.sh"), "models")
    assert program(["self-test", "bundle"], yes=True) == plain


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.jobs.packages.importlib.util.find_spec", lambda name: None if name == "onnx" else object())
    assert missing(Packages.LIGHT) == ("onnx",)
    assert missing(Packages.NONE) == ()
