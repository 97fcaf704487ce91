"""The slim page as one HTML document, with its style and its script inside: no Gradio, and nothing else to fetch."""

from __future__ import annotations

import sys
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from engine.audio.read_options import CHANNELS
from engine.subtitles.options import SubtitleOptions
from engine.tags import LANGUAGE_CHOICES
from engine.transcript import Transcript
from ui.slim.memory_probe import Saving
from ui.text.failures import Failure
from ui.text.quantities import megabytes, percent
from ui.text.texts import Texts
from ui.transcribe.form_options import MAX_LINE_COUNT, MAX_LINE_WIDTH, MIN_CUE_MS
from ui.widgets.banner import banner_html, header_html
from ui.widgets.bars import bars_html
from ui.widgets.plain_segment import plain_segment_html
from ui.widgets.reading_notes import reading_notes_html
from ui.widgets.transcript_html import summary_html

if TYPE_CHECKING:
    from engine.bundle import Bundle

_ASSETS = Path(__file__).parent.parent / "assets"
#: What the full page loads, and this one must not.
_HEAVY = ("gradio", "pandas", "pydantic", "fastapi", "PIL")


def document_html(bundle: Bundle, texts: Texts) -> str:
    """The page; the script fills in what changes."""
    style = "".join((_ASSETS / name).read_text(encoding="utf-8") for name in ("page.css", "slim.css"))
    script = (_ASSETS / "slim.js").read_text(encoding="utf-8")
    language = "zh-CN" if texts.language == "zh" else "en"
    return (
        f'<!doctype html><html lang="{language}"><head><meta charset="utf-8"><title>{escape(texts("app.name"))}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="favicon.svg">'
        f"<style>{style}</style></head><body><main class='lv-slim'>{header_html(texts)}{banner_html(bundle, texts)}"
        f"{_switch(texts)}{_form(texts)}<div id='slim-result' aria-live='polite'></div>{_memory(texts)}</main>"
        f"<script>{script}</script></body></html>"
    )


def transcript_html(transcript: Transcript, texts: Texts) -> str:
    """What a recording became, and its downloads' buttons."""
    items = "".join(plain_segment_html(index, segment, texts) for index, segment in enumerate(transcript.segments))
    body = f'<ol class="lv-segments">{items}</ol>' if items else f'<p class="lv-empty">{escape(texts("result.silence"))}</p>'
    return (
        f'<section class="lv-transcript" aria-label="{escape(texts("result.title"), quote=True)}">'
        f"<h2>{escape(transcript.file)}</h2>{summary_html(transcript, texts)}"
        f"{reading_notes_html(transcript.warnings, texts)}{body}</section>"
    )


def failure_html(failure: Failure, texts: Texts) -> str:
    """What went wrong, and what helps."""
    title, message = failure.words(texts)
    return _alert(f"<strong>{escape(title)}</strong> {escape(message)}")


def too_large_html(limit_mb: int, texts: Texts) -> str:
    """A file beyond the limit."""
    return _alert(escape(texts("slim.too_large", limit=megabytes(limit_mb))))


def state_html(precision: str, rss_mb: float, texts: Texts) -> str:
    """What requests run in, and what this process takes now."""
    light = texts("light.on" if precision == "int8" else "light.off", precision=precision.upper())
    return f"<span>{escape(light)}</span><span>{escape(texts('light.memory', rss=megabytes(rss_mb)))}</span>"


def saving_html(saving: Saving, precision: str, texts: Texts) -> str:
    """Both pages' memory as bars, and the difference in words."""
    bars = bars_html(((texts("slim.slim"), saving.slim.rss_mb), (texts("slim.full"), saving.full.rss_mb)), megabytes)
    words = texts("slim.saves", saved=megabytes(saving.saved_mb), share=percent(saving.share), precision=precision.upper())
    return f"{bars}<p>{escape(words)}</p>"


def not_measured_html(reason: str, texts: Texts) -> str:
    """Why there are no figures."""
    return _alert(escape(texts("slim.not_measured", reason=reason)))


