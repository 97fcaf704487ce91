"""The Compare tab: one recording through two precisions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from engine.audio import load_audio
from ui.comparison_html import comparison_html
from ui.context import ENGINE_QUEUE, PageContext, engine_progress
from ui.handlers import no_recording, toasts
from ui.recording_form import RecordingInput, RecordingOptions, build_recording_input, build_recording_options
from ui.texts import label, texts_for


@dataclass(frozen=True, kw_only=True)
class ComparePanel:
    """What the page needs of this panel after it was laid out."""

    recording: RecordingInput
    options: RecordingOptions
    result: gr.HTML


def build_compare_panel(context: PageContext) -> ComparePanel:
    """Lay the panel out inside the current tab and wire it."""
    precisions = list(context.engine.precisions)
    choices = [(name.upper(), name) for name in precisions]
    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            recording = build_recording_input("lv-compare")
            with gr.Row():
                left = gr.Dropdown(
                    choices=choices, value=precisions[0], label=label("compare.left"), filterable=False, min_width=110, elem_id="lv-left"
                )
                right = gr.Dropdown(
                    choices=choices,
                    value=precisions[min(1, len(precisions) - 1)],
                    label=label("compare.right"),
                    filterable=False,
                    min_width=110,
                    elem_id="lv-right",
                )
            run = gr.Button(label("compare.run"), variant="primary", elem_id="lv-compare-run")
            options = build_recording_options("lv-compare")
        with gr.Column(scale=3, min_width=280):
            result = gr.HTML(elem_id="lv-comparison", apply_default_css=False, min_height=120)
    run.click(
        _comparer(context),
        inputs=[recording.audio, options.language, options.itn, left, right],
        outputs=result,
        api_visibility="private",
        concurrency_id=ENGINE_QUEUE,
        concurrency_limit=context.limits.concurrent_runs,
    )
    return ComparePanel(recording=recording, options=options, result=result)


def _comparer(context: PageContext) -> Any:
    """The listener of the button: inputs and outputs in the order of :func:`build_compare_panel`."""

    def compare(
        audio: str | None,
        language: str,
        itn: bool,
        left: str,
        right: str,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds the bar by this default
    ) -> str:
        texts = texts_for(request)
        with toasts(texts):
            if not audio:
                raise no_recording(texts)
            report = engine_progress(progress, texts)
            report(0, "decode")
            waveform = load_audio(audio, max_duration_s=context.limits.duration_s)
            comparison = context.engine.compare(
                waveform, language=language, itn=itn, left=left, right=right, file=Path(audio).name, progress=report
            )
            return comparison_html(comparison.to_dict(), texts)

    return compare
