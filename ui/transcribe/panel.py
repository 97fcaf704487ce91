"""The Transcribe tab: recordings go into the page's queue, transcripts come out of it.

Gradio brings the recordings and the options; the queue and the transcripts are drawn by the page's script
(ui/assets/queue.js), which asks ``queue_routes.py``. The queue's id is made by the script and kept for as long as the browser tab
lives, so that a reload finds everything again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from engine.errors import AudioNotFoundError
from ui.api.endpoints import uploaded_file
from ui.context import PageContext
from ui.scheduling.recording_queue import RecordingQueue
from ui.text.failures import Failure, failure_of
from ui.text.texts import Texts, label, texts_for
from ui.transcribe.form import OptionControls, RecordingSources, build_options, build_sources, form_options, greeted_options
from ui.transcribe.form_options import remembered
from ui.transcribe.queue_html import queue_shell_html
from ui.widgets.handlers import files_refused, no_recording, toasts
from ui.widgets.recording_form import EXAMPLES_FOLDER

#: What stands for the queue's id among a listener's inputs, last of them, until the script puts the id in its place: Gradio
#: hands a script the outputs' values behind the inputs.
QUEUE_ID_MARK = "lightvoice-queue"
WITH_QUEUE_ID = f"(...values) => [...values.slice(0, values.indexOf('{QUEUE_ID_MARK}')), window.lightvoiceQueue.id()]"
#: The drop zone is emptied at once, in the browser: emptied by an answer of the server, it would take with it what is dropped until then.
_TAKE_FILES = "(files) => { window.lightvoiceQueue.take(files); return null; }"
_TAKEN_FILES = "() => [window.lightvoiceQueue.taken(), window.lightvoiceQueue.id()]"
_LOOK_AGAIN = "() => { window.lightvoiceQueue.look(); }"
_QUIET: dict[str, Any] = {"api_visibility": "private", "queue": False, "show_progress": "hidden"}
#: For listeners that may refuse: Gradio shows a toast only for what came through its queue.
_SPOKEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


@dataclass(frozen=True, kw_only=True)
class TranscribePanel:
    """What the page needs of this panel after it was laid out."""

    recording: RecordingSources
    options: OptionControls
    queue: gr.HTML
    #: Holds QUEUE_ID_MARK; a listener that takes it as its last input, with ``js=WITH_QUEUE_ID``, gets the queue's id.
    queue_id: gr.Textbox
    transcript: gr.HTML


def build_transcribe_panel(context: PageContext, blocks: gr.Blocks) -> TranscribePanel:
    """Lay the panel out inside the current tab of ``blocks`` and wire it."""
    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            recording = build_sources()
            run = gr.Button(label("form.run"), variant="primary", elem_id="lv-transcribe-run")
            queue = gr.HTML(elem_id="lv-queue-slot", apply_default_css=False)
            options = build_options(context.engine.precisions)
        with gr.Column(scale=3, min_width=280):
            transcript = gr.HTML(elem_id="lv-transcript", apply_default_css=False, min_height=120)
    queue_id = gr.Textbox(QUEUE_ID_MARK, visible=False)
    panel = TranscribePanel(recording=recording, options=options, queue=queue, queue_id=queue_id, transcript=transcript)
    _wire_sources(context, panel)
    _wire_options(panel)
    _wire_greeting(context, panel, blocks)
    run.click(_starter(context), inputs=[*options.in_order, queue_id], outputs=None, js=WITH_QUEUE_ID, **_SPOKEN).then(
        None, js=_LOOK_AGAIN, **_QUIET
    )
    return panel


def take_files(queue: RecordingQueue, files: Sequence[Mapping[str, Any]], texts: Texts) -> None:
    """Add every upload that can be added; then one toast names those that could not, and why the first of them could not."""
    refused: list[tuple[str, Failure]] = []
    for file in files:
        try:
            queue.add(*uploaded_file(file))
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said of this file (failure_of logs it), and the next one is taken
            refused.append((str(file.get("orig_name") or Path(str(file.get("path"))).name), failure_of(error)))
    if refused:
        raise files_refused(refused, of=len(files), texts=texts)


def selected_recording(context: PageContext, queue_id: str) -> str | None:
    """The path of the recording that a page's queue has selected, for the other tabs."""
    queue = context.recordings.find(queue_id)
    entry = queue and queue.selected
    return str(entry.path) if entry and entry.path.is_file() else None


