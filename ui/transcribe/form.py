"""The left side of the Transcribe tab: where recordings come in, and the options they are transcribed with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import gradio as gr

from engine.options import VAD_AS_REQUEST, VAD_OFF
from engine.runtime.session_pool import Precision
from ui.examples.shown import shown_examples
from ui.text.texts import Texts, label
from ui.transcribe.form_options import (
    CONTROLS,
    END_SILENCE_MS,
    MAX_LINE_COUNT,
    MAX_LINE_WIDTH,
    MAX_SEGMENT_S,
    MIN_CUE_MS,
    READINGS,
    SPEECH_NOISE_THRESHOLD,
    UNSURE_BELOW_PERCENT,
    FormOptions,
)
from ui.widgets.recording_form import build_channel_choice, build_recording_options, channel_choices, language_choices

if TYPE_CHECKING:
    from engine.bundle import Bundle

#: Where the browser keeps the options; the "secret" only scrambles them there, and must outlive a restart of the server.
STORAGE_KEY = "lightvoice-options"


@dataclass(frozen=True, kw_only=True)
class RecordingSources:
    """Files, microphone and examples, and the button that starts what they brought."""

    files: gr.File
    recorder: gr.HTML
    run: gr.Button
    hint: gr.HTML
    try_title: gr.HTML
    examples: tuple[tuple[str, gr.Button], ...]


@dataclass(frozen=True, kw_only=True)
class OptionControls:
    """The options' controls by name, and the browser's memory of them."""

    by_name: Mapping[str, Any]
    memory: gr.BrowserState

    @property
    def subtitles(self) -> list[Any]:
        """How subtitles are cut when they are downloaded, in the order that the script takes them."""
        return [self.by_name[name] for name in ("max_line_width", "max_line_count", "min_cue_ms")]

    @property
    def in_order(self) -> list[Any]:
        """Every control, as listeners take them: in the order of :data:`CONTROLS`."""
        return [self.by_name[name] for name in CONTROLS]


def form_options(values: Sequence[Any]) -> FormOptions:
    """The controls' values, in their order, as options; OptionError for what is not on offer."""
    return FormOptions.parse(dict(zip(CONTROLS, values, strict=True)))


def vad_choices(texts: Texts, precisions: Sequence[str]) -> list[tuple[str, str]]:
    """What the VAD drop-down offers: (shown, value)."""
    variants = [(name.upper(), name.value) for name in Precision if name.value in precisions]
    return [(texts("form.vad_same"), VAD_AS_REQUEST), *variants, (texts("form.vad_off"), VAD_OFF)]


def greeted_options(kept: FormOptions, bundle: Bundle, precisions: Sequence[str], texts: Texts) -> list[Any]:
    """What the controls show when the page opens: the reader's language, and what the browser remembers."""
    values = kept.to_dict()
    choices = {
        "language": language_choices(texts, bundle.languages),
        "channel": channel_choices(texts),
        "vad_precision": vad_choices(texts, precisions),
    }
    return [gr.Dropdown(choices=choices[name], value=value) if name in choices else value for name, value in values.items()]


def build_sources() -> RecordingSources:
    """Lay out one box: drop, record, start, or try an example.

    The drop zone takes files of any name: what is in them decides, and browsers know few of the types that the engine reads.
    """
    with gr.Column(elem_id="lv-box"):
        files = gr.File(
            label=label("form.files"),
            file_count="multiple",
            elem_id="lv-transcribe-audio",
            height=150,
        )
        with gr.Row(elem_id="lv-actions"):
            recorder = gr.HTML(elem_id="lv-recorder-slot", apply_default_css=False)
            run = gr.Button(label("form.run"), variant="primary", min_width=120, elem_id="lv-transcribe-run")
        hint = gr.HTML(elem_classes="lv-mic-hint-slot", apply_default_css=False)
        with gr.Row(elem_classes="lv-examples"):
            title = gr.HTML(elem_classes="lv-try-slot", apply_default_css=False)
            examples = tuple(
                (name, gr.Button(label(f"example.{name}"), size="sm", elem_id=f"lv-transcribe-example-{name}", min_width=80))
                for name in shown_examples()
            )
    return RecordingSources(files=files, recorder=recorder, run=run, hint=hint, try_title=title, examples=examples)


def build_options(precisions: Sequence[str]) -> OptionControls:
    """Lay out the options, the rarer ones folded away."""
    defaults = FormOptions().to_dict()
    shared = build_recording_options("lv-transcribe")
    controls: dict[str, Any] = {name: getattr(shared, name) for name in ("language", "itn", "hotwords", "homophones")}
    with shared.accordion:
        controls["n_best"] = _slider("n_best", READINGS, defaults["n_best"])
        controls["ban_emo_unknown"] = gr.Checkbox(value=False, label=label("form.ban"), info=label("form.ban_info"), elem_id="lv-ban")
        controls["unsure_below_percent"] = _slider("unsure", UNSURE_BELOW_PERCENT, defaults["unsure_below_percent"])
    with gr.Accordion(label("form.advanced"), open=False, elem_classes="lv-options", elem_id="lv-advanced"):
        controls["channel"] = build_channel_choice("lv-channel")
        controls["vad_precision"] = gr.Dropdown(
            choices=vad_choices(Texts("en"), precisions),
            value=defaults["vad_precision"],
            label=label("form.vad"),
            info=label("form.vad_info"),
            filterable=False,
            elem_id="lv-vad",
        )
        controls["max_end_silence_ms"] = _slider("end_silence", END_SILENCE_MS, defaults["max_end_silence_ms"])
        controls["speech_noise_threshold"] = _slider("threshold", SPEECH_NOISE_THRESHOLD, defaults["speech_noise_threshold"])
        controls["max_segment_s"] = _slider("max_segment", MAX_SEGMENT_S, defaults["max_segment_s"])
    with gr.Accordion(label("form.subtitles"), open=False, elem_classes="lv-options", elem_id="lv-subtitles"):
        controls["max_line_width"] = _slider("line_width", MAX_LINE_WIDTH, defaults["max_line_width"])
        controls["max_line_count"] = _slider("line_count", MAX_LINE_COUNT, defaults["max_line_count"])
        controls["min_cue_ms"] = _slider("min_cue", MIN_CUE_MS, defaults["min_cue_ms"])
    return OptionControls(by_name=controls, memory=gr.BrowserState(None, storage_key=STORAGE_KEY, secret=STORAGE_KEY))


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