def _alert(html: str) -> str:
    return f'<p class="slim-failure" role="alert">{html}</p>'


def _switch(texts: Texts) -> str:
    return (
        '<p class="slim-light"><label id="lv-light-switch"><input type="checkbox" id="slim-light" role="switch"> '
        f'{escape(texts("light.label"))}</label> <span class="lv-light-status" id="slim-state" role="status"></span></p>'
    )


def _form(texts: Texts) -> str:
    options = "".join(
        f'<option value="{name}">{escape(texts.tag(name) if name != "auto" else texts("form.language_auto"))}</option>'
        for name in LANGUAGE_CHOICES
    )
    words = {"working": texts("slim.working"), "unreachable": texts("slim.unreachable"), "missing": texts("error.no_audio")}
    said = " ".join(f'data-{name}="{escape(word, quote=True)}"' for name, word in words.items())
    downloads = " ".join(f'data-{name}="{escape(texts(f"download.{name}"), quote=True)}"' for name in ("txt", "srt", "vtt", "json"))
    return (
        f'<form id="slim-form" class="lv-card" novalidate {said}><label for="slim-file">{escape(texts("slim.file"))}</label>'
        '<input type="file" id="slim-file" accept=".wav,audio/wav,audio/x-wav" aria-describedby="slim-file-info">'
        f'<small id="slim-file-info" class="lv-muted">{escape(texts("slim.file_info"))}</small>'
        f'<label for="slim-language">{escape(texts("form.language"))}</label>'
        f'<select id="slim-language" title="{escape(texts("form.language_info"), quote=True)}">{options}</select>'
        f"{_channels(texts)}"
        f'<label class="slim-check" title="{escape(texts("form.itn_info"), quote=True)}"><input type="checkbox" id="slim-itn" checked> '
        f"{escape(texts('form.itn'))}</label>"
        f'{_subtitles(texts)}<button id="slim-run" type="submit">{escape(texts("form.run"))}</button></form>'
        f'<div id="slim-downloads" class="lv-tools" {downloads}></div>'
    )


def _channels(texts: Texts) -> str:
    options = "".join(f'<option value="{name}">{escape(texts(f"form.channel_{name}"))}</option>' for name in CHANNELS)
    return (
        f'<label for="slim-channel">{escape(texts("form.channel"))}</label>'
        f'<select id="slim-channel" title="{escape(texts("form.channel_info"), quote=True)}">{options}</select>'
    )


def _subtitles(texts: Texts) -> str:
    """How subtitles are cut, folded away; each field has the name that the server and the engine know it by."""
    fields = "".join(
        f'<label for="slim-{name}">{escape(texts(f"form.{key}"))}</label><input type="number" id="slim-{name}" name="{name}" '
        f'min="{lowest:g}" max="{highest:g}" step="{step:g}" value="{getattr(SubtitleOptions(), name)}">'
        for name, key, (lowest, highest, step) in (
            ("max_line_width", "line_width", MAX_LINE_WIDTH),
            ("max_line_count", "line_count", MAX_LINE_COUNT),
            ("min_cue_ms", "min_cue", MIN_CUE_MS),
        )
    )
    return f'<details id="slim-subtitles"><summary>{escape(texts("form.subtitles"))}</summary>{fields}</details>'


def _memory(texts: Texts) -> str:
    absent = ", ".join(name for name in _HEAVY if name not in sys.modules)
    missing = f"<p>{escape(texts('slim.not_loaded', modules=absent))}</p>" if absent else ""
    working = escape(texts("slim.measuring"), quote=True)
    return (
        f'<section class="lv-card" id="slim-memory"><h2>{escape(texts("slim.memory"))}</h2><p>{escape(texts("slim.left_out"))}</p>{missing}'
        f'<button type="button" id="slim-measure" aria-describedby="slim-measure-info" data-working="{working}">'
        f"{escape(texts('slim.measure'))}</button>"
        f'<small id="slim-measure-info" class="lv-muted">{escape(texts("slim.measure_info"))}</small>'
        '<div id="slim-saving" role="status"></div></section>'
    )
