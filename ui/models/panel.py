"""The Models tab: what is installed and open, switching without a restart, and the workshop's jobs from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from engine.bundle import Bundle
from ui.http.access.managing import may_manage
from ui.models.actions import ModelActions
from ui.models.cards_html import cards_html, is_open, job_html
from ui.models.forms import (
    PRUNE,
    FetchForm,
    ImportForm,
    QuantizeForm,
    SwitchForm,
    build_fetch_form,
    build_import_form,
    build_quantize_form,
    build_switch_form,
    settings_of,
)
from ui.models.state import ModelState
from ui.text.texts import Texts, label, texts_for
from ui.widgets.banner import banner_html
from ui.widgets.page_part import QUIET, PagePart
from ui.widgets.render import render

if TYPE_CHECKING:
    from models.jobs.workshop import RecipeName, Workshop


def models_tab(*, models: ModelState, banner: gr.HTML) -> PagePart:
    """Lay the tab out and wire it; the page's timer keeps it, and the ``banner`` above, fresh."""
    workshop = models.workshop
    catalog, hubs, recipes = (workshop.catalog, workshop.sources, workshop.recipes) if workshop else ((), (), ())
    with gr.Tab(label("tab.models"), id="models"), gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=3, min_width=280):
            cards = gr.HTML(elem_id="lv-models", apply_default_css=False)
            # What this page shows: the open bundle, the list of bundles, the job, each as a word that changes when they do.
            shown = gr.State(["", "", ""])
        with gr.Column(scale=2, min_width=280):
            notice = gr.HTML(elem_id="lv-models-notice", apply_default_css=False)
            job = gr.HTML(elem_id="lv-job", apply_default_css=False)
            cancel = gr.Button(label("models.cancel"), variant="stop", visible=False, elem_id="lv-job-cancel")
            with gr.Accordion(label("models.log"), open=False, visible=False, elem_id="lv-job-log-card") as log_card:
                log = gr.Textbox(show_label=False, lines=8, max_lines=8, interactive=False, elem_id="lv-job-log")
            with gr.Column(visible=False, elem_id="lv-models-forms") as forms:
                switching = build_switch_form()
                fetching = build_fetch_form(catalog, hubs)
                importing = build_import_form()
                quantizing = build_quantize_form(recipes)
    outputs = [shown, banner, cards, notice, forms, switching.bundle, quantizing.bundle, job, cancel, log_card, log]

    def greet(texts: Texts) -> list[Any]:
        named = [(texts(f"models.recipe.{name}"), name) for name in (*recipes, PRUNE)]
        sources = [(texts("models.source_auto"), ""), *((hub.label, hub.value) for hub in hubs)]
        return [gr.Dropdown(choices=named), gr.Dropdown(choices=sources), render("models/cards", "catalog", catalog, texts)]

    update = partial(_changes, models, len(outputs))
    _wire(ModelActions(models, update), shown, outputs, cancel, _Forms(switching, fetching, importing, quantizing, recipes))
    greeted = [quantizing.recipe, fetching.source, fetching.catalog]
    return PagePart(greeted=greeted, greet=greet, refreshed=outputs, read=[shown], refresh=update)


@dataclass(frozen=True)
class _Forms:
    switching: SwitchForm
    fetching: FetchForm
    importing: ImportForm
    quantizing: QuantizeForm
    recipes: Sequence[RecipeName]


def _wire(actions: ModelActions, shown: gr.State, outputs: list[Any], cancel: gr.Button, forms: _Forms) -> None:
    switching, fetching, importing, quantizing = forms.switching, forms.fetching, forms.importing, forms.quantizing
    for button, action, inputs in (
        (switching.run, actions.switch, [switching.bundle]),
        (fetching.run, actions.fetch, [fetching.model, fetching.source]),
        (importing.run, actions.bring, [importing.folder, importing.name]),
        (
            quantizing.run,
            actions.quantize,
            [quantizing.bundle, quantizing.recipe, quantizing.clips, quantizing.trials, quantizing.amount, quantizing.as_default],
        ),
        (cancel, actions.cancel, []),
    ):
        button.click(
            action,
            inputs=[shown, *inputs],
            outputs=outputs,
            api_visibility="private",
            show_progress="hidden" if button is cancel else "minimal",
            show_progress_on=[button],
        )
    quantizing.recipe.input(
        partial(settings_of, forms.recipes),
        inputs=quantizing.recipe,
        outputs=[quantizing.clips, quantizing.trials, quantizing.amount, quantizing.as_default],
        **QUIET,
    )


def _changes(models: ModelState, count: int, request: gr.Request, shown: Sequence[str]) -> list[Any]:
    """What changed since a page was last drawn, for its ``count`` outputs; lists that somebody may be choosing from stay otherwise."""
    texts = texts_for(request)
    allowed = may_manage(models.managers, request)
    opened, installed = models.open_bundle, models.installed()
    now = [_word(opened), "|".join([str(allowed), *(_word(entry) for entry in (opened, *installed))]), _job_word(models)]
    bundle_changed, list_changed, job_changed = (old != new for old, new in zip(shown, now, strict=True))
    if not (bundle_changed or list_changed or job_changed):
        return [gr.skip()] * count
    banner = banner_html(opened, texts) if bundle_changed else gr.skip()
    lists: list[Any] = [gr.skip()] * 5
    if list_changed:
        choices = _choices(installed)
        chosen: dict[str, Any] = {"value": next((value for _, value in choices if is_open(_of(installed, value), opened)), None)}
        picked = chosen if bundle_changed else {}
        lists = [
            cards_html(installed, opened, texts),
            _notice_html(models.workshop, allowed, texts),
            gr.Column(visible=allowed),
            gr.Dropdown(choices=choices, **picked),
            gr.Dropdown(choices=choices, **picked),
        ]
    jobs: list[Any] = [gr.skip()] * 4
    if job_changed:
        started = models.started
        runs = started is not None and started.runs
        log = "\n".join(started.job.log) if started else ""
        jobs = [job_html(started, texts), gr.Button(visible=runs and allowed), gr.Accordion(visible=started is not None), log]
    return [now, banner, *lists, *jobs]


def _word(entry: object) -> str:
    """A word that is another one whenever what is shown of a bundle is."""
    if isinstance(entry, Bundle):
        sizes = ",".join(f"{name}:{entry.size_mb(name)}" for name in entry.variants)
        return f"{entry.folder} {entry.name} {entry.version} {sizes}"
    return repr(entry)


def _job_word(models: ModelState) -> str:
    started = models.started
    if started is None:
        return ""
    return f"{id(started)} {started.job.state} {started.job.progress} {len(started.job.log)} {started.job.log[-1:]}"


def _choices(installed: Sequence[object]) -> list[tuple[str, str]]:
    return [(f"{entry.title} ({entry.name})", str(entry.folder)) for entry in installed if isinstance(entry, Bundle)]


def _of(installed: Sequence[object], folder: str) -> Bundle:
    return next(entry for entry in installed if isinstance(entry, Bundle) and str(entry.folder) == folder)


def _notice_html(workshop: Workshop | None, allowed: bool, texts: Texts) -> str:
    """Why something cannot be done here, and what would help; nothing where everything can."""
    missing = workshop.missing() if workshop else ()
    if not allowed:
        return render("models/cards", "notice", texts("models.not_allowed"))
    if workshop is None or not missing:
        return ""
    return render("models/cards", "notice", texts("models.installs" if workshop.installs else "models.slim", packages=", ".join(missing)))
