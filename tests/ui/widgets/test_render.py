"""The templates: all compile, escape every value, fail on what is missing, and are found from any folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from ui.text.texts import Texts, read_locale
from ui.widgets import render as rendering
from ui.widgets.render import render

UI = Path(__file__).resolve().parents[3] / "ui"
TEMPLATES = sorted(path.relative_to(UI).as_posix() for path in UI.rglob("*.html"))


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_compiles_and_holds_macros_alone(name: str) -> None:
    assert re.fullmatch(r"[a-z]+/templates/[a-z_]+\.html", name)
    template = rendering._environment().get_template(name)
    assert str(template.module).strip() == ""  # nothing is written but by a macro


def test_values_are_escaped_and_html_of_a_template_is_taken_as_it_is() -> None:
    shown = render("live/stage", "failure", "<b>", '"&')
    assert shown == "<strong>&lt;b&gt;</strong> &#34;&amp;"
    assert render("live/stage", "failure", Markup("<i>safe</i>"), "") == "<strong><i>safe</i></strong> "


def test_a_missing_value_is_an_error_and_never_an_empty_place() -> None:
    with pytest.raises(UndefinedError):
        render("live/stage", "failure", "title alone")


def test_templates_and_texts_are_found_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for cached in (read_locale, rendering._environment, rendering._macro):
        cached.cache_clear()
    assert "Transcribe" in Texts("en")("form.run")
    assert "lv-mic-hint" in render("widgets/messages", "microphone_hint", Texts("zh"))


def test_bars_are_as_long_as_their_values_and_none_is_a_dash() -> None:
    html = render("widgets/bars", "bars", [("<FP32>", 2.0), ("INT8", 1.0), ("none", None)], str)
    assert re.findall(r"width:([\d.]+)%", html) == ["100.0", "50.0", "0.0"]
    assert "&lt;FP32&gt;" in html and "<span>–</span>" in html
    assert "width:0.0%" in render("widgets/bars", "bars", [("a", None)], str)
