"""The live resource panel: CPU, memory, queue, RTF, GPU, the open sessions and the last two minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup

from ui.status.lightweight_panel import LightweightPanel
from ui.status.server_state import HISTORY_S, Reading, ServerState
from ui.text.quantities import megabytes
from ui.text.texts import Texts, label, texts_for
from ui.widgets.page_part import PagePart
from ui.widgets.render import render
from ui.widgets.sparkline import sparkline_html

#: The CPU line's upper edge is at least one busy core: an idle server is shown as a flat line, not as mountains.
_ONE_CORE_PERCENT = 100.0


def build_resource_panel(state: ServerState, lightweight: LightweightPanel) -> PagePart:
    """Lay the panel out, with what the switch did and led to; the page's timer keeps it fresh."""
    with gr.Accordion(label("resources.title"), open=True, elem_id="lv-resources-card"):
        panel = gr.HTML(elem_id="lv-resources", apply_default_css=False)
        with gr.Column(elem_id="lv-light"):
            lightweight.lay_out_effects()

    def refresh(request: gr.Request) -> list[str]:
        resources, texts = state.resources(), texts_for(request)
        return [resources_html(resources, texts, history=state.history(), queue_length=state.queue_length())]

    return PagePart(refreshed=[panel], refresh=refresh)


def resources_html(resources: Mapping[str, Any], texts: Texts, *, history: Sequence[Reading] = (), queue_length: int = 0) -> str:
    """What ``/resources`` answers, the readings before it and the queue, as tiles and a table of sessions."""
    drawings = (_cpu_line(history, texts), _rss_line(history, texts))
    return render("status/status", "resources", resources, queue_length, *drawings, texts)


def _cpu_line(history: Sequence[Reading], texts: Texts) -> Markup:
    readings = [(reading.age_s, reading.cpu_percent) for reading in history if reading.cpu_percent is not None]
    most = max((value for _, value in readings), default=0.0)
    name = texts("resources.cpu_line", highest=f"{most:.0f} %")
    return sparkline_html(readings, window_s=HISTORY_S, highest=max(most, _ONE_CORE_PERCENT), name=name)


def _rss_line(history: Sequence[Reading], texts: Texts) -> Markup:
    readings = [(reading.age_s, reading.rss_mb) for reading in history]
    most = max((value for _, value in readings), default=0.0)
    least = min((value for _, value in readings), default=0.0)
    name = texts("resources.memory_line", lowest=megabytes(least), highest=megabytes(most))
    return sparkline_html(readings, window_s=HISTORY_S, highest=most, name=name)
