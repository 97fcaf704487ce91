"""The layout: name, switch and model above, the tabs, the resource panel below, and the timer that keeps them fresh."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import gradio as gr

from ui.api.endpoint_blocks import EndpointBlocks
from ui.compare.panel import COMPARISONS, compare_tab
from ui.history.panel import history_tab
from ui.limits import Limits
from ui.live.panel import live_tab
from ui.models.panel import models_tab
from ui.models.real_model import build_real_model
from ui.models.state import ModelState
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.server_folders import ServerFolders
from ui.status.lightweight_panel import build_lightweight_panel
from ui.status.resource_panel import build_resource_panel
from ui.status.server_state import ServerState
from ui.transcribe.panel import transcribe_tab
from ui.widgets.banner import header_html, settings_html
from ui.widgets.page_part import PagePart, fill_parts
from ui.widgets.queue_id import build_queue_id

if TYPE_CHECKING:
    from engine.audio.sandbox.decoder import Decoder
    from engine.speech_engine import SpeechEngine

REFRESH_S = 2.0
#: Uploads and downloads older than an hour are deleted; looked for every ten minutes.
DELETE_EVERY_S = 600
DELETE_AFTER_S = 3600
#: Events of all pages that may wait for Gradio to begin them; the queue for the engine (ui/scheduling/run_slots.py) is shorter, and
#: says how long the wait would be when it is full.
QUEUE_SIZE = 256
#: An event waits this long at most before the queue sees it; a person does not notice, the processor does.
QUEUE_POLL_S = 0.05
#: How often progress bars are updated.
PROGRESS_POLL_S = 0.1
#: Runs of one listener at the same time, where it sets no limit of its own.
DEFAULT_CONCURRENCY = 4


def build_page(  # noqa: PLR0913 - what the tabs use, keyword-only
    *,
    engine: SpeechEngine,
    decoder: Decoder,
    state: ServerState,
    limits: Limits,
    models: ModelState,
    recordings: QueueRunner,
    slots: RunSlots,
    folders: ServerFolders,
    add_endpoints: Callable[[], None],
) -> gr.Blocks:
    """The whole page; ``serve.py`` puts it on a port. A tab is a folder and one line here."""
    blocks = EndpointBlocks(title="LightVoice", analytics_enabled=False, delete_cache=(DELETE_EVERY_S, DELETE_AFTER_S))
    with blocks:
        # First, for the first listener of a name keeps it: later ones, private as they are, become transcribe_1 and so on.
        add_endpoints()
        queue_id = build_queue_id()
        with gr.Row(elem_id="lv-light-bar"):
            header = gr.HTML(elem_id="lv-head", apply_default_css=False)
            lightweight = build_lightweight_panel(engine=engine, state=state)
            settings = gr.HTML(elem_id="lv-settings", apply_default_css=False)
        with gr.Row(elem_id="lv-top"):
            banner = gr.HTML(elem_id="lv-banner", apply_default_css=False)
            real_model = build_real_model(models)
        with gr.Tabs():
            tabs = [
                transcribe_tab(blocks, engine=engine, recordings=recordings, queue_id=queue_id),
                live_tab(engine=engine),
                compare_tab(
                    engine=engine,
                    decoder=decoder,
                    models=models,
                    slots=slots,
                    limits=limits,
                    folders=folders,
                    recordings=recordings,
                    queue_id=queue_id,
                ),
                models_tab(models=models, banner=banner, folders=folders, limits=limits),
                *([] if recordings.history is None else [history_tab()]),
            ]
        resources = build_resource_panel(state, lightweight)
        name = PagePart(greeted=[header, settings], greet=lambda texts: [header_html(texts, engine.address), settings_html(texts)])
        fill_parts([name, lightweight.part, real_model, *tabs, resources], blocks, gr.Timer(REFRESH_S))
    blocks.queue(max_size=QUEUE_SIZE, default_concurrency_limit=DEFAULT_CONCURRENCY, api_open=False)
    state.add_queue(partial(_comparisons, blocks))
    # Gradio's queue looks for work a thousand times a second and for progress a hundred times: 5 % of a core while no page is open.
    blocks._queue.sleep_when_free = QUEUE_POLL_S  # noqa: SLF001 - there is no option for it
    blocks._queue.progress_update_sleep_when_free = PROGRESS_POLL_S  # noqa: SLF001 - likewise
    return blocks


def _comparisons(blocks: gr.Blocks) -> int:
    """Comparisons that wait or run."""
    queue = blocks._queue.event_queue_per_concurrency_id.get(COMPARISONS)  # noqa: SLF001 - as above
    return len(queue.queue) + queue.current_concurrency if queue else 0
