"""Where the open model came without a variant, as INT8 alone: below the two choices, one button that brings the rest to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.compare.variant_choices import VariantChoices
from ui.http.access.managing import may_manage, require_manager
from ui.models.cards_html import job_html
from ui.models.state import ModelState
from ui.text.quantities import megabytes
from ui.text.texts import Texts, label, texts_for
from ui.widgets.handlers import toasts
from ui.widgets.page_part import PagePart
from ui.widgets.render import render

if TYPE_CHECKING:
    from models.jobs.workshop import CatalogModel

_JOB = "fetch"


@dataclass(frozen=True, kw_only=True)
class MissingView:
    """What is shown: a sentence or how far it is, the words on the button (None: no button), and whether it can be cancelled."""

    html: str = ""
    press: str | None = None
    can_cancel: bool = False


def view_of(models: ModelState, texts: Texts, *, allowed: bool) -> MissingView:
    """What a page shows now; nothing where the open bundle has all that its model is published with, or nothing can be brought."""
    model = models.missing_edition()
    if model is None:
        return MissingView()
    started = models.started
    job = started if started is not None and (started.kind, started.subject) == (_JOB, model.name) else None
    if job is not None and job.runs:
        return MissingView(html=job_html(job, texts), can_cancel=allowed and job.job.state == "running")
    lacks = _lacking(model, models)
    said = texts("compare.missing", variant=lacks, download=megabytes(model.download_mb), licence=model.licence)
    html = render("compare/missing", "sentence", said)
    if not allowed:
        return MissingView(html=html)
    press = texts("compare.get_missing", variant=lacks, download=megabytes(model.download_mb))
    return MissingView(html=html if job is None else html + job_html(job, texts), press=press)


def _lacking(model: CatalogModel, models: ModelState) -> str:
    return ", ".join(name.upper() for name in model.precisions if name not in models.open_bundle.variants)


@dataclass(frozen=True, kw_only=True)
class _Parts:
    shown: gr.State
    text: gr.HTML
    get: gr.Button
    cancel: gr.Button


def build_missing_variant(models: ModelState, choices: VariantChoices, sides: Sequence[gr.Dropdown]) -> PagePart:
    """Lay it out and wire it; the page's timer keeps it fresh, and the two choices ``sides`` once the rest is there."""
    parts = _Parts(
        # The view and the open bundle's variants, each as a word that changes when it does.
        shown=gr.State(["", ""]),
        text=gr.HTML(elem_id="lv-compare-missing", apply_default_css=False),
        get=gr.Button("", size="sm", visible=False, elem_id="lv-compare-get-missing"),
        cancel=gr.Button(label("models.cancel"), variant="stop", size="sm", visible=False, elem_id="lv-compare-cancel-missing"),
    )
    outputs = [parts.shown, parts.text, parts.get, parts.cancel, *sides]
    refresh = partial(_refresh, models, choices)
    wired: dict[str, Any] = {"inputs": [parts.shown], "outputs": outputs, "api_visibility": "private", "show_progress": "hidden"}

    def get(shown: list[str], request: gr.Request) -> list[Any]:
        with toasts(texts_for(request)):
            require_manager(models.managers, request)
            models.complete()
            return refresh(request, shown)

    def cancel(shown: list[str], request: gr.Request) -> list[Any]:
        with toasts(texts_for(request)):
            require_manager(models.managers, request)
            models.cancel()
            return refresh(request, shown)

    parts.get.click(get, **wired)
    parts.cancel.click(cancel, **wired)
    return PagePart(refreshed=outputs, read=[parts.shown], refresh=refresh)


def _refresh(models: ModelState, choices: VariantChoices, request: gr.Request, shown: Sequence[str]) -> list[Any]:
    """What changed since the page was last drawn."""
    allowed = may_manage(models.managers, request)
    view, opened = view_of(models, texts_for(request), allowed=allowed), models.open_bundle
    now = [repr(view), f"{opened.folder} {list(opened.variants)}"]
    if list(shown) == now:
        return [gr.skip()] * 6
    drawn: list[Any] = [gr.skip(), gr.skip()]
    if shown[1] and shown[1] != now[1]:  # another bundle, or more of this one: what was chosen may be gone
        offered = choices.offered(others=allowed)
        drawn = [gr.Dropdown(choices=offered, value=value) for value in choices.defaults()]
    get = gr.Button(visible=False) if view.press is None else gr.Button(value=view.press, visible=True)
    return [now, view.html, get, gr.Button(visible=view.can_cancel), *drawn]
