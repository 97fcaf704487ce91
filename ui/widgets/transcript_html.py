"""A Transcript as HTML: the text with its tags, and the segments as a table.

A segment can be played, edited and put back; the page's script does it by the ``data-`` attributes of the template.
``edits`` are a person's texts, segment index -> text.
"""

from __future__ import annotations

from collections.abc import Mapping

from engine.transcript import Segment, Transcript
from ui.text.texts import Texts
from ui.widgets.render import render

_TEMPLATE = "widgets/transcript"
_NO_EDITS: Mapping[int, str] = {}


def empty_html(texts: Texts) -> str:
    """Where the selected recording's transcript will be; the page's script fills it."""
    return render(_TEMPLATE, "empty", texts)


def transcript_html(transcript: Transcript, texts: Texts, *, edits: Mapping[int, str] = _NO_EDITS) -> str:
    """The transcript: a summary line, then one paragraph a segment with its time and tags."""
    return render(_TEMPLATE, "transcript", transcript, texts, edits)


def segments_html(transcript: Transcript, texts: Texts, *, edits: Mapping[int, str] = _NO_EDITS) -> str:
    """The segments that VAD found, as a table; nothing where there are none."""
    return render(_TEMPLATE, "segment_table", transcript, texts, edits)


def segment_html(index: int, segment: Segment, texts: Texts, *, edit: str | None = None) -> str:
    """One segment: the button that plays it, its tags, its text, and the buttons that change the text."""
    return render(_TEMPLATE, "segment", index, segment, texts, edit)


def segment_row_html(index: int, segment: Segment, texts: Texts, *, edit: str | None = None) -> str:
    """One segment as a row of the table."""
    return render(_TEMPLATE, "segment_row", index, segment, texts, edit)
