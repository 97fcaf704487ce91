"""The Models tab: what is installed and open, switching without a restart, and the workshop's jobs from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import gradio as gr

from engine.bundle import Bundle
from ui.http.access.managing import may_manage
from ui.limits import Limits
from ui.models.actions import ModelActions
from ui.models.cards_html import cards_html, is_open
from ui.models.delete_form import DeleteForm, build_delete_form, deletable
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
from ui.models.job_slot import JobSlot
from ui.models.state import REAL, ModelState
from ui.scheduling.server_folders import ServerFolders
from ui.text.quantities import megabytes
from ui.text.texts import Texts, label, texts_for
from ui.widgets.banner import banner_html
from ui.widgets.page_part import QUIET, PagePart
from ui.widgets.render import render

if TYPE_CHECKING:
    from models.jobs.workshop import RecipeName, Workshop

#: The jobs whose packages may be missing, for the notice; pruning needs what quantizing needs.
_JOBS = (REAL, "fetch", "import", "quantize")


def models_tab(*, models: ModelState, banner: gr.HTML, folders: ServerFolders, limits: Limits) -> PagePart:
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
            with gr.Column(visible=False, elem_id="lv-models-forms") as forms:
                laid_out = _Forms(
                    switching=build_switch_form(),
                    fetching=build_fetch_form(catalog, hubs),
                    importing=build_import_form(),
                    quantizing=build_quantize_form(recipes),
                    deleting=build_delete_form(),
                    recipes=recipes,
                )
            with gr.Accordion(label("models.log"), open=False, visible=False, elem_id="lv-job-log-card") as log_card:
                log = gr.Textbox(show_label=False, lines=8, max_lines=8, interactive=False, elem_id="lv-job-log")
    lists = [cards, notice, forms, laid_out.switching.bundle, laid_out.quantizing.bundle, laid_out.deleting.card, laid_out.deleting.bundle]
    jobs = [*(part for slot in laid_out.slots for part in slot.outputs), log_card, log]
    outputs = [shown, banner, *lists, *jobs]
    fetching, importing, quantizing = laid_out.fetching, laid_out.importing, laid_out.quantizing

    def greet(texts: Texts) -> list[Any]:
        named = [(texts(f"models.recipe.{name}"), name) for name in (*recipes, PRUNE)]
        sources = [(texts("models.source_auto"), ""), *((hub.label, hub.value) for hub in hubs)]
        hint = render("models/cards", "hint", texts("models.import_hint", limit=megabytes(limits.upload_mb)))
        return [gr.Dropdown(choices=named), gr.Dropdown(choices=sources), render("models/cards", "catalog", catalog, texts), hint]

    update = partial(_changes, models, laid_out.slots, len(outputs))
    _wire(ModelActions(models, update, sent=folders.sent_models), shown, outputs, laid_out)
    greeted = [quantizing.recipe, fetching.source, fetching.catalog, importing.hint]
    return PagePart(greeted=greeted, greet=greet, refreshed=outputs, read=[shown], refresh=update)


@dataclass(frozen=True, kw_only=True)
class _Forms:
    switching: SwitchForm
    fetching: FetchForm
    importing: ImportForm
    quantizing: QuantizeForm
    deleting: DeleteForm
    recipes: Sequence[RecipeName]

    @property
    def slots(self) -> tuple[JobSlot, ...]:
        """The places of jobs."""
        return self.fetching.slot, self.importing.slot, self.quantizing.slot


def _wire(actions: ModelActions, shown: gr.State, outputs: list[Any], forms: _Forms) -> None:
    switching, fetching, importing, quantizing, deleting = (
        forms.switching,
        forms.fetching,
        forms.importing,
        forms.quantizing,
        forms.deleting,
    )
    opening: list[tuple[gr.Button, Any, list[Any]]] = [(slot.open_it, actions.open_made, []) for slot in forms.slots]
    pressed: list[tuple[gr.Button, Any, list[Any]]] = [
        (switching.run, actions.switch, [switching.bundle]),
        (fetching.run, actions.fetch, [fetching.model, fetching.source]),
        (importing.run, actions.bring, [importing.folder, importing.name]),
        (
            quantizing.run,
            actions.quantize,
            [quantizing.bundle, quantizing.recipe, quantizing.clips, quantizing.trials, quantizing.amount, quantizing.as_default],
        ),
        *opening,
    ]
    for button, action, inputs in pressed:
        button.click(
            action,
            inputs=[shown, *inputs],
            outputs=outputs,
            api_visibility="private",
            show_progress="minimal",
            show_progress_on=[button],
        )
    hidden: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    for slot in forms.slots:
        slot.cancel.click(actions.cancel, inputs=[shown], outputs=outputs, **hidden)
    for box in (importing.files, importing.whole_folder):
        box.upload(actions.send, inputs=[shown, box, importing.name], outputs=[*outputs, box], **hidden)
    deleting.ask.click(actions.ask_to_delete, inputs=[deleting.bundle], outputs=deleting.question_parts, **hidden)
    deleting.confirm.click(actions.delete, inputs=[shown, deleting.asked], outputs=[*outputs, *deleting.question_parts], **hidden)
    deleting.keep.click(lambda: ["", "", gr.Row(visible=False)], outputs=deleting.question_parts, **QUIET)
    quantizing.recipe.input(
        partial(settings_of, forms.recipes),
        inputs=quantizing.recipe,
        outputs=[quantizing.clips, quantizing.trials, quantizing.amount, quantizing.as_default],
        **QUIET,
    )


def _changes(models: ModelState, slots: Sequence[JobSlot], count: int, request: gr.Request, shown: Sequence[str]) -> list[Any]:
    """What changed since a page was last drawn, for its ``count`` outputs; lists that somebody may be choosing from stay otherwise."""
    texts = texts_for(request)
    allowed = may_manage(models.managers, request)
    opened, installed = models.open_bundle, models.installed()
    now = [_word(opened), "|".join([str(allowed), *(_word(entry) for entry in (opened, *installed))]), _job_word(models)]
    bundle_changed, list_changed, job_changed = (old != new for old, new in zip(shown, now, strict=True))
    if not (bundle_changed or list_changed or job_changed):
        return [gr.skip()] * count
    banner = banner_html(opened, texts) if bundle_changed else gr.skip()
    lists: list[Any] = [gr.skip()] * 7
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
            *deletable([(name, folder) for name, folder in choices if models.may_delete(_of(installed, folder))]),
        ]
    jobs: list[Any] = [gr.skip()] * (count - 2 - len(lists))
    if job_changed or bundle_changed:  # a bundle that is open is not offered to be opened
        started = models.started
        log = "\n".join(started.job.log) if started else ""
        drawn = [part for slot in slots for part in slot.drawn(models, texts, allowed=allowed)]
        jobs = [*drawn, gr.Accordion(visible=started is not None), log]
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
    return f"{id(started)} {started.runs} {started.job.state} {started.job.progress} {len(started.job.log)} {started.job.log[-1:]}"


def _choices(installed: Sequence[object]) -> list[tuple[str, str]]:
    return [(f"{entry.title} ({entry.name})", str(entry.folder)) for entry in installed if isinstance(entry, Bundle)]


def _of(installed: Sequence[object], folder: str) -> Bundle:
    return next(entry for entry in installed if isinstance(entry, Bundle) and str(entry.folder) == folder)


def _notice_html(workshop: Workshop | None, allowed: bool, texts: Texts) -> str:
    """Why something cannot be done here, and what would help; nothing where everything can."""
    if not allowed:
        return render("models/cards", "notice", texts("models.not_allowed"))
    missing = {} if workshop is None else {job: workshop.missing(job) for job in _JOBS}
    if workshop is None or not any(missing.values()):
        return ""
    if workshop.installs:
        packages = ", ".join(dict.fromkeys(name for names in missing.values() for name in names))
        return render("models/cards", "notice", texts("models.installs", packages=packages))
    lacking = [texts("models.lacks", job=texts(f"models.kind.{job}"), packages=", ".join(names)) for job, names in missing.items() if names]
    return render("models/cards", "notice", texts("models.slim", jobs="; ".join(lacking)))
