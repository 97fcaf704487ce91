"""Where a transcript will be shown; the transcript itself is drawn by the page's viewer (ui/transcribe/result_html.py)."""

from __future__ import annotations

from ui.text.texts import Texts
from ui.widgets.render import render


def empty_html(texts: Texts) -> str:
    """Where the selected recording's transcript will be; the page's script fills it."""
    return render("widgets/transcript", "empty", texts)
