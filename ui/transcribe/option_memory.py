"""The browser's memory of a tab's options: it keeps what a person chose, and a page that opens shows it again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.text.texts import Texts
from ui.transcribe.form_options import remembered
from ui.widgets.page_part import QUIET, KeptOptions
from ui.widgets.recording_form import language_choices

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

_PAUSE = "() => new Promise((done) => { setTimeout(done, 100); })"


def keep_options(controls: Mapping[str, Any], memory: gr.BrowserState) -> None:
    """Every change goes into the memory; ``controls`` are named as ui/transcribe/form_options.py names them."""
    # In the browser alone: a request for every key would cost the server more than it is worth. ``input`` is sent by a person only: what
    # the memory itself puts into the controls is not kept again. It may be sent before the control has its new value, hence the pause.
    # A text box sends it for typed characters alone: what is pasted, deleted or composed by an input method is kept as the box is left.
    entered = [control.input for control in controls.values()]
    left = [control.blur for control in controls.values() if isinstance(control, gr.Textbox)]
    changed = gr.on([*entered, *left], None, js=_PAUSE, trigger_mode="multiple", **QUIET)
    names = json.dumps(list(controls))
    changed.then(
        None,
        inputs=list(controls.values()),
        outputs=memory,
        js=f"(...values) => Object.fromEntries({names}.map((name, place) => [name, values[place]]))",
        **QUIET,
    )


def remember_options(controls: Mapping[str, Any], *, storage_key: str, engine: SpeechEngine) -> KeptOptions:
    """A memory of its own for a tab's controls, the language's among them: it offers those of the engine in the reader's words.

    The "secret" only scrambles what the browser keeps, and must outlive a restart of the server.
    """
    memory = gr.BrowserState(None, storage_key=storage_key, secret=storage_key, render=False)
    keep_options(controls, memory)

    def show(kept: object, texts: Texts) -> list[Any]:
        values = remembered(kept, precisions=()).to_dict()
        language = gr.Dropdown(choices=language_choices(texts, engine.bundle.languages), value=values["language"])
        return [language if name == "language" else values[name] for name in controls]

    return KeptOptions(memory=memory, controls=list(controls.values()), show=show)
