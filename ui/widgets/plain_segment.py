"""A segment as HTML that is only read: its time, its tags, its text. Where it can be played and edited: ui/widgets/transcript_html.py."""

from __future__ import annotations

from html import escape

from engine.transcript import Segment
from ui.text.quantities import clock
from ui.text.texts import Texts
from ui.widgets.tag_chips import chips


def speaker_html(segment: Segment, texts: Texts) -> str:
    """Who speaks, where every channel is a speaker's; nothing elsewhere."""
    if segment.channel is None:
        return ""
    return f'<span class="lv-speaker">{escape(texts("segment.speaker", number=segment.channel))}</span> '


def plain_segment_html(index: int, segment: Segment, texts: Texts, *, note: str = "") -> str:
    """One list item; ``note`` is HTML that stands at the end of its head."""
    span = f'<span class="lv-time">{clock(segment.start_ms)}–{clock(segment.end_ms)}</span>'
    words = escape(segment.text) if segment.text else f'<span class="lv-muted">{escape(texts("result.no_text"))}</span>'
    head = f"{span}{speaker_html(segment, texts)}{chips(segment, texts)}{note}"
    return (
        f'<li class="lv-segment" data-index="{index}"><div class="lv-segment-head">{head}</div>'
        f'<p class="lv-text"><span lang="{segment.language.value}">{words}</span></p></li>'
    )