def _wire_sources(context: PageContext, panel: TranscribePanel) -> None:
    """Everything that adds a recording: files and microphone come as uploads, examples by name."""
    recording = panel.recording

    def add_files(files: list[dict[str, Any]] | None, queue_id: str, request: gr.Request) -> None:
        with toasts(texts_for(request)):
            take_files(context.recordings.open(queue_id), files or (), texts_for(request))

    def add_spoken(audio: dict[str, Any] | None, queue_id: str, request: gr.Request) -> None:
        texts = texts_for(request)
        with toasts(texts):
            if audio is None:
                raise AudioNotFoundError(path="the microphone's recording")
            path, _ = uploaded_file(audio)
            queue = context.recordings.open(queue_id)
            number = sum(entry.spoken for entry in queue.entries()) + 1
            queue.add(path, f"{texts('form.microphone_name', number=number)}{path.suffix}", spoken=True)

    def add_example(name: str) -> Any:
        def add(queue_id: str, request: gr.Request) -> None:
            with toasts(texts_for(request)):
                path = EXAMPLES_FOLDER / f"{name}.flac"
                context.recordings.open(queue_id).add(path, path.name)

        return add

    # Unprocessed, for a processed file has lost the name that the person gave it; uploaded_file() checks it.
    unprocessed = {"outputs": None, "preprocess": False, **_SPOKEN}
    taken = recording.files.upload(None, inputs=recording.files, outputs=recording.files, js=_TAKE_FILES, **_QUIET)
    added = taken.then(add_files, inputs=[recording.files, panel.queue_id], js=_TAKEN_FILES, **unprocessed)
    added.then(None, js=_LOOK_AGAIN, **_QUIET)
    spoken = recording.microphone.stop_recording(add_spoken, inputs=[recording.microphone, panel.queue_id], js=WITH_QUEUE_ID, **unprocessed)
    spoken.then(None, js=_LOOK_AGAIN, **_QUIET)
    spoken.then(lambda: None, outputs=recording.microphone, **_QUIET)
    for name, button in recording.examples:
        button.click(add_example(name), inputs=panel.queue_id, outputs=None, js=WITH_QUEUE_ID, **_SPOKEN).then(
            None, js=_LOOK_AGAIN, **_QUIET
        )


def _wire_greeting(context: PageContext, panel: TranscribePanel, blocks: gr.Blocks) -> None:
    """What the panel shows when a page opens: its words, and the options that the browser remembers."""

    def greet(kept: object, request: gr.Request) -> list[Any]:
        texts, precisions = texts_for(request), context.engine.precisions
        return [queue_shell_html(texts), *greeted_options(remembered(kept, precisions=precisions), precisions, texts)]

    blocks.load(greet, inputs=panel.options.memory, outputs=[panel.queue, *panel.options.in_order], **_QUIET)


def _wire_options(panel: TranscribePanel) -> None:
    """Every change goes into the browser's memory; the confidence below which words are marked also to the script, at once."""
    options = panel.options

    def keep(*values: Any) -> dict[str, Any]:
        return form_options(values).to_dict()

    # ``input`` is sent by a person only: what the memory itself puts into the controls is not kept again. The last one counts, or a
    # second change while the first is on its way would be forgotten.
    gr.on(
        [control.input for control in options.in_order],
        keep,
        inputs=options.in_order,
        outputs=options.memory,
        trigger_mode="always_last",
        **_QUIET,
    )
    # Subtitles are cut when they are downloaded: what is chosen now counts for transcripts that are there already.
    gr.on(
        [control.change for control in options.subtitles],
        None,
        inputs=options.subtitles,
        js="(width, lines, shortest) => { window.lightvoiceQueue.cut(width, lines, shortest); }",
        **_QUIET,
    )
    unsure = options.by_name["unsure_below_percent"]
    unsure.change(None, inputs=unsure, js="(percent) => { window.lightvoiceQueue.mark(percent); }", **_QUIET)


def _starter(context: PageContext) -> Any:
    """The listener of the button: the controls' values in their order, then the queue's id."""

    def start(request: gr.Request, *values: Any) -> None:
        *chosen, queue_id = values
        texts = texts_for(request)
        with toasts(texts):
            queue = context.recordings.open(queue_id)
            if not context.recordings.submit(queue, form_options(chosen).transcribe) and not queue.active:
                raise no_recording(texts)

    return start
