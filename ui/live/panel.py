"""The Live tab: speak, and the text follows. The sound goes to ui/live/routes.py by the script ui/assets/live.js."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gradio as gr

from engine.options import DEFAULT_OPTIONS
from ui.live.secure_context import microphone_remedy_html
from ui.live.stage_html import stage_html
from ui.text.texts import label
from ui.transcribe.form_options import END_SILENCE_MS
from ui.transcribe.option_memory import remember_options
from ui.widgets.page_part import PagePart
from ui.widgets.recording_form import build_recording_options

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

#: Where the browser keeps the options.
STORAGE_KEY = "lightvoice-live-options"
#: The controls as ui/transcribe/form_options.py names them, in their order.
_REMEMBERED = ("language", "itn", "hotwords", "homophones", "ban_emo_unknown", "max_end_silence_ms")


def live_tab(*, engine: SpeechEngine) -> PagePart:
    """Lay the tab out and wire it."""
    with gr.Tab(label("tab.live"), id="live"), gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            start = gr.Button(label("live.start"), variant="primary", elem_id="lv-live-start")
            stop = gr.Button(label("live.stop"), variant="stop", elem_id="lv-live-stop")
            hint = gr.HTML(elem_classes="lv-mic-hint-slot", apply_default_css=False)
            options = build_recording_options("lv-live")
            options.accordion.open = False  # on a phone the text stands below
            with options.accordion:
                ban = gr.Checkbox(value=False, label=label("form.ban"), info=label("form.ban_info"), elem_id="lv-live-ban")
                lowest, highest, step = END_SILENCE_MS
                pause = gr.Slider(
                    lowest,
                    highest,
                    value=DEFAULT_OPTIONS.vad.max_end_silence_ms,
                    step=step,
                    label=label("live.pause"),
                    info=label("live.pause_info"),
                    buttons=[],
                    elem_id="lv-live-pause",
                )
        with gr.Column(scale=3, min_width=280):
            stage = gr.HTML(elem_id="lv-live", apply_default_css=False)
    chosen = [options.language, options.itn, options.hotwords, options.homophones, ban, pause]
    start.click(None, inputs=chosen, js="(...chosen) => { window.lightvoiceLive.start(...chosen); }", api_visibility="private")
    stop.click(None, js="() => { window.lightvoiceLive.stop(); }", api_visibility="private")
    kept = remember_options(dict(zip(_REMEMBERED, chosen, strict=True)), storage_key=STORAGE_KEY, engine=engine)
    return PagePart(greeted=[hint, stage], greet=lambda texts: [microphone_remedy_html(texts), stage_html(texts)], kept=[kept])
