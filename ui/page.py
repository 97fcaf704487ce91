"""The layout: header, banner and switch above, the tabs, the resource panel below; and the timer that keeps them fresh."""

from __future__ import annotations

from functools import partial
from typing import Any

import gradio as gr

from engine.compare.compare import COMPARED_CHANNELS
from ui.api.endpoint_blocks import EndpointBlocks
from ui.api.endpoints import add_endpoints
from ui.compare.comparison_html import comparison_empty_html
from ui.compare.panel import build_compare_panel
from ui.context import ENGINE_QUEUE, PageContext
from ui.live.panel import build_live_panel, live_memory
from ui.models.panel import build_models_panel
from ui.status.lightweight_panel import advice_html, build_lightweight_panel, effects_html, lightweight_html
from ui.status.resource_panel import build_resource_panel, resource_panel_html
from ui.text.texts import label, texts_for
from ui.transcribe.panel import WITH_QUEUE_ID, build_transcribe_panel, selected_recording
from ui.widgets.banner import header_html
from ui.widgets.recording_form import channel_choices, language_choices, microphone_hint_html
from ui.widgets.transcript_html import empty_html

REFRESH_S = 2.0
#: Uploads and downloads older than an hour are deleted; looked for every ten minutes.
DELETE_EVERY_S = 600
DELETE_AFTER_S = 3600
#: Events of all pages that may wait for Gradio to begin them; the line before the engine (ui/scheduling/run_slots.py) is shorter, and tells
#: who finds it full how long the wait would be.
QUEUE_SIZE = 256
#: An event waits this long at most before the queue sees it; a person does not notice, the processor does.
QUEUE_POLL_S = 0.05
#: How often progress bars are told what is new.
PROGRESS_POLL_S = 0.1
#: Runs of one listener at the same time, where it sets no limit of its own.
DEFAULT_CONCURRENCY = 4


def build_page(context: PageContext) -> gr.Blocks:
    """The whole page, wired to the engine of ``context``; ``serve.py`` puts it on a port."""
    blocks = EndpointBlocks(title="LightVoice", analytics_enabled=False, delete_cache=(DELETE_EVERY_S, DELETE_AFTER_S))
    with blocks:
        # First, for the first listener of a name keeps it: later ones, private as they are, become transcribe_1 and so on.
        add_endpoints(context)
        lightweight = build_lightweight_panel(context)
        with gr.Row(elem_id="lv-top"):
            with gr.Column(scale=3, min_width=280):
                header = gr.HTML(elem_id="lv-head", apply_default_css=False)
                banner = gr.HTML(elem_id="lv-banner", apply_default_css=False)
            with gr.Column(scale=2, min_width=280, elem_id="lv-light"):
                lightweight.lay_out_effects()
        live_options = live_memory()
        with gr.Tabs():
            with gr.Tab(label("tab.transcribe"), id="transcribe"):
                transcribing = build_transcribe_panel(context, blocks)
            with gr.Tab(label("tab.live"), id="live"):
                live = build_live_panel(blocks, live_options)
            with gr.Tab(label("tab.compare"), id="compare") as compare_tab:
                comparing = build_compare_panel(context, context.models.whole)
            with gr.Tab(label("tab.models"), id="models"):
                models = build_models_panel(context, banner)
        resources = build_resource_panel()
        timer = gr.Timer(REFRESH_S)

        def greet(request: gr.Request) -> list[Any]:
            """What depends on the reader's language and is written once, when the page opens."""
            texts = texts_for(request)
            hint = microphone_hint_html(texts)
            return [
                header_html(texts, context.engine.address),
                advice_html(context.state.advice(), texts),
                empty_html(texts),
                comparison_empty_html(texts),
                hint,
                hint,
                gr.Dropdown(choices=language_choices(texts)),
                gr.Dropdown(choices=channel_choices(texts, COMPARED_CHANNELS)),
                *live.greet(texts),
                *models.greet(texts),
            ]

        def refresh(shown: bool, shown_models: list[str], request: gr.Request) -> list[Any]:
            """The server's state; the switch is left alone where it already shows it, so that a click in flight is not undone."""
            texts = texts_for(request)
            state = context.state.lightweight()
            switch = gr.update(interactive=state.available) if shown == state.on else gr.update(value=state.on, interactive=state.available)
            effects = effects_html(state, context.state.advice(), texts)
            used = resource_panel_html(context.state, texts)
            return [switch, lightweight_html(state, texts), effects, used, *models.update(shown_models, request)]

        greeted = [
            header,
            lightweight.advice,
            transcribing.transcript,
            comparing.result,
            transcribing.recording.hint,
            comparing.recording.hint,
            comparing.options.language,
            comparing.channel,
            live.hint,
            live.stage,
            *models.greeted,
        ]
        refreshed = [lightweight.switch, lightweight.status, lightweight.effects, resources, *models.outputs]
        blocks.load(greet, outputs=greeted, api_visibility="private", queue=False, show_progress="hidden")
        gr.on(
            [blocks.load, timer.tick],
            refresh,
            inputs=[lightweight.switch, models.shown],
            outputs=refreshed,
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )
        compare_tab.select(
            comparing.actions.offer,
            inputs=[comparing.left, comparing.right],
            outputs=[comparing.left, comparing.right, comparing.note],
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )
        # Whoever comes to Compare with a recording already chosen does not choose it again.
        compare_tab.select(
            # What is there is left alone, not sent back: another one may have been chosen meanwhile.
            lambda here, queue_id: gr.skip() if here else selected_recording(context, queue_id) or gr.skip(),
            inputs=[comparing.recording.audio, transcribing.queue_id],
            outputs=comparing.recording.audio,
            js=WITH_QUEUE_ID,
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )
    blocks.queue(max_size=QUEUE_SIZE, default_concurrency_limit=DEFAULT_CONCURRENCY, api_open=False)
    context.state.add_queue(partial(_engine_runs, blocks))
    # Gradio's queue looks for work a thousand times a second and for progress a hundred times: 5 % of a core while nobody is there.
    blocks._queue.sleep_when_free = QUEUE_POLL_S  # noqa: SLF001 - there is no option for it
    blocks._queue.progress_update_sleep_when_free = PROGRESS_POLL_S  # noqa: SLF001 - likewise
    return blocks


def _engine_runs(blocks: gr.Blocks) -> int:
    """Events of the engine's queue that wait or run."""
    queue = blocks._queue.event_queue_per_concurrency_id.get(ENGINE_QUEUE)  # noqa: SLF001 - as above
    return len(queue.queue) + queue.current_concurrency if queue else 0
