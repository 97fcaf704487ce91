"""The Transcribe tab: a recording goes in, the transcript with tags, timeline, table and downloads comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from engine.audio import load_audio
from engine.segments import FRAME_MS
from ui.context import ENGINE_QUEUE, PageContext, engine_progress
from ui.exports import write_exports
from ui.handlers import no_recording, toasts
from ui.recording_form import RecordingInput, RecordingOptions, build_recording_input, build_recording_options
from ui.texts import label, texts_for
from ui.timeline import timeline_html
from ui.transcript_html import segments_html, transcript_html

#: Downloads in the order that people reach for them.
DOWNLOADS = ("txt", "srt", "vtt", "json")


@dataclass(frozen=True, kw_only=True)
class TranscribePanel:
    """What the page needs of this panel after it was laid out."""

    recording: RecordingInput
    options: RecordingOptions
    transcript: gr.HTML


def build_transcribe_panel(context: PageContext) -> TranscribePanel:
    """Lay the panel out inside the current tab and wire it."""
    with gr.Row(elem_classes="lv-columns"):
        with gr.Column(scale=2, min_width=280):
            recording = build_recording_input("lv-transcribe")
            run = gr.Button(label("form.run"), variant="primary", elem_id="lv-transcribe-run")
            options = build_recording_options("lv-transcribe")
            with options.accordion:
                ban = gr.Checkbox(value=False, label=label("form.ban"), info=label("form.ban_info"), elem_id="lv-ban")
        with gr.Column(scale=3, min_width=280):
            transcript = gr.HTML(elem_id="lv-transcript", apply_default_css=False, min_height=120)
            timeline = gr.HTML(elem_id="lv-timeline", apply_default_css=False)
            segments = gr.HTML(elem_id="lv-segments", apply_default_css=False)
            with gr.Row(visible=False, elem_id="lv-downloads") as downloads:
                buttons = [
                    gr.DownloadButton(str(label(f"download.{name}")), size="sm", min_width=120, elem_id=f"lv-download-{name}")
                    for name in DOWNLOADS
                ]
    run.click(
        _transcriber(context),
        inputs=[recording.audio, options.language, options.itn, ban],
        outputs=[transcript, timeline, segments, downloads, *buttons],
        api_visibility="private",
        concurrency_id=ENGINE_QUEUE,
        concurrency_limit=context.limits.concurrent_runs,
        show_progress_on=[transcript],
    )
    return TranscribePanel(recording=recording, options=options, transcript=transcript)


def _transcriber(context: PageContext) -> Any:
    """The listener of the button: inputs and outputs in the order of :func:`build_transcribe_panel`."""

    def transcribe(
        audio: str | None,
        language: str,
        itn: bool,
        ban_emo_unknown: bool,
        request: gr.Request,
        progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio finds the bar by this default
    ) -> list[Any]:
        texts = texts_for(request)
        with toasts(texts):
            if not audio:
                raise no_recording(texts)
            report = engine_progress(progress, texts)
            report(0, "decode")
            waveform = load_audio(audio, max_duration_s=context.limits.duration_s)
            transcript = context.engine.transcribe(
                waveform, language=language, itn=itn, ban_emo_unknown=ban_emo_unknown, file=Path(audio).name, progress=report
            )
            track = transcript.speech_track
            drawing = timeline_html(waveform.samples, waveform.duration_ms, transcript.segments, track, FRAME_MS, texts)
            paths = write_exports(transcript, context.exports)
            files = [str(paths[name]) for name in DOWNLOADS]
            return [transcript_html(transcript, texts), drawing, segments_html(transcript, texts), gr.Row(visible=True), *files]

    return transcribe
