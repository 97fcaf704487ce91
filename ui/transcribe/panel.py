"""The Transcribe tab: recordings go into the page's queue, transcripts come out of it.

Gradio brings the recordings and the options; the queue and the transcripts are drawn by the page's script
(ui/assets/queue.js), which asks ``queue_routes.py``. The queue's id is made by the script and kept for as long as the browser tab
lives, so that a reload finds everything again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import gradio as gr

from ui.api.endpoints import uploaded_file
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.recording_queue import Entry, RecordingQueue
from ui.text.failures import Failure, failure_of
from ui.text.texts import Texts, label, texts_for
from ui.transcribe.form import OptionControls, RecordingSources, build_options, build_sources, form_options, greeted_options
from ui.transcribe.form_options import CONTROLS, remembered
from ui.transcribe.option_memory import keep_options
from ui.transcribe.queue_html import queue_shell_html, recorder_html, try_title_html
from ui.widgets.handlers import files_refused, no_recording, toasts
from ui.widgets.page_part import QUIET, PagePart
from ui.widgets.queue_id import QUEUE_ID_MARK, WITH_QUEUE_ID
from ui.widgets.recording_form import EXAMPLES_FOLDER, microphone_hint_html
from ui.widgets.transcript_html import empty_html

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

#: The drop zone is emptied at once, in the browser: emptied by an answer of the server, it would take with it what is dropped until then.
_TAKE_FILES = "(files) => { window.lightvoiceQueue.take(files); return null; }"
_TAKEN_FILES = f"""(_, ...values) => {{
  const chosen = values.slice(0, values.indexOf("{QUEUE_ID_MARK}"));
  return [window.lightvoiceQueue.taken(), ...chosen, window.lightvoiceQueue.id()];
}}"""
_LOOK_AGAIN = "() => { window.lightvoiceQueue.look(); }"
#: The name that the script gives to what it recorded (ui/assets/microphone.js).
RECORDED = "lightvoice-recording."
#: For listeners that may refuse: Gradio shows a toast only for what came through its queue.
_SPOKEN: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}


def transcribe_tab(blocks: gr.Blocks, *, engine: SpeechEngine, recordings: QueueRunner, queue_id: gr.Textbox) -> PagePart:
    """Lay the tab out and wire it; ``queue_id`` is what ``build_queue_id`` made."""
    with gr.Tab(label("tab.transcribe"), id="transcribe", elem_id="lv-tab-transcribe"), gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            sources = build_sources()
            queue = gr.HTML(elem_id="lv-queue-slot", apply_default_css=False)
            options = build_options(engine.precisions)
        with gr.Column(scale=3, min_width=280):
            transcript = gr.HTML(elem_id="lv-transcript", apply_default_css=False, min_height=120)
    _wire_sources(sources, options, recordings=recordings, queue_id=queue_id)
    _wire_options(options)

    def greet(kept: object, request: gr.Request) -> list[Any]:
        """The queue's frame in the reader's language, and the options that the browser remembers."""
        texts, precisions = texts_for(request), engine.precisions
        return [queue_shell_html(texts), *greeted_options(remembered(kept, precisions=precisions), engine.bundle, precisions, texts)]

    def start(request: gr.Request, *values: Any) -> None:
        """The controls' values in their order, then the queue's id."""
        *chosen, page_queue_id = values
        texts = texts_for(request)
        with toasts(texts):
            page_queue = recordings.open(page_queue_id)
            if recordings.submit(page_queue, form_options(chosen).transcribe) or page_queue.active:
                return
            if not page_queue.entries():
                raise no_recording(texts)
            gr.Info(texts("queue.nothing_new"))

    blocks.load(greet, inputs=options.memory, outputs=[queue, *options.in_order], **QUIET)
    started = sources.run.click(start, inputs=[*options.in_order, queue_id], outputs=None, js=WITH_QUEUE_ID, **_SPOKEN)
    started.then(None, js=_LOOK_AGAIN, **QUIET)
    return PagePart(
        greeted=[transcript, sources.recorder, sources.hint, sources.try_title],
        greet=lambda texts: [empty_html(texts), recorder_html(texts), microphone_hint_html(texts), try_title_html(texts)],
    )


def take_files(queue: RecordingQueue, files: Sequence[Mapping[str, Any]], texts: Texts) -> list[Entry]:
    """Add every upload that can be added; then one toast names those that could not, and why the first of them could not.

    Returns what the microphone recorded: its name is the page's, and it need not wait for a button.
    """
    refused: list[tuple[str, Failure]] = []
    spoken: list[Entry] = []
    for file in files:
        try:
            path, name = uploaded_file(file)
            if name.startswith(RECORDED):
                number = sum(entry.spoken for entry in queue.entries()) + 1
                spoken.append(queue.add(path, f"{texts('form.microphone_name', number=number)}{path.suffix}", spoken=True))
            else:
                queue.add(path, name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said of this file (failure_of logs it), and the next one is taken
            refused.append((str(file.get("orig_name") or Path(str(file.get("path"))).name), failure_of(error)))
    if refused:
        raise files_refused(refused, of=len(files), texts=texts)
    return spoken


def _wire_sources(sources: RecordingSources, options: OptionControls, *, recordings: QueueRunner, queue_id: gr.Textbox) -> None:
    """Everything that adds a recording: files and microphone come as uploads, examples by name."""

    def add_files(files: list[dict[str, Any]] | None, request: gr.Request, *values: Any) -> None:
        *chosen, page_queue_id = values
        with toasts(texts_for(request)):
            queue = recordings.open(page_queue_id)
            for entry in take_files(queue, files or (), texts_for(request)):
                recordings.submit(queue, form_options(chosen).transcribe, only=entry.id)

    def add_example(name: str) -> Any:
        def add(request: gr.Request, *values: Any) -> None:
            *chosen, page_queue_id = values
            with toasts(texts_for(request)):
                transcribe, path = form_options(chosen).transcribe, EXAMPLES_FOLDER / f"{name}.flac"
                queue = recordings.open(page_queue_id)
                known = next((one for one in queue.entries() if (one.name, one.options) == (path.name, transcribe) and one.result), None)
                entry = known or queue.add(path, path.name)
                queue.select(entry.id)
                recordings.submit(queue, transcribe, only=entry.id)

        return add

    chosen = [*options.in_order, queue_id]
    # Unprocessed, for a processed file has lost the name that the person gave it; uploaded_file() checks it.
    unprocessed = {"outputs": None, "preprocess": False, **_SPOKEN}
    taken = sources.files.upload(None, inputs=sources.files, outputs=sources.files, js=_TAKE_FILES, **QUIET)
    added = taken.then(add_files, inputs=[sources.files, *chosen], js=_TAKEN_FILES, **unprocessed)
    added.then(None, js=_LOOK_AGAIN, **QUIET)
    for name, button in sources.examples:
        button.click(add_example(name), inputs=chosen, outputs=None, js=WITH_QUEUE_ID, **_SPOKEN).then(None, js=_LOOK_AGAIN, **QUIET)


def _wire_options(options: OptionControls) -> None:
    """Every change goes into the browser's memory; the confidence below which words are marked also to the script, at once."""
    keep_options(dict(zip(CONTROLS, options.in_order, strict=True)), options.memory)
    # Subtitles are cut when they are downloaded: what is chosen now counts for transcripts that are there already.
    gr.on(
        [control.change for control in options.subtitles],
        None,
        inputs=options.subtitles,
        js="(width, lines, shortest) => { window.lightvoiceQueue.cut(width, lines, shortest); }",
        **QUIET,
    )
    unsure = options.by_name["unsure_below_percent"]
    unsure.change(None, inputs=unsure, js="(percent) => { window.lightvoiceQueue.mark(percent); }", **QUIET)
