"""The lightweight-mode switch: one state of the server, shown by every open page and kept fresh by the page's timer."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import gradio as gr

from engine.advisor import Advice
from ui.context import PageContext
from ui.handlers import toasts
from ui.quantities import megabytes
from ui.server_state import LightweightState
from ui.texts import Texts, label, texts_for


@dataclass(frozen=True, kw_only=True)
class LightweightPanel:
    """The switch, the line that says what it did, and which precision suits this machine."""

    switch: gr.Checkbox
    status: gr.HTML
    advice: gr.HTML


def lightweight_html(state: LightweightState, texts: Texts) -> str:
    """What the mode is, what the last switch gave back, what the process uses now."""
    precision = state.precision.upper()
    parts = [texts("light.on" if state.on else "light.off", precision=precision)]
    if state.on and state.freed_mb is not None:
        given_back = state.freed_mb >= 0.1  # noqa: PLR2004 - what would be shown as 0.0 MB
        parts.append(texts("light.freed", freed=megabytes(state.freed_mb)) if given_back else texts("light.freed_none"))
    parts.append(texts("light.memory", rss=megabytes(state.rss_mb)))
    inner = "".join(f"<span>{escape(part)}</span>" for part in parts)
    name = escape(texts("light.aria"), quote=True)
    return f'<p class="lv-light-status" data-on="{str(state.on).lower()}" role="status" aria-label="{name}">{inner}</p>'


def advice_html(advice: Advice, texts: Texts) -> str:
    """Which precision suits this machine in a line, and why behind it."""
    reasons = "".join(f"<li>{escape(texts(f'advice.{reason.code}', **reason.values))}</li>" for reason in advice.reasons)
    summary = texts("advice.summary", precision=advice.precision.value.upper())
    return f'<details class="lv-advice"><summary>{escape(summary)}</summary><ul>{reasons}</ul></details>'


def build_lightweight_panel(context: PageContext) -> LightweightPanel:
    """Lay the switch out and wire it; ``page.py`` refreshes it from the timer."""
    with gr.Column(scale=2, min_width=280, elem_id="lv-light"):
        switch = gr.Checkbox(value=context.engine.lightweight, label=label("light.label"), elem_id="lv-light-switch", container=False)
        status = gr.HTML(elem_id="lv-light-status", apply_default_css=False)
        advice = gr.HTML(elem_id="lv-advice", apply_default_css=False)

    def set_lightweight(on: bool, request: gr.Request) -> tuple[bool, str]:
        texts = texts_for(request)
        with toasts(texts):
            context.state.set_lightweight(on)
            state = context.state.lightweight()
            return state.on, lightweight_html(state, texts)

    # ``input`` is sent by a person only: the timer writing the server's state into the switch never toggles anything,
    # so two open pages cannot play ping-pong. The answer carries the server's state, and the last wish wins.
    switch.input(
        set_lightweight,
        inputs=switch,
        outputs=[switch, status],
        api_visibility="private",
        queue=False,
        trigger_mode="always_last",
        show_progress="hidden",
    )
    return LightweightPanel(switch=switch, status=status, advice=advice)
