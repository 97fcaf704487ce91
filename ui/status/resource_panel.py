"""The live resource panel: CPU, memory, queue, RTF, GPU, the open sessions and the last two minutes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from ui.status.server_state import HISTORY_S, Reading, ServerState
from ui.text.quantities import megabytes, rtf
from ui.text.texts import Texts, label, texts_for
from ui.widgets.page_part import PagePart
from ui.widgets.sparkline import sparkline_html

#: The CPU line's upper edge is at least one busy core: an idle server is shown as a flat line, not as mountains.
_ONE_CORE_PERCENT = 100.0


def build_resource_panel(state: ServerState) -> PagePart:
    """Lay the panel out; the page's timer keeps it fresh."""
    with gr.Accordion(label("resources.title"), open=True, elem_id="lv-resources-card"):
        panel = gr.HTML(elem_id="lv-resources", apply_default_css=False)

    def refresh(request: gr.Request) -> list[str]:
        resources, texts = state.resources(), texts_for(request)
        return [resources_html(resources, texts, history=state.history(), queue_length=state.queue_length())]

    return PagePart(refreshed=[panel], refresh=refresh)


def resources_html(resources: Mapping[str, Any], texts: Texts, *, history: Sequence[Reading] = (), queue_length: int = 0) -> str:
    """What ``/resources`` answers, the readings before it and the queue, as tiles and a table of sessions."""
    last_rtf, gpu = resources["last_rtf"], resources["gpu"]
    cpu, memory = f"{resources['cpu_percent']:.0f} %", megabytes(resources["rss_mb"])
    tiles = [
        _tile("cpu", texts("resources.cpu"), cpu, hint=texts("resources.cpu_info"), drawing=_cpu_line(history, texts)),
        _tile("rss", texts("resources.memory"), memory, hint=texts("resources.memory_info"), drawing=_rss_line(history, texts)),
        _tile("queue", texts("resources.queue"), str(queue_length), hint=texts("resources.queue_info")),
        _tile("rtf", texts("resources.rtf"), rtf(last_rtf) if last_rtf else "–", hint=texts("resources.rtf_info")),
        _tile("threads", texts("resources.threads"), str(resources["threads"])),
    ]
    if gpu:
        used = f"{megabytes(gpu['used_mb'])} / {megabytes(gpu['total_mb'])}"
        tiles.append(_tile("gpu", texts("resources.gpu"), used, hint=str(gpu["name"])))
    return f'<div class="lv-tiles">{"".join(tiles)}</div>{_sessions(resources["sessions"], texts)}'


def _tile(name: str, title: str, value: str, *, hint: str = "", drawing: str = "") -> str:
    shown = f' title="{escape(hint, quote=True)}"' if hint else ""
    return f'<div class="lv-tile" data-metric="{name}"{shown}><span>{escape(title)}</span><strong>{escape(value)}</strong>{drawing}</div>'


def _cpu_line(history: Sequence[Reading], texts: Texts) -> str:
    readings = [(reading.age_s, reading.cpu_percent) for reading in history if reading.cpu_percent is not None]
    most = max((value for _, value in readings), default=0.0)
    name = texts("resources.cpu_line", highest=f"{most:.0f} %")
    return sparkline_html(readings, window_s=HISTORY_S, highest=max(most, _ONE_CORE_PERCENT), name=name)


def _rss_line(history: Sequence[Reading], texts: Texts) -> str:
    readings = [(reading.age_s, reading.rss_mb) for reading in history]
    most = max((value for _, value in readings), default=0.0)
    least = min((value for _, value in readings), default=0.0)
    name = texts("resources.memory_line", lowest=megabytes(least), highest=megabytes(most))
    return sparkline_html(readings, window_s=HISTORY_S, highest=most, name=name)


def _sessions(sessions: Sequence[Mapping[str, Any]], texts: Texts) -> str:
    if not sessions:
        return f'<p class="lv-muted lv-sessions">{escape(texts("resources.no_sessions"))}</p>'
    columns = ("model", "precision", "mb", "provider")
    header = "".join(f'<th scope="col">{escape(texts(f"resources.{column}"))}</th>' for column in columns)
    rows = "".join(
        f"<tr><td>{escape(str(session['model']).upper())}</td><td>{escape(str(session['precision']).upper())}</td>"
        f"<td>{megabytes(session['mb'])}</td><td>{escape(str(session['provider']).removesuffix('ExecutionProvider'))}</td></tr>"
        for session in sessions
    )
    caption = f"<caption>{escape(texts('resources.sessions'))}</caption>"
    return f'<table class="lv-table lv-sessions">{caption}<thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table>'
