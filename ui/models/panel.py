"""The Models tab: what is installed and open, switching without a restart, and the workshop's jobs from the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr
from gradio.components import Component

from engine.bundle import Bundle
from ui.context import PageContext
from ui.http.access.managing import may_manage
from ui.models.actions import ModelActions
from ui.models.cards_html import cards_html, is_open, job_html
from ui.models.forms import (
    RECIPES,
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
from ui.models.workshop import CatalogModel, Workshop
from ui.text.quantities import megabytes
from ui.text.texts import Texts, label, texts_for
from ui.widgets.banner import banner_html


@dataclass(frozen=True, kw_only=True)
class ModelsPanel:
    """What the page needs of this panel after it was laid out."""

    context: PageContext
    #: What this page shows: the open bundle, the list of bundles, the job, each as a word that changes when they do.
    shown: gr.State
    outputs: Sequence[Component | gr.Column]
    greeted: Sequence[Component]

    def greet(self, texts: Texts) -> list[Any]:
        """What is written once, in the reader's language; for :attr:`greeted`."""
        recipes = [(texts(f"models.recipe.{name}"), name) for name in RECIPES]
        sources = [(texts("models.source_auto"), ""), ("ModelScope", "modelscope"), ("Hugging Face", "huggingface")]
        return [gr.Dropdown(choices=recipes), gr.Dropdown(choices=sources), _catalog_html(self.context.models.workshop, texts)]

    def update(self, shown: Sequence[str], request: gr.Request) -> list[Any]:
        """What changed since this page was last drawn, for :attr:`outputs`; lists that somebody may be choosing from stay otherwise."""
        state, texts = self.context.models, texts_for(request)
        allowed = may_manage(self.context.managers, request)
        opened, installed = state.open_bundle, state.installed()
        now = [_word(opened), "|".join([str(allowed), *(_word(entry) for entry in (opened, *installed))]), _job_word(state)]
        bundle_changed, list_changed, job_changed = (old != new for old, new in zip(shown, now, strict=True))
        if not (bundle_changed or list_changed or job_changed):
            return [gr.skip()] * len(self.outputs)
        banner = banner_html(opened, texts) if bundle_changed else gr.skip()
        lists: list[Any] = [gr.skip()] * 5
        if list_changed:
            choices = _choices(installed)
            chosen: dict[str, Any] = {"value": next((value for _, value in choices if is_open(_of(installed, value), opened)), None)}
            picked = chosen if bundle_changed else {}
            lists = [
                cards_html(installed, opened, texts),
                _notice_html(self.context, allowed, texts),
                gr.Column(visible=allowed),
                gr.Dropdown(choices=choices, **picked),
                gr.Dropdown(choices=choices, **picked),
            ]
        jobs: list[Any] = [gr.skip()] * 4
        if job_changed:
            started = state.started
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


def _job_word(state: ModelState) -> str:
    started = state.started
    if started is None:
        return ""
    return f"{id(started)} {started.job.state} {started.job.progress} {len(started.job.log)} {started.job.log[-1:]}"


def _choices(installed: Sequence[object]) -> list[tuple[str, str]]:
    return [(f"{entry.title} ({entry.name})", str(entry.folder)) for entry in installed if isinstance(entry, Bundle)]


def _of(installed: Sequence[object], folder: str) -> Bundle:
    return next(entry for entry in installed if isinstance(entry, Bundle) and str(entry.folder) == folder)


def _notice_html(context: PageContext, allowed: bool, texts: Texts) -> str:
    """Why something cannot be done here, and what would help; nothing where everything can."""
    workshop = context.models.workshop
    missing = workshop.missing() if workshop else ()
    said = []
    if not allowed:
        said.append(texts("models.not_allowed"))
    elif missing:
        said.append(texts("models.slim", packages=", ".join(missing)))
    return "".join(f'<p class="lv-notice" role="note">{escape(text)}</p>' for text in said)


def _catalog_html(workshop: Workshop | None, texts: Texts) -> str:
    rows = "".join(
        f"<dt>{escape(model.name)}</dt><dd>{escape(_title(model, texts))} · "
        f"{escape(texts('models.weighs', download=megabytes(model.download_mb), bundle=megabytes(model.bundle_mb)))} · "
        f"{escape(model.licence)}</dd>"
        for model in (workshop.catalog if workshop else ())
    )
    return f'<dl class="lv-editions">{rows}</dl>'


def _title(model: CatalogModel, texts: Texts) -> str:
    """What a model is, in the reader's language where this page knows it."""
    key = f"models.edition.{model.name}"
    return texts(key) if key in texts else model.title


def build_models_panel(context: PageContext, banner: gr.HTML) -> ModelsPanel:
    """Lay the panel out inside the current tab and wire it; ``ui/page.py`` keeps it, and the banner above, fresh."""
    shown = gr.State(["", "", ""])
    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=3, min_width=280):
            cards = gr.HTML(elem_id="lv-models", apply_default_css=False)
        with gr.Column(scale=2, min_width=280):
            notice = gr.HTML(elem_id="lv-models-notice", apply_default_css=False)
            job = gr.HTML(elem_id="lv-job", apply_default_css=False)
            cancel = gr.Button(label("models.cancel"), variant="stop", visible=False, elem_id="lv-job-cancel")
            with gr.Accordion(label("models.log"), open=False, visible=False, elem_id="lv-job-log-card") as log_card:
                log = gr.Textbox(show_label=False, lines=8, max_lines=8, interactive=False, elem_id="lv-job-log")
            with gr.Column(visible=False, elem_id="lv-models-forms") as forms:
                switching = build_switch_form()
                fetching = build_fetch_form(context.models.workshop.catalog if context.models.workshop else ())
                importing = build_import_form()
                quantizing = build_quantize_form()
    outputs = [shown, banner, cards, notice, forms, switching.bundle, quantizing.bundle, job, cancel, log_card, log]
    panel = ModelsPanel(context=context, shown=shown, outputs=outputs, greeted=[quantizing.recipe, fetching.source, fetching.catalog])
    _wire(panel, cancel, _Forms(switching, fetching, importing, quantizing))
    return panel


@dataclass(frozen=True)
class _Forms:
    switching: SwitchForm
    fetching: FetchForm
    importing: ImportForm
    quantizing: QuantizeForm


def _wire(panel: ModelsPanel, cancel: gr.Button, forms: _Forms) -> None:
    switching, fetching, importing, quantizing = forms.switching, forms.fetching, forms.importing, forms.quantizing
    actions = ModelActions(panel.context, panel.update)
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
            inputs=[panel.shown, *inputs],
            outputs=list(panel.outputs),
            api_visibility="private",
            show_progress="hidden" if button is cancel else "minimal",
            show_progress_on=[button],
        )
    quantizing.recipe.input(
        settings_of,
        inputs=quantizing.recipe,
        outputs=[quantizing.clips, quantizing.trials, quantizing.amount, quantizing.as_default],
        api_visibility="private",
        queue=False,
        show_progress="hidden",
    )
