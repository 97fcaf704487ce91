"""Gradio is loaded without the type stubs that it writes at every import, and is whole all the same."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ui.http.lean_gradio import WRITES_STUBS, without_stubs

ROOT = Path(__file__).resolve().parents[3]
PROBE = """
import builtins, json, sys
sys.path.insert(0, sys.argv[1])
parsed = []
def hook(event, arguments):
    if event == "compile" and arguments[1] == "<unknown>":
        parsed.append(1)
sys.addaudithook(hook)
from ui.http.lean_gradio import without_stubs
with without_stubs():
    from ui.web_app import page_app
import gradio
with gradio.Blocks() as blocks:
    button = gradio.Button("x")
    button.click(lambda: None)
import gradio.component_meta as meta
finders = [type(finder).__module__ for finder in sys.meta_path]
print(json.dumps({"parsed": len(parsed), "finders": finders, "events": len(blocks.fns), "origin": meta.__spec__.origin}))
"""


def test_the_page_loads_without_stubs_being_written_and_gradio_works() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROBE, str(ROOT)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout.splitlines()[-1])
    assert seen["parsed"] < 20  # 162 sources of components otherwise
    assert seen["events"] == 1
    assert seen["origin"].endswith("component_meta.py")
    assert "ui.http.lean_gradio" not in seen["finders"]


def test_nothing_is_left_behind_where_the_import_fails() -> None:
    before = list(sys.meta_path)
    with pytest.raises(ModuleNotFoundError), without_stubs():
        __import__("gradio.lost_and_never_written")
    assert sys.meta_path == before


def test_other_modules_are_found_by_others() -> None:
    with without_stubs():
        finder = sys.meta_path[0]
        assert finder.find_spec("json", None) is None
        assert finder.find_spec(WRITES_STUBS, ["/nowhere"]) is None
