"""Which of Gradio's files are joined, and that the page works as Gradio does it where that is not understood."""

from __future__ import annotations

import json
from pathlib import Path

import gradio

from ui.loading.gradio_modules import page_files

FRONTEND = Path(gradio.__file__).parent / "templates" / "frontend"
INDEX = (FRONTEND / "index.html").read_text(encoding="utf-8")


def test_the_pinned_gradio_is_understood() -> None:
    files = page_files(INDEX, FRONTEND / "assets", ["textbox", "file"])
    assert files is not None
    assert files.modules[0].startswith("index-") and files.styles[0].startswith("index-")
    assert any(name.startswith("Blocks-") for name in files.modules)
    assert len(files.modules) > 15
    assert {*json.loads(files.modules_json)} == {*files.modules}
    assert b"svelte-" in files.style_sheet


def test_more_components_bring_more_files() -> None:
    few, more = (page_files(INDEX, FRONTEND / "assets", names) for names in (["textbox"], ["textbox", "audio"]))
    assert few is not None and more is not None
    assert {*few.modules} < {*more.modules}
    assert few.digest != more.digest


def test_a_page_that_is_built_otherwise_is_left_alone() -> None:
    assert page_files("<html><body></body></html>", FRONTEND / "assets", ["textbox"]) is None
    assert page_files(INDEX, FRONTEND / "no such folder", ["textbox"]) is None


def test_what_comes_with_a_module_is_read_from_its_list(tmp_path: Path) -> None:
    index = (
        '<script type="module" crossorigin src="./assets/index-1.js"></script>'
        '<link rel="stylesheet" crossorigin href="./assets/index-1.css">'
    )
    (tmp_path / "index-1.css").write_text("a{}")
    (tmp_path / "index-1.js").write_text('m.f=["./core-1.js","./core-1.css"];import(`./core-1.js`),__vite__mapDeps([0,1])')
    (tmp_path / "core-1.css").write_text("b{}")
    (tmp_path / "core-1.js").write_text(
        'm.f=["./Box-1.js","./Box-1.css","./Bell-1.js"];'
        "({box:{component:()=>v(()=>import(`./Box-1.js`),__vite__mapDeps([0,1]),1)},bell:{component:()=>v(()=>import(`./Bell-1.js`),__vite__mapDeps([2]),1)}})"
    )
    for name in ("Box-1.js", "Box-1.css", "Bell-1.js"):
        (tmp_path / name).write_text("")
    files = page_files(index, tmp_path, ["box"])
    assert files is not None
    assert files.modules == ("index-1.js", "core-1.js", "Box-1.js")
    assert files.styles == ("index-1.css", "core-1.css", "Box-1.css")
