"""The left side of the Transcribe tab: where recordings come in, and the options they are transcribed with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from engine.audio.read_options import CHANNELS
from engine.runtime.session_pool import VAD_AS_REQUEST, VAD_OFF, Precision
from ui.text.texts import Texts, label
from ui.transcribe.run_options import (
    END_SILENCE_MS,
    MAX_LINE_COUNT,
    MAX_LINE_WIDTH,
    MAX_SEGMENT_S,
    MIN_CUE_MS,
    SPEECH_NOISE_THRESHOLD,
    UNSURE_BELOW_PERCENT,
    FormOptions,
)
from ui.widgets.recording_form import EXAMPLES, build_recording_options, language_choices

#: Where the browser keeps the options; the "secret" only scrambles them there, and must outlive a restart of the server.
STORAGE_KEY = "lightvoice-options"
_DEFAULTS = FormOptions()


@dataclass(frozen=True, kw_only=True)
class RecordingSources:
    """Files, microphone and examples."""

    files: gr.File
    microphone: gr.Audio
    hint: gr.HTML
    examples: tuple[tuple[str, gr.Button], ...]


@dataclass(frozen=True, kw_only=True)
class TranscribeOptions:
    """The controls in the order of :class:`FormOptions`, and the browser's memory of them."""

    language: gr.Dropdown
    itn: gr.Checkbox
    ban_emo_unknown: gr.Checkbox
    channel: gr.Dropdown
    vad_precision: gr.Dropdown
    end_silence_ms: gr.Slider
    speech_noise_threshold: gr.Slider
    max_segment_s: gr.Slider
    unsure_below_percent: gr.Slider
    max_line_width: gr.Slider
    max_line_count: gr.Slider
    min_cue_ms: gr.Slider
    memory: gr.BrowserState

    @property
    def subtitles(self) -> list[Any]:
        """How subtitles are cut when they are downloaded, in the order that the script takes them."""
        return [self.max_line_width, self.max_line_count, self.min_cue_ms]

    @property
    def controls(self) -> list[Any]:
        """Every control, as listeners take them."""
        return [getattr(self, name) for name in _DEFAULTS.to_dict()]


def form_options(values: Sequence[Any]) -> FormOptions:
    """The controls' values, in their order, as options."""
    return FormOptions(**dict(zip(_DEFAULTS.to_dict(), values, strict=True)))


def vad_choices(texts: Texts, precisions: Sequence[str]) -> list[tuple[str, str]]:
    """What the VAD drop-down offers: (shown, value)."""
    variants = [(name.upper(), name.value) for name in Precision if name.value in precisions]
    return [(texts("form.vad_same"), VAD_AS_REQUEST), *variants, (texts("form.vad_off"), VAD_OFF)]


def channel_choices(texts: Texts) -> list[tuple[str, str]]:
    """What the channels' drop-down offers: (shown, value)."""
    return [(texts(f"form.channel_{channel}"), channel) for channel in CHANNELS]


def greeted_options(kept: FormOptions, precisions: Sequence[str], texts: Texts) -> list[Any]:
    """What the controls show when the page opens: the reader's language, and what the browser remembers."""
    values = kept.to_dict()
    values["language"] = gr.Dropdown(choices=language_choices(texts), value=kept.language)
    values["channel"] = gr.Dropdown(choices=channel_choices(texts), value=kept.channel)
    values["vad_precision"] = gr.Dropdown(choices=vad_choices(texts, precisions), value=kept.vad_precision)
    return list(values.values())


def build_sources() -> RecordingSources:
    """Lay out the drop zone, the examples and the microphone.

    The drop zone takes files of any name: what is in them decides, and browsers know few of the types that the engine reads.
    """
    files = gr.File(
        label=label("form.files"),
        file_count="multiple",
        elem_id="lv-transcribe-audio",
        height=150,
    )
    with gr.Row(elem_classes="lv-examples"):
        examples = tuple(
            (name, gr.Button(label(f"example.{name}"), size="sm", elem_id=f"lv-transcribe-example-{name}", min_width=80))
            for name in EXAMPLES
        )
    microphone = gr.Audio(
        label=label("form.microphone"), sources=["microphone"], type="filepath", buttons=[], elem_id="lv-transcribe-microphone"
    )
    hint = gr.HTML(elem_classes="lv-mic-hint-slot", apply_default_css=False)
    return RecordingSources(files=files, microphone=microphone, hint=hint, examples=examples)


def build_options(precisions: Sequence[str]) -> TranscribeOptions:
    """Lay out the options, the rarer ones folded away."""
    shared = build_recording_options("lv-transcribe")
    with shared.accordion:
        ban = gr.Checkbox(value=False, label=label("form.ban"), info=label("form.ban_info"), elem_id="lv-ban")
        unsure = _slider("unsure", UNSURE_BELOW_PERCENT, _DEFAULTS.unsure_below_percent)
    with gr.Accordion(label("form.advanced"), open=False, elem_classes="lv-options", elem_id="lv-advanced"):
        channel = gr.Dropdown(
            choices=channel_choices(Texts("en")),
            value=_DEFAULTS.channel,
            label=label("form.channel"),
            info=label("form.channel_info"),
            filterable=False,
            elem_id="lv-channel",
        )
        vad = gr.Dropdown(
            choices=vad_choices(Texts("en"), precisions),
            value=_DEFAULTS.vad_precision,
            label=label("form.vad"),
            info=label("form.vad_info"),
            filterable=False,
            elem_id="lv-vad",
        )
        end_silence = _slider("end_silence", END_SILENCE_MS, _DEFAULTS.end_silence_ms)
        threshold = _slider("threshold", SPEECH_NOISE_THRESHOLD, _DEFAULTS.speech_noise_threshold)
        max_segment = _slider("max_segment", MAX_SEGMENT_S, _DEFAULTS.max_segment_s)
    with gr.Accordion(label("form.subtitles"), open=False, elem_classes="lv-options", elem_id="lv-subtitles"):
        width = _slider("line_width", MAX_LINE_WIDTH, _DEFAULTS.max_line_width)
        count = _slider("line_count", MAX_LINE_COUNT, _DEFAULTS.max_line_count)
        shortest = _slider("min_cue", MIN_CUE_MS, _DEFAULTS.min_cue_ms)
    return TranscribeOptions(
        language=shared.language,
        itn=shared.itn,
        ban_emo_unknown=ban,
        channel=channel,
        vad_precision=vad,
        end_silence_ms=end_silence,
        speech_noise_threshold=threshold,
        max_segment_s=max_segment,
        unsure_below_percent=unsure,
        max_line_width=width,
        max_line_count=count,
        min_cue_ms=shortest,
        memory=gr.BrowserState(None, storage_key=STORAGE_KEY, secret=STORAGE_KEY),
    )


def _slider(name: str, bounds: tuple[float, float, float], value: float) -> gr.Slider:
    lowest, highest, step = bounds
    return gr.Slider(
        lowest,
        highest,
        value=value,
        step=step,
        label=label(f"form.{name}"),
        info=label(f"form.{name}_info"),
        buttons=[],
        elem_id=f"lv-{name.replace('_', '-')}",
    )
