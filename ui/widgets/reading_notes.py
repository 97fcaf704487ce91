"""What of a recording could not be read, as a note on the page."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from engine.audio.reading.reading_warnings import ReadingWarning
from ui.text.texts import Texts


def reading_notes_html(warnings: Iterable[ReadingWarning], texts: Texts) -> str:
    """A list of sentences; nothing where everything was read."""
    said = [texts(f"warning.{warning.type.value}", **warning.values) for warning in warnings]
    items = "".join(f"<li>{escape(one)}</li>" for one in said)
    return f'<ul class="lv-reading-notes">{items}</ul>' if items else ""
