"""`python -m models` where the workshop's packages are not installed, as after `./run.sh --slim-install`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

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
