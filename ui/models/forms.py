"""The forms of the Models tab: open a bundle, fetch a model, bring one in files, make a variant; each with the place of its job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.models.job_slot import JobSlot, build_job_slot
from ui.text.texts import label

if TYPE_CHECKING:
    from models.jobs.workshop import CatalogModel, RecipeName

PRUNE = "prune"
MOST_AMOUNT = 0.9


@dataclass(frozen=True, kw_only=True)
class SwitchForm:
    """Which bundle to open."""

    bundle: gr.Dropdown
    run: gr.Button


@dataclass(frozen=True, kw_only=True)
class FetchForm:
    """Which model to download, and from which hub."""

    model: gr.Dropdown
    source: gr.Dropdown
    catalog: gr.HTML
    run: gr.Button
    slot: JobSlot


@dataclass(frozen=True, kw_only=True)
class ImportForm:
    """Files that are sent here or a folder of the server, and the name of their bundle."""

    hint: gr.HTML
    files: gr.File
    whole_folder: gr.UploadButton
    folder: gr.Textbox
    name: gr.Textbox
    run: gr.Button
    slot: JobSlot


@dataclass(frozen=True, kw_only=True)
class QuantizeForm:
    """Which variant to make of which bundle."""

    bundle: gr.Dropdown
    recipe: gr.Dropdown
    clips: gr.Number
    trials: gr.Number
    amount: gr.Slider
    as_default: gr.Checkbox
    run: gr.Button
    slot: JobSlot


def build_switch_form() -> SwitchForm:
    """Lay out the choice of the open bundle."""
    with gr.Group():
        bundle = gr.Dropdown(
            choices=[], label=label("models.bundle"), info=label("models.bundle_info"), filterable=False, elem_id="lv-switch-bundle"
        )
    return SwitchForm(bundle=bundle, run=gr.Button(label("models.switch"), variant="primary", elem_id="lv-switch-run"))


def build_fetch_form(models: Sequence[CatalogModel], sources: Sequence[str]) -> FetchForm:
    """Lay out the download of a model of the catalog."""
    names = [model.name for model in models]
    with gr.Accordion(label("models.fetch_title"), open=False, elem_id="lv-fetch"):
        catalog = gr.HTML(apply_default_css=False)
        model = gr.Dropdown(
            choices=names, value=next(iter(names), None), label=label("models.model"), filterable=False, elem_id="lv-fetch-model"
        )
        source = gr.Dropdown(
            choices=[("", ""), *((str(name), str(name)) for name in sources)],
            value="",
            label=label("models.hub"),
            info=label("models.hub_info"),
            filterable=False,
            elem_id="lv-fetch-source",
        )
        run = gr.Button(label("models.fetch"), elem_id="lv-fetch-run")
    return FetchForm(model=model, source=source, catalog=catalog, run=run, slot=build_job_slot("fetch"))


def build_import_form() -> ImportForm:
    """Lay out the import of files and folders."""
    with gr.Accordion(label("models.import_title"), open=False, elem_id="lv-import"):
        hint = gr.HTML(apply_default_css=False, elem_id="lv-import-hint")
        files = gr.File(label=label("models.import_files"), file_count="multiple", height=140, elem_id="lv-import-files")
        whole_folder = gr.UploadButton(
            label("models.import_whole"),  # type: ignore[arg-type]  # translated in the browser, as a button's text is
            file_count="directory",
            size="sm",
            elem_id="lv-import-whole",
        )
        folder = gr.Textbox(label=label("models.import_folder"), info=label("models.import_info"), max_lines=1, elem_id="lv-import-folder")
        name = gr.Textbox(label=label("models.import_name"), info=label("models.import_name_info"), max_lines=1, elem_id="lv-import-name")
        run = gr.Button(label("models.import"), elem_id="lv-import-run")
    return ImportForm(hint=hint, files=files, whole_folder=whole_folder, folder=folder, name=name, run=run, slot=build_job_slot("import"))


def build_quantize_form(recipes: Sequence[RecipeName]) -> QuantizeForm:
    """Lay out the recipes with the settings that the page offers."""
    with gr.Accordion(label("models.quantize_title"), open=False, elem_id="lv-quantize"):
        bundle = gr.Dropdown(
            choices=[], label=label("models.bundle"), info=label("models.quantize_info"), filterable=False, elem_id="lv-quantize-bundle"
        )
        recipe = gr.Dropdown(
            choices=[*recipes, PRUNE],
            value=next(iter(recipes), PRUNE),
            label=label("models.recipe"),
            info=label("models.recipe_info"),
            filterable=False,
            elem_id="lv-quantize-recipe",
        )
        clips = gr.Number(
            value=None,
            precision=0,
            label=label("models.clips"),
            info=label("models.clips_info"),
            visible=False,
            elem_id="lv-quantize-clips",
        )
        trials = gr.Number(
            value=None,
            precision=0,
            label=label("models.trials"),
            info=label("models.trials_info"),
            visible=False,
            elem_id="lv-quantize-trials",
        )
        amount = gr.Slider(
            minimum=0.05,
            maximum=MOST_AMOUNT,
            value=0.1,
            step=0.05,
            label=label("models.amount"),
            info=label("models.amount_info"),
            visible=False,
            elem_id="lv-quantize-amount",
        )
        as_default = gr.Checkbox(
            value=False,
            label=label("models.as_default"),
            info=label("models.as_default_info"),
            visible=False,
            elem_id="lv-quantize-default",
        )
        run = gr.Button(label("models.quantize"), elem_id="lv-quantize-run")
    return QuantizeForm(
        bundle=bundle,
        recipe=recipe,
        clips=clips,
        trials=trials,
        amount=amount,
        as_default=as_default,
        run=run,
        slot=build_job_slot("quantize"),
    )


def recipe_of(recipes: Sequence[RecipeName], name: str) -> RecipeName | None:
    """The recipe of a name; None for pruning and for a name that is none."""
    return next((recipe for recipe in recipes if recipe == name), None)


def settings_of(recipes: Sequence[RecipeName], name: str) -> list[Any]:
    """Show the settings that a recipe has: clips, trials, amount, use in lightweight mode."""
    recipe = recipe_of(recipes, name)
    return [
        gr.Number(visible=recipe is not None and recipe.takes_clips),
        gr.Number(visible=recipe is not None and recipe.takes_trials),
        gr.Slider(visible=name == PRUNE),
        gr.Checkbox(visible=recipe is not None and recipe.can_be_default),
    ]
