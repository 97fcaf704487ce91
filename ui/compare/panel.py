"""The Compare tab: one recording through any two variants, against a reference, once or in several rounds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import gradio as gr

from engine.compare.compare import COMPARED_CHANNELS
from ui.compare.actions import CompareActions
from ui.compare.comparison_html import comparison_empty_html
from ui.compare.missing_variant import build_missing_variant
from ui.compare.variant_choices import VariantChoices
from ui.limits import Limits
from ui.models.state import ModelState
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.text.texts import Texts, label
from ui.transcribe.option_memory import remember_options
from ui.widgets.page_part import QUIET, PagePart
from ui.widgets.queue_id import WITH_QUEUE_ID, selected_recording
from ui.widgets.recording_form import (
    build_channel_choice,
    build_recording_input,
    build_recording_options,
    channel_choices,
    microphone_hint_html,
)

if TYPE_CHECKING:
    from engine.audio.sandbox.decoder import Decoder
    from engine.speech_engine import SpeechEngine

#: Enough for a median that one slow run does not move; the button's text names it.
ROUNDS = 5
#: Gradio's queue of comparisons; for the engine they wait in the queue of all callers.
COMPARISONS = "comparisons"
#: Where the browser keeps the options that hold for every recording: its channel and its track do not.
STORAGE_KEY = "lightvoice-compare-options"
_REMEMBERED = ("language", "itn", "hotwords", "homophones")


def compare_tab(
    *,
    engine: SpeechEngine,
    decoder: Decoder,
    models: ModelState,
    slots: RunSlots,
    limits: Limits,
    folders: ServerFolders,
    recordings: QueueRunner,
    queue_id: gr.Textbox,
) -> PagePart:
    """Lay the tab out and wire it; ``queue_id`` is what ``build_queue_id`` made."""
    actions = CompareActions(engine=engine, decoder=decoder, models=models, slots=slots, limits=limits, folders=folders)
    with gr.Tab(label("tab.compare"), id="compare") as tab, gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            recording = build_recording_input("lv-compare")
            with gr.Row():
                left, right = _build_sides(actions.choices)
            note = gr.HTML(visible=False, elem_id="lv-compare-note", apply_default_css=False)
            missing = build_missing_variant(models, actions.choices, [left, right])
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
                    None, label=label("queue.track"), info=label("compare.track_info"), minimum=0, precision=0, elem_id="lv-compare-track"
                )
            # The path of the last comparison's JSON file: a reference that is pasted later is scored without running anything again.
            last = gr.State(None)
        with gr.Column(scale=3, min_width=280):
            results = _build_results()
    scores, result, _, _, *files = results
    for button, rounds in ((run, 1), (run_often, ROUNDS)):
        begun = button.click(actions.begin, outputs=[run, run_often, cancel], **QUIET)
        answered = begun.then(
            actions.comparer(rounds),
            inputs=[
                *(recording.audio, left, right, reference),
                *(options.language, options.itn, options.hotwords, options.homophones, channel, track),
            ],
            outputs=[*results, last],
            api_visibility="private",
            concurrency_id=COMPARISONS,
            concurrency_limit=limits.concurrent_runs,
            show_progress_on=[result],
        )
        for over in (answered.success, answered.failure):  # Gradio's then() is not reached by a run that failed
            over(actions.end, outputs=[run, run_often, cancel], **QUIET)
    cancel.click(actions.stop, **QUIET)
    reference.change(actions.rescore, inputs=[reference, last], outputs=[scores, *files], trigger_mode="always_last", **QUIET)
    tab.select(actions.offer, inputs=[left, right], outputs=[left, right, note], **QUIET)
    # Whoever comes to Compare with a recording already chosen does not choose it again.
    tab.select(
        # What is there is left alone, not sent back: another one may have been chosen meanwhile.
        lambda here, page_queue_id: gr.skip() if here else selected_recording(recordings, page_queue_id) or gr.skip(),
        inputs=[recording.audio, queue_id],
        outputs=recording.audio,
        js=WITH_QUEUE_ID,
        **QUIET,
    )

    def greet(texts: Texts) -> list[Any]:
        channels = gr.Dropdown(choices=channel_choices(texts, COMPARED_CHANNELS))
        return [comparison_empty_html(texts), microphone_hint_html(texts), channels]

    named = {name: getattr(options, name) for name in _REMEMBERED}
    return PagePart(
        greeted=[result, recording.hint, channel],
        greet=greet,
        refreshed=missing.refreshed,
        read=missing.read,
        refresh=missing.refresh,
        kept=[remember_options(named, storage_key=STORAGE_KEY, engine=engine)],
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
