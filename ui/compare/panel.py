"""The Compare tab: one recording through any two variants, against a reference, once or in several rounds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.compare.compare import COMPARED_CHANNELS
from ui.compare.actions import CompareActions
from ui.compare.variant_choices import InstalledBundles, VariantChoices
from ui.context import ENGINE_QUEUE, PageContext
from ui.text.texts import label
from ui.widgets.recording_form import RecordingInput, RecordingOptions, build_channel_choice, build_recording_input, build_recording_options

#: Enough for a median that one slow run does not move; the button's text names it.
ROUNDS = 5


@dataclass(frozen=True, kw_only=True)
class ComparePanel:
    """What the page needs of this panel after it was laid out: ``actions.offer`` takes left and right, and fills them and ``note``."""

    recording: RecordingInput
    options: RecordingOptions
    channel: gr.Dropdown
    result: gr.HTML
    left: gr.Dropdown
    right: gr.Dropdown
    note: gr.HTML
    actions: CompareActions


def build_compare_panel(context: PageContext, installed: InstalledBundles | None = None) -> ComparePanel:
    """Lay the panel out inside the current tab and wire it."""
    choices = VariantChoices(context.engine, installed)
    actions = CompareActions(context, choices)
    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            recording = build_recording_input("lv-compare")
            with gr.Row():
                left, right = _build_sides(choices)
            note = gr.HTML(visible=False, elem_id="lv-compare-note", apply_default_css=False)
            with gr.Row():
                run = gr.Button(label("compare.run"), variant="primary", min_width=110, elem_id="lv-compare-run")
                run_often = gr.Button(label("compare.run_often"), min_width=110, elem_id="lv-compare-run-often")
                cancel = gr.Button(label("compare.cancel"), variant="stop", visible=False, min_width=110, elem_id="lv-compare-cancel")
            reference = gr.Textbox(
                label=label("compare.reference"), info=label("compare.reference_info"), lines=2, max_lines=8, elem_id="lv-reference"
            )
            options = build_recording_options("lv-compare")
            with options.accordion:
                channel = build_channel_choice("lv-compare-channel", COMPARED_CHANNELS)
                track = gr.Number(
                    None, label=label("queue.track"), info=label("compare.track_info"), minimum=1, precision=0, elem_id="lv-compare-track"
                )
        with gr.Column(scale=3, min_width=280):
            results = _build_results()
    # The path of the last comparison's JSON file: a reference that is pasted later is scored without running anything again.
    last = gr.State(None)
    scores, result, _, _, *files = results
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "queue": False}
    for button, rounds in ((run, 1), (run_often, ROUNDS)):
        begun = button.click(actions.begin, outputs=[run, run_often, cancel], **hidden)
        answered = begun.then(
            actions.comparer(rounds),
            inputs=[recording.audio, left, right, reference, options.language, options.itn, channel, track],
            outputs=[*results, last],
            api_visibility="private",
            concurrency_id=ENGINE_QUEUE,
            concurrency_limit=context.limits.concurrent_runs,
            show_progress_on=[result],
        )
        for over in (answered.success, answered.failure):  # Gradio's then() is not reached by a run that failed
            over(actions.end, outputs=[run, run_often, cancel], **hidden)
    cancel.click(actions.stop, **hidden)
    reference.change(actions.rescore, inputs=[reference, last], outputs=[scores, *files], trigger_mode="always_last", **hidden)
    return ComparePanel(
        recording=recording, options=options, channel=channel, result=result, left=left, right=right, note=note, actions=actions
    )


def _build_sides(choices: VariantChoices) -> list[gr.Dropdown]:
    """The two drop-downs; other bundles than the open one are offered when the tab is opened by somebody who may use them."""
    names = ((label("compare.left"), "lv-left"), (label("compare.right"), "lv-right"))
    offered = choices.offered(others=False)
    return [
        gr.Dropdown(choices=offered, value=value, label=name, filterable=False, min_width=110, elem_id=own)
        for value, (name, own) in zip(choices.defaults(), names, strict=True)
    ]


def _build_results() -> list[Any]:
    """Scores, comparison, timeline, the row of downloads, and the two downloads."""
    scores = gr.HTML(elem_id="lv-reference-scores", apply_default_css=False)
    result = gr.HTML(elem_id="lv-comparison", apply_default_css=False, min_height=120)
    timeline = gr.HTML(elem_id="lv-compare-timeline", apply_default_css=False)
    with gr.Row(visible=False, elem_id="lv-compare-downloads") as row:
        downloads = [
            gr.DownloadButton(str(label(f"download.{name}")), size="sm", min_width=120, elem_id=f"lv-compare-download-{name}")
            for name in ("markdown", "json")
        ]
    return [scores, result, timeline, row, *downloads]
