"""The slim page as one HTML document, with its style and its script inside: no Gradio, and nothing else to fetch."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from engine.audio.read_options import CHANNELS
from engine.subtitles.options import SubtitleOptions
from engine.tags import LANGUAGE_CHOICES
from engine.transcript import Transcript
from ui.slim.memory_probe import Saving
from ui.text.failures import Failure
from ui.text.quantities import megabytes
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.transcribe.form_options import MAX_LINE_COUNT, MAX_LINE_WIDTH, MIN_CUE_MS
from ui.widgets.banner import banner_html
from ui.widgets.render import render

if TYPE_CHECKING:
    from engine.bundle import Bundle

_TEMPLATE = "slim/slim"
_ASSETS = Path(__file__).parent.parent / "assets"
#: What the full page loads, and this one must not.
_HEAVY = ("gradio", "pandas", "pydantic", "fastapi", "PIL")
#: How subtitles are cut: (name in requests, key of the label, (lowest, highest, step), value).
_SUBTITLE_FIELDS = [
    (name, f"form.{key}", bounds, getattr(SubtitleOptions(), name))
    for name, key, bounds in (
        ("max_line_width", "line_width", MAX_LINE_WIDTH),
        ("max_line_count", "line_count", MAX_LINE_COUNT),
        ("min_cue_ms", "min_cue", MIN_CUE_MS),
    )
]


def document_html(bundle: Bundle, texts: Texts) -> str:
    """The page; the script fills in what changes."""
    style, script = (
        Markup("".join((_ASSETS / name).read_text(encoding="utf-8") for name in names))  # noqa: S704 - our own files
        for names in (("page.css", "slim.css"), ("slim.js",))
    )
    form = render(_TEMPLATE, "form", LANGUAGE_CHOICES, CHANNELS, _SUBTITLE_FIELDS, DOWNLOADS, texts)
    memory = render(_TEMPLATE, "memory", ", ".join(name for name in _HEAVY if name not in sys.modules), texts)
    return render(_TEMPLATE, "document", style, script, banner_html(bundle, texts), form, memory, texts)


def transcript_html(transcript: Transcript, texts: Texts) -> str:
    """What a recording became, and its downloads' buttons."""
    return render(_TEMPLATE, "transcript", transcript, texts)


def failure_html(failure: Failure, texts: Texts) -> str:
    """What went wrong, and what helps."""
    title, message = failure.words(texts)
    return render(_TEMPLATE, "alert", message, title)


def too_large_html(limit_mb: int, texts: Texts) -> str:
    """A file beyond the limit."""
    return render(_TEMPLATE, "alert", texts("slim.too_large", limit=megabytes(limit_mb)))


def state_html(precision: str, rss_mb: float, texts: Texts) -> str:
    """What requests run in, and what this process takes now."""
    return render(_TEMPLATE, "state", precision, rss_mb, texts)


def saving_html(saving: Saving, precision: str, texts: Texts) -> str:
    """Both pages' memory as bars, and the difference in words."""
    return render(_TEMPLATE, "saving", saving, precision, texts)


def not_measured_html(reason: str, texts: Texts) -> str:
    """Why there are no figures."""
    return render(_TEMPLATE, "alert", texts("slim.not_measured", reason=reason))


def not_written_html(reason: str, texts: Texts) -> str:
    """Why there is no document."""
    return render(_TEMPLATE, "alert", texts("slim.not_written", reason=reason))
