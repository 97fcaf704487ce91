"""The id of a page's queue of recordings, as listeners of every tab get it from the page's script (ui/assets/queue.js)."""

from __future__ import annotations

import gradio as gr

from ui.scheduling.queue_runner import QueueRunner

#: What stands for the id among a listener's inputs, last of them, until the script puts the id in its place: Gradio hands a
#: script the outputs' values behind the inputs.
QUEUE_ID_MARK = "lightvoice-queue"
WITH_QUEUE_ID = f"(...values) => [...values.slice(0, values.indexOf('{QUEUE_ID_MARK}')), window.lightvoiceQueue.id()]"


def build_queue_id() -> gr.Textbox:
    """A hidden input; a listener that takes it last, with ``js=WITH_QUEUE_ID``, gets the id."""
    return gr.Textbox(QUEUE_ID_MARK, visible=False)


def selected_recording(recordings: QueueRunner, queue_id: str) -> str | None:
    """The path of the recording that a page's queue has selected; None for none, or one that is deleted."""
    queue = recordings.find(queue_id)
    entry = queue and queue.selected
    return str(entry.path) if entry and entry.path.is_file() else None
