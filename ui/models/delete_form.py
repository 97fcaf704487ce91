"""Deleting a bundle that was made or fetched here: which one, and the question before it is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.bundle import Bundle
from engine.files.sizes import BYTES_PER_MB
from ui.text.quantities import megabytes
from ui.text.texts import Texts, label
from ui.widgets.render import render


@dataclass(frozen=True, kw_only=True)
class DeleteForm:
    """Which bundle to delete, and the question."""

    card: gr.Accordion
    bundle: gr.Dropdown
    ask: gr.Button
    #: The folder that the question is about: the choice may have changed since.
    asked: gr.State
    question: gr.HTML
    answer: gr.Row
    confirm: gr.Button
    keep: gr.Button

    @property
    def question_parts(self) -> list[Any]:
        """What :meth:`asking` fills."""
        return [self.asked, self.question, self.answer]


def build_delete_form() -> DeleteForm:
    """Lay it out; the question is not shown before it is asked."""
    with gr.Accordion(label("models.delete_title"), open=False, visible=False, elem_id="lv-delete") as card:
        bundle = gr.Dropdown(
            choices=[], label=label("models.bundle"), info=label("models.delete_info"), filterable=False, elem_id="lv-delete-bundle"
        )
        ask = gr.Button(label("models.delete"), elem_id="lv-delete-run")
        asked = gr.State("")
        question = gr.HTML(apply_default_css=False, elem_id="lv-delete-question")
        with gr.Row(visible=False) as answer:
            confirm = gr.Button(label("models.delete_confirm"), variant="stop", elem_id="lv-delete-confirm")
            keep = gr.Button(label("models.delete_keep"), elem_id="lv-delete-keep")
    return DeleteForm(card=card, bundle=bundle, ask=ask, asked=asked, question=question, answer=answer, confirm=confirm, keep=keep)


def asking(bundle: Bundle | None, texts: Texts) -> list[Any]:
    """The question about a bundle; none for None."""
    if bundle is None:
        return ["", "", gr.Row(visible=False)]
    size_mb = sum(path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()) / BYTES_PER_MB
    text = texts("models.delete_question", title=bundle.title, size=megabytes(size_mb), folder=bundle.folder)
    return [str(bundle.folder), render("models/cards", "notice", text), gr.Row(visible=True)]


def deletable(choices: Sequence[tuple[str, str]]) -> list[Any]:
    """The form's card and its list, for the bundles that may be deleted."""
    return [gr.Accordion(visible=bool(choices)), gr.Dropdown(choices=list(choices), value=next((value for _, value in choices), None))]
