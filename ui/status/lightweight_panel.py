"""The lightweight-mode switch: one state of the server, in a bar that stays in sight, and what the last switch led to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from engine.runtime.advisor import Advice
from engine.runtime.session_pool import Closing, Precision
from ui.status.server_state import LightweightState, ServerState
from ui.text.quantities import megabytes, rtf
from ui.text.texts import Texts, label, texts_for
from ui.widgets.handlers import toasts
from ui.widgets.page_part import QUIET, PagePart
from ui.widgets.render import render

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

_TEMPLATE = "status/status"
#: What would be shown as 0.0 MB.
_NOTHING_MB = 0.1
#: Runs in each precision before their speeds are set against each other: one alone may have met a busy moment.
RUNS_NEEDED = 3


@dataclass(frozen=True, kw_only=True)
class LightweightPanel:
    """The bar with the switch; what it did, and which precision suits this machine, are laid out elsewhere."""

    effects: gr.HTML
    advice: gr.HTML
    part: PagePart

    def lay_out_effects(self) -> None:
        """Put the effects and the advice into the current column."""
        self.effects.render()
        self.advice.render()


def lightweight_html(state: LightweightState, texts: Texts) -> str:
    """What the mode is and what the last switch gave back."""
    precision = state.precision.upper()
    parts = [texts("light.on" if state.on else "light.off", precision=precision)]
    if not state.available:
        parts.append(texts("light.unavailable"))
    elif state.on and state.freed_mb is not None and not state.waiting:
        parts.append(_given_back(state.freed_mb, state.closings, texts) if state.freed_mb >= _NOTHING_MB else texts("light.freed_none"))
    return render(_TEMPLATE, "lightweight", state.on, parts, texts)


def _given_back(freed_mb: float, closings: Sequence[Closing], texts: Texts) -> str:
    """What came back, models and working memory apart: what is more than the models took when they were opened was working memory."""
    models_mb = min(freed_mb, sum(one.mb for closing in closings for one in closing.sessions))
    apart = {"models": megabytes(models_mb), "working": megabytes(freed_mb - models_mb)}
    return texts("light.freed" if freed_mb - models_mb >= _NOTHING_MB else "light.freed_models", freed=megabytes(freed_mb), **apart)


def effects_html(state: LightweightState, texts: Texts) -> str:
    """What the last switch led to, with memory before and after, and the speed to expect; nothing here is a promise."""
    sentences = []
    if state.waiting:
        sentences.append(texts("light.waiting", precisions=", ".join(name.upper() for name in state.waiting)))
    elif state.freed_mb is not None and not state.closings:
        sentences.append(texts("light.closed_none") if state.on else texts("light.reopens", precision=state.precision.upper()))
    closings = [_closing(closing, texts) for closing in state.closings]
    return render(_TEMPLATE, "effects", closings, [*sentences, *_speed(state, texts)])


def _closing(closing: Closing, texts: Texts) -> tuple[str, tuple[tuple[str, float], ...]]:
    """What was closed in a sentence, and the memory before and after it."""
    closed = ", ".join(f"{one.precision.upper()} {one.model.upper()} ({megabytes(one.mb)})" for one in closing.sessions)
    before_after = ((texts("light.before"), closing.before_mb), (texts("light.after"), closing.after_mb))
    return texts("light.closed", sessions=closed), before_after


def _speed(state: LightweightState, texts: Texts) -> list[str]:
    full, light = state.speeds.get(Precision.FP32), state.speeds.get(Precision.INT8)
    measured = " · ".join(
        texts("light.measured", precision=name.upper(), rtf=rtf(speed.rtf), low=rtf(speed.low), high=rtf(speed.high), runs=speed.runs)
        for name, speed in sorted(state.speeds.items())
    )
    if full and light and min(full.runs, light.runs) >= RUNS_NEEDED:
        ratio, lowest, highest = (f"{one:.1f}" for one in light.times_as_fast(full))
        if light.overlaps(full):
            sentences = [texts("light.speed_uneven", lowest=lowest, highest=highest)]
        else:
            sentences = [texts("light.speed", ratio=ratio, lowest=lowest, highest=highest)]
    else:
        sentences = [texts("light.speed_unknown", needed=RUNS_NEEDED)]
    return [*sentences, texts("light.measured_here", measured=measured)] if measured else sentences


def advice_html(advice: Advice, texts: Texts) -> str:
    """Which precision suits this machine in a line, and why behind it."""
    return render(_TEMPLATE, "advice", advice, texts)


def build_lightweight_panel(*, engine: SpeechEngine, state: ServerState) -> LightweightPanel:
    """Lay out the switch and its state in the current row and wire them; the resource panel places the effects."""
    switch = gr.Checkbox(value=engine.lightweight, label=label("light.label"), elem_id="lv-light-switch", container=False)
    status = gr.HTML(elem_id="lv-light-status", apply_default_css=False)
    effects = gr.HTML(elem_id="lv-effects", apply_default_css=False, render=False)
    advice = gr.HTML(elem_id="lv-advice", apply_default_css=False, render=False)

    def set_lightweight(on: bool, request: gr.Request) -> tuple[bool, str, str]:
        texts = texts_for(request)
        with toasts(texts):
            state.set_lightweight(on)
            now = state.lightweight()
            return now.on, lightweight_html(now, texts), effects_html(now, texts)

    def refresh(request: gr.Request, shown: bool) -> list[Any]:
        """The server's state; the switch is left alone where it already shows it, so that a click in flight is not undone."""
        texts, now = texts_for(request), state.lightweight()
        update = gr.update(interactive=now.available) if shown == now.on else gr.update(value=now.on, interactive=now.available)
        return [update, lightweight_html(now, texts), effects_html(now, texts)]

    # ``input`` is sent by a person only: the timer writing the server's state into the switch never toggles anything,
    # so two open pages cannot toggle each other's. The answer carries the server's state, and the last click counts.
    switch.input(set_lightweight, inputs=switch, outputs=[switch, status, effects], trigger_mode="always_last", **QUIET)
    part = PagePart(
        greeted=[advice],
        greet=lambda texts: [advice_html(state.advice(), texts)],
        refreshed=[switch, status, effects],
        read=[switch],
        refresh=refresh,
    )
    return LightweightPanel(effects=effects, advice=advice, part=part)
