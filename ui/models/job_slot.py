"""Where the last job stands on the Models tab: below the form whose button began it, with its cancel, and *Open it* once it is done."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.models.cards_html import job_html
from ui.models.state import REAL, ModelState, StartedJob
from ui.text.texts import Texts, label

#: The forms that begin jobs, and the kinds of jobs that each begins; the banner's button shows its job by its own too.
SLOTS = {"fetch": ("fetch", REAL), "import": ("import",), "quantize": ("quantize", "prune")}


@dataclass(frozen=True, kw_only=True)
class JobSlot:
    """The job below one form."""

    kinds: tuple[str, ...]
    text: gr.HTML
    open_it: gr.Button
    cancel: gr.Button

    @property
    def outputs(self) -> list[Any]:
        """What :meth:`drawn` fills."""
        return [self.text, self.open_it, self.cancel]

    def drawn(self, models: ModelState, texts: Texts, *, allowed: bool) -> list[Any]:
        """The last job, where this is its place."""
        started = models.started
        if started is None or started.kind not in self.kinds:
            return ["", gr.Button(visible=False), gr.Button(visible=False)]
        runs = started.job.state == "running"
        opens = allowed and made_bundle(started) is not None and not _is_open(started, models) and not started.runs
        return [job_html(started, texts), gr.Button(visible=opens), gr.Button(visible=runs and allowed)]


def build_job_slot(name: str) -> JobSlot:
    """Lay out the place of the job below the form ``name``."""
    with gr.Column(elem_classes="lv-job-slot"):
        text = gr.HTML(elem_id=f"lv-job-{name}", elem_classes="lv-job-text", apply_default_css=False)
        open_it = gr.Button(label("models.open_it"), variant="primary", visible=False, elem_id=f"lv-job-{name}-open")
        cancel = gr.Button(label("models.cancel"), variant="stop", visible=False, elem_id=f"lv-job-{name}-cancel")
    return JobSlot(kinds=SLOTS[name], text=text, open_it=open_it, cancel=cancel)


def made_bundle(started: StartedJob | None) -> str | None:
    """The folder of the bundle that a finished job made; None for any other."""
    if started is None or started.job.state != "done" or started.job.result is None:
        return None
    return str(started.job.result)


def _is_open(started: StartedJob, models: ModelState) -> bool:
    result = started.job.result
    return result is not None and result.resolve() == models.open_bundle.folder.resolve()
