"""Below the banner, while the starter is open: one button that brings the real model, with its progress, its end and what helps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import gradio as gr

from ui.http.access.managing import may_manage, require_manager
from ui.models.real_model_html import RealModelView, view_of
from ui.models.state import ModelState
from ui.text.texts import Texts, label, texts_for
from ui.widgets.handlers import toasts
from ui.widgets.page_part import PagePart


@dataclass(frozen=True, kw_only=True)
class _Parts:
    shown: gr.State
    text: gr.HTML
    source: gr.Dropdown
    get: gr.Button
    cancel: gr.Button

    @property
    def outputs(self) -> list[Any]:
        return [self.shown, self.text, self.source, self.get, self.cancel]


def build_real_model(models: ModelState) -> PagePart:
    """Lay it out and wire it; the page's timer keeps it fresh."""
    hubs = models.workshop.sources if models.workshop else ()
    with gr.Column(elem_id="lv-real"):
        parts = _Parts(
            shown=gr.State(""),
            text=gr.HTML(elem_id="lv-real-text", apply_default_css=False),
            source=gr.Dropdown(
                choices=[("", ""), *((str(hub), str(hub)) for hub in hubs)],
                value="",
                label=label("models.hub"),
                visible=False,
                filterable=False,
                elem_id="lv-real-source",
            ),
            get=gr.Button("", variant="primary", size="sm", visible=False, elem_id="lv-real-get"),
            cancel=gr.Button(label("models.cancel"), variant="stop", size="sm", visible=False, elem_id="lv-real-cancel"),
        )
    actions = _Actions(models)
    # The press itself is answered at once: what runs, runs in a process of its own.
    wired: dict[str, Any] = {"outputs": parts.outputs, "api_visibility": "private", "show_progress": "hidden"}
    parts.get.click(actions.get, inputs=[parts.shown, parts.source], **wired)
    parts.cancel.click(actions.cancel, inputs=[parts.shown], **wired)

    def greet(texts: Texts) -> list[Any]:
        return [gr.Dropdown(choices=[(texts("models.source_auto"), ""), *((hub.label, hub.value) for hub in hubs)])]

    return PagePart(greeted=[parts.source], greet=greet, refreshed=parts.outputs, read=[parts.shown], refresh=partial(_refresh, models))


class _Actions:
    """What the two buttons do; each asks first whether whoever pressed it manages this server's models."""

    def __init__(self, models: ModelState) -> None:
        self._models = models

    def get(self, shown: str, source: str | None, request: gr.Request) -> Sequence[Any]:
        """Bring the model and open it; where that runs already, only show how far it is."""
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            self._models.get_real(source=source or None)
            return _refresh(self._models, request, shown)

    def cancel(self, shown: str, request: gr.Request) -> Sequence[Any]:
        """End the download; what came is kept."""
        with toasts(texts_for(request)):
            require_manager(self._models.managers, request)
            self._models.cancel()
            return _refresh(self._models, request, shown)


def _refresh(models: ModelState, request: gr.Request, shown: str) -> list[Any]:
    """What changed since the page was last drawn."""
    view = view_of(models, texts_for(request), allowed=may_manage(models.managers, request))
    word = repr(view)
    return [gr.skip()] * 5 if word == shown else [word, *_drawn(view)]


def _drawn(view: RealModelView) -> list[Any]:
    get = gr.Button(visible=False) if view.press is None else gr.Button(value=view.press, visible=True)
    return [view.html, gr.Dropdown(visible=view.asks_source), get, gr.Button(visible=view.can_cancel)]
