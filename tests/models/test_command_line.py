"""`python -m models` where the workshop's packages are not installed, as after the first `./run.sh`."""

from __future__ import annotations

import argparse
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import models.__main__ as command_line
from engine.errors import OptionError, SessionError

ROOT = Path(__file__).resolve().parents[2]
SLIM = """
import runpy, sys
for name in ("torch", "onnx", "funasr", "modelscope", "librosa", "sentencepiece"):
    sys.modules[name] = None
sys.argv = ["models", *sys.argv[1:]]
runpy.run_module("models", run_name="__main__")
"""


def run_slim(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", SLIM, *arguments], capture_output=True, text=True, check=False, cwd=ROOT)


def test_advice_needs_no_workshop():
    done = run_slim("advise")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(("fp32", "int8"))


def test_a_command_of_the_workshop_says_what_to_install(tmp_path):
    done = run_slim("export", str(tmp_path), "--output", str(tmp_path / "bundle"))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "./run.sh --full-install" in done.stderr


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """`python -m models …` as a person runs it."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("HF_", "MODELSCOPE_", "LIGHTVOICE_"))}
    return subprocess.run(
        [sys.executable, "-m", "models", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
        cwd=ROOT,
        env=environment | {"NO_PROXY": "127.0.0.1", **variables},
    )


@pytest.mark.slow
def test_from_the_hub_to_the_first_transcript(random_checkpoint: Path, tmp_path: Path) -> None:
    """fetch → quantize → prune → evaluate → transcribe, each as its own process, on a tiny checkpoint from a hub double."""
    from models.fetch.catalog import SHERPA_ONNX
    from tests.models.export.ready_made_folders import sherpa_folder
    from tests.models.fetch.hub_double import serve_hub

    # The official checkpoint's files are pinned; what sherpa-onnx publishes is not.
    parts = {SHERPA_ONNX: sherpa_folder(random_checkpoint, tmp_path / "sherpa"), "funasr/fsmn-vad": random_checkpoint / "vad"}
    files = {repo: {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()} for repo, folder in parts.items()}
    bundle = tmp_path / "bundles" / "sensevoice-small-sherpa"
    home = {name: str(tmp_path / "home") for name in ("HOME", "HF_HOME", "MODELSCOPE_CACHE", "XDG_CACHE_HOME")}
    with serve_hub(files) as hub:
        fetching = ("fetch", "sensevoice-small", "--edition", "sherpa", "--source", "huggingface")
        done = run(*fetching, HF_ENDPOINT=hub.url, LIGHTVOICE_BUNDLES=str(bundle.parent), **home)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(bundle)
    assert "MB/s" in done.stderr
    done = run("quantize", str(bundle), "--recipe", "mixed", LIGHTVOICE_PROGRESS="json")
    assert done.returncode == 0, done.stderr
    assert any(line.startswith("@result") and str(bundle) in line for line in done.stderr.splitlines())
    done = run("prune", str(bundle), "--amount", "0.2", "--json", str(tmp_path / "prune.json"))
    assert done.returncode == 0, done.stderr
    assert "| fp32-pruned |" in done.stdout
    assert json.loads((tmp_path / "prune.json").read_text(encoding="utf-8"))["amount"] == 0.2
    listed = subprocess.run(
        [sys.executable, "app.py", "transcribe", "ui/examples/digits-en.flac", "--bundle", str(bundle), "--precision", "int8-mixed"],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=os.environ | home,
    )
    assert listed.returncode == 0, listed.stderr
    assert json.loads(listed.stdout)["precision"] == "int8-mixed"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("quantize", "NOWHERE"), "bundle.json"),
        (("fetch", "whisper"), "sensevoice-small-onnx"),
        (("quantize", "BUNDLE", "--recipe", "static", "--data", "EMPTY"), "no recordings in"),
        (("export", "EMPTY", "--output", "OUT"), "not in the official layout"),
        (("benchmark", "BUNDLE", "--precisions", "int3"), "int3"),
        (("benchmark", "BUNDLE", "--evaluation", "TEXT"), "is no JSON"),
        (("evaluate", "BUNDLE", "--data", "EMPTY"), "no recordings in"),
        (("self-test", "BUNDLE", "--recordings", "EMPTY"), "vad_example.wav"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    tiny_bundle: Path,
    tmp_path: Path,
    arguments: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").write_text("no numbers")
    bundle = shutil.copytree(tiny_bundle, tmp_path / "bundle")
    before = sorted(path.name for path in bundle.iterdir())
    places = {
        "NOWHERE": tmp_path / "nowhere",
        "EMPTY": tmp_path / "empty",
        "OUT": tmp_path / "out",
        "TEXT": tmp_path / "text",
        "BUNDLE": bundle,
    }
    monkeypatch.setattr(sys, "argv", ["models", *(str(places.get(argument, argument)) for argument in arguments)])
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    assert command_line.main() == 1
    assert said in capsys.readouterr().err.splitlines()[-1]
    assert sorted(path.name for path in bundle.iterdir()) == before
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(), "the system refused something and gave no reason (OSError)\n"),
        (PermissionError(""), "the system refused something and gave no reason (PermissionError)\n"),
        (OSError("\n"), "the system refused something and gave no reason (OSError)\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/out"), "the disk of /out is full; free some space"),
        (FileNotFoundError(errno.ENOENT, "No such file or directory", "/gone"), "No such file or directory: '/gone'\n"),
        (SessionError(""), "SessionError\n"),
        (OptionError("one line\nand more"), "one line\n"),
    ],
)
def test_whatever_ends_a_command_is_one_line(error: Exception, said: str, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def fail(_: argparse.Namespace) -> None:
        raise error

    monkeypatch.setitem(command_line.COMMANDS, "advise", fail)
    monkeypatch.setattr(command_line.signal, "signal", lambda *_: None)
    monkeypatch.setattr("sys.argv", ["models", "advise"])
    assert command_line.main() == command_line.FAILED
    shown = capsys.readouterr().err
    assert said in shown and shown.count("\n") == 1


def test_a_bad_option_is_named_with_its_value_before_anything_is_read() -> None:
    done = run("prune", "nowhere", "--amount", "2")
    assert done.returncode == 2
    assert "--amount: '2' is not a share between 0 and 1, such as 0.1" in done.stderr
