"""The live resource panel: CPU, memory, threads, RTF, GPU and the open sessions; drawn from one dictionary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import gradio as gr

from ui.quantities import megabytes, rtf
from ui.texts import Texts, label


def build_resource_panel() -> gr.HTML:
    """Lay the panel out; ``page.py`` fills it from its timer."""
    with gr.Accordion(label("resources.title"), open=True, elem_id="lv-resources-card"):
        return gr.HTML(elem_id="lv-resources", apply_default_css=False)


def resources_html(resources: Mapping[str, Any], texts: Texts) -> str:
    """What ``/resources`` answers, as tiles and a table of sessions."""
    last_rtf, gpu = resources["last_rtf"], resources["gpu"]
    tiles = [
        _tile("cpu", texts("resources.cpu"), f"{resources['cpu_percent']:.0f} %"),
        _tile("rss", texts("resources.memory"), megabytes(resources["rss_mb"])),
        _tile("threads", texts("resources.threads"), str(resources["threads"])),
        _tile("rtf", texts("resources.rtf"), rtf(last_rtf) if last_rtf else "–"),
    ]
    if gpu:
        tiles.append(_tile("gpu", texts("resources.gpu"), f"{megabytes(gpu['used_mb'])} / {megabytes(gpu['total_mb'])}"))
    return f'<div class="lv-tiles">{"".join(tiles)}</div>{_sessions(resources["sessions"], texts)}'


def _tile(name: str, title: str, value: str) -> str:
    return f'<div class="lv-tile" data-metric="{name}"><span>{escape(title)}</span><strong>{escape(value)}</strong></div>'


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
