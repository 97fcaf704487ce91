"""The layout: header, banner and switch above, the tabs, the resource panel below; and the timer that keeps them fresh."""

from __future__ import annotations

from typing import Any

import gradio as gr

from engine.advisor import advise
from ui.banner import banner_html, header_html
from ui.compare_panel import build_compare_panel
from ui.comparison_html import comparison_empty_html
from ui.context import PageContext
from ui.endpoints import add_endpoints
from ui.lightweight_panel import advice_html, build_lightweight_panel, lightweight_html
from ui.recording_form import language_choices, microphone_hint_html
from ui.resource_panel import build_resource_panel, resources_html
from ui.texts import label, texts_for
from ui.transcribe_panel import build_transcribe_panel
from ui.transcript_html import empty_html

REFRESH_S = 2.0
#: Uploads and downloads older than an hour are deleted; looked for every ten minutes.
DELETE_EVERY_S = 600
DELETE_AFTER_S = 3600
#: Events that may wait; more are told that the queue is full.
QUEUE_SIZE = 64
#: An event waits this long at most before the queue sees it; a person does not notice, the processor does.
QUEUE_POLL_S = 0.05
#: Runs of one listener at the same time, where it sets no limit of its own.
DEFAULT_CONCURRENCY = 4


def build_page(context: PageContext) -> gr.Blocks:
    """The whole page, wired to the engine of ``context``; ``serve.py`` puts it on a port."""
    blocks = gr.Blocks(title="LightVoice", analytics_enabled=False, delete_cache=(DELETE_EVERY_S, DELETE_AFTER_S))
    with blocks:
        # First, for the first listener of a name keeps it: later ones, private as they are, become transcribe_1 and so on.
        add_endpoints(context)
        with gr.Row(elem_id="lv-top"):
            with gr.Column(scale=3, min_width=280):
                header = gr.HTML(elem_id="lv-head", apply_default_css=False)
                banner = gr.HTML(elem_id="lv-banner", apply_default_css=False)
            lightweight = build_lightweight_panel(context)
        with gr.Tabs():
            with gr.Tab(label("tab.transcribe"), id="transcribe"):
                transcribing = build_transcribe_panel(context)
            with gr.Tab(label("tab.compare"), id="compare") as compare_tab:
                comparing = build_compare_panel(context)
        resources = build_resource_panel()
        timer = gr.Timer(REFRESH_S)

        def greet(request: gr.Request) -> list[Any]:
            """What depends on the reader's language and is written once, when the page opens."""
            texts = texts_for(request)
            languages = gr.Dropdown(choices=language_choices(texts))
            hint = microphone_hint_html(texts)
            return [
                header_html(texts),
                banner_html(context.engine.bundle, texts),
                advice_html(advise(), texts),
                empty_html(texts),
                comparison_empty_html(texts),
                hint,
                hint,
                languages,
                languages,
            ]

        def refresh(shown: bool, request: gr.Request) -> list[Any]:
            """The server's state; the switch is left alone where it already shows it, so that a click in flight is not undone."""
            texts = texts_for(request)
            state = context.state.lightweight()
            switch = gr.skip() if shown == state.on else state.on
            return [switch, lightweight_html(state, texts), resources_html(context.state.resources(), texts)]

        greeted = [
            header,
            banner,
            lightweight.advice,
            transcribing.transcript,
            comparing.result,
            transcribing.recording.hint,
            comparing.recording.hint,
            transcribing.options.language,
            comparing.options.language,
        ]
        refreshed = [lightweight.switch, lightweight.status, resources]
        blocks.load(greet, outputs=greeted, api_visibility="private", queue=False, show_progress="hidden")
        gr.on(
            [blocks.load, timer.tick],
            refresh,
            inputs=lightweight.switch,
            outputs=refreshed,
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )
        # Whoever comes to Compare with a recording already chosen does not choose it again.
        compare_tab.select(
            lambda here, there: here or there,
            inputs=[comparing.recording.audio, transcribing.recording.audio],
            outputs=comparing.recording.audio,
            api_visibility="private",
            queue=False,
            show_progress="hidden",
        )
    blocks.queue(max_size=QUEUE_SIZE, default_concurrency_limit=DEFAULT_CONCURRENCY, api_open=False)
    # Gradio's queue looks for work a thousand times a second, which costs 4 % of a core while nobody is there.
    blocks._queue.sleep_when_free = QUEUE_POLL_S  # noqa: SLF001 - there is no option for it
    return blocks
