"""What a recording is given with: the audio, the language and ITN, example clips; the same in every panel that takes one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gradio as gr

from engine.audio.read_options import CHANNELS, Channel
from engine.tags import LANGUAGE_CHOICES
from ui.examples.shown import shown_examples
from ui.text.texts import Texts, label
from ui.widgets.render import render

EXAMPLES_FOLDER = Path(__file__).parent.parent / "examples"

#: Languages name themselves, so that everybody finds their own; only "auto" is translated (:func:`language_choices`).
_OWN_NAMES = {"zh": "普通话 (zh)", "en": "English (en)", "yue": "粵語 (yue)", "ja": "日本語 (ja)", "ko": "한국어 (ko)"}


@dataclass(frozen=True, kw_only=True)
class RecordingInput:
    """Where the recording comes from."""

    audio: gr.Audio
    hint: gr.HTML


@dataclass(frozen=True, kw_only=True)
class RecordingOptions:
    """How it is read; panels add their own options inside ``accordion``."""

    accordion: gr.Accordion
    language: gr.Dropdown
    itn: gr.Checkbox
    hotwords: gr.Textbox
    homophones: gr.Checkbox


def language_choices(texts: Texts, taught: Collection[str] = LANGUAGE_CHOICES) -> list[tuple[str, str]]:
    """What the language drop-down offers: (shown, value); languages that the model was not ``taught`` say so."""
    return [(_language_name(language, texts, is_taught=language in taught), language) for language in LANGUAGE_CHOICES]


def _language_name(language: str, texts: Texts, *, is_taught: bool) -> str:
    name = _OWN_NAMES.get(language, texts("form.language_auto"))
    return name if is_taught or language not in _OWN_NAMES else texts("form.language_not_taught", language=name)


def channel_choices(texts: Texts, channels: Sequence[str] = CHANNELS) -> list[tuple[str, str]]:
    """What the channels' drop-down offers: (shown, value)."""
    return [(texts(f"form.channel_{channel}"), channel) for channel in channels]


def microphone_hint_html(texts: Texts) -> str:
    """The hint about HTTPS; the style sheet shows it only where the page is not a secure context."""
    return render("widgets/messages", "microphone_hint", texts)


def build_recording_input(prefix: str) -> RecordingInput:
    """Lay out the audio box and the example clips; ``prefix`` keeps the element ids of two panels apart."""
    audio = gr.Audio(
        label=label("form.audio"),
        sources=["upload", "microphone"],
        type="filepath",
        buttons=[],
        elem_id=f"{prefix}-audio",
        waveform_options=gr.WaveformOptions(show_recording_waveform=True),
    )
    hint = gr.HTML(elem_classes="lv-mic-hint-slot", apply_default_css=False)
    with gr.Row(elem_classes="lv-examples"):
        for name in shown_examples():
            button = gr.Button(label(f"example.{name}"), size="sm", elem_id=f"{prefix}-example-{name}", min_width=80)
            # A plain value, computed on the server: the clip is one of the files that the page may serve.
            button.click(
                partial(str, EXAMPLES_FOLDER / f"{name}.flac"), outputs=audio, api_visibility="private", queue=False, show_progress="hidden"
            )
        video = gr.UploadButton(str(label("form.video")), size="sm", min_width=80, elem_id=f"{prefix}-video")
        # The browser's audio box refuses video files, and sound of types that it does not know; the engine reads their sound all the same.
        video.upload(str, inputs=video, outputs=audio, api_visibility="private", queue=False, show_progress="hidden")
    return RecordingInput(audio=audio, hint=hint)


def build_recording_options(prefix: str) -> RecordingOptions:
    """Lay out language, ITN and hotwords; ``prefix`` as above."""
    with gr.Accordion(label("form.options"), open=True, elem_classes="lv-options") as accordion:
        language = gr.Dropdown(
            choices=language_choices(Texts("en")),
            value="auto",
            label=label("form.language"),
            info=label("form.language_info"),
            filterable=False,
            elem_id=f"{prefix}-language",
        )
        itn = gr.Checkbox(value=True, label=label("form.itn"), info=label("form.itn_info"), elem_id=f"{prefix}-itn")
        hotwords = gr.Textbox(
            value="", label=label("form.hotwords"), info=label("form.hotwords_info"), lines=2, max_lines=8, elem_id=f"{prefix}-hotwords"
        )
        homophones = gr.Checkbox(
            value=False, label=label("form.homophones"), info=label("form.homophones_info"), elem_id=f"{prefix}-homophones"
        )
    return RecordingOptions(accordion=accordion, language=language, itn=itn, hotwords=hotwords, homophones=homophones)


def build_channel_choice(elem_id: str, channels: Sequence[str] = CHANNELS) -> gr.Dropdown:
    """Lay out the choice of the recording's channels."""
    return gr.Dropdown(
        choices=channel_choices(Texts("en"), channels),
        value=Channel.AUTO.value,
        label=label("form.channel"),
        info=label("form.channel_info"),
        filterable=False,
        elem_id=elem_id,
    )
