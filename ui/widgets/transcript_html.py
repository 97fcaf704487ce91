"""A Transcript as HTML: the text with its tags, and the segments as a table. Every word of the recording is escaped.

A segment can be played, edited and put back; the page's script does it by the ``data-`` attributes written here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from html import escape

from engine.speech.words import placed_words
from engine.transcript import Segment, Transcript
from ui.text.quantities import clock, percent, rtf, seconds
from ui.text.texts import Texts
from ui.widgets.plain_segment import speaker_html
from ui.widgets.reading_notes import reading_notes_html
from ui.widgets.tag_chips import chips

#: How browsers and screen readers name the languages of the tags (BCP 47).
_HTML_LANGUAGE = {"zh": "zh-CN", "yue": "yue", "ja": "ja", "ko": "ko", "en": "en"}
_NO_EDITS: Mapping[int, str] = {}


def empty_html(texts: Texts) -> str:
    """Where the selected recording's transcript will be; the page's script fills it."""
    return f'<div id="lv-shown"><p class="lv-empty">{escape(texts("result.empty"))}</p></div>'


def transcript_html(transcript: Transcript, texts: Texts, *, edits: Mapping[int, str] = _NO_EDITS) -> str:
    """The transcript: a summary line, then one paragraph a segment with its time and tags.

    ``edits`` are the person's texts, segment index -> text.
    """
    if transcript.segments:
        items = (segment_html(index, segment, texts, edit=edits.get(index)) for index, segment in enumerate(transcript.segments))
        body = f'<ol class="lv-segments">{"".join(items)}</ol>'
    else:
        body = f'<p class="lv-empty">{escape(texts("result.silence"))}</p>'
    return (
        f'<section class="lv-transcript" aria-label="{escape(texts("result.title"), quote=True)}">'
        f"{summary_html(transcript, texts)}{reading_notes_html(transcript.warnings, texts)}{body}</section>"
    )


def segments_html(transcript: Transcript, texts: Texts, *, edits: Mapping[int, str] = _NO_EDITS) -> str:
    """The segments that VAD found, as a table; nothing where there are none."""
    if not transcript.segments:
        return ""
    columns = ("number", "start", "end", "length", "tags", "text")
    header = "".join(f'<th scope="col">{escape(texts(f"segments.{column}"))}</th>' for column in columns)
    rows = "".join(segment_row_html(index, segment, texts, edit=edits.get(index)) for index, segment in enumerate(transcript.segments))
    return (
        f'<details class="lv-card" open><summary>{escape(texts("segments.title"))} ({len(transcript.segments)})</summary>'
        f'<div class="lv-scroll" tabindex="0" role="region" aria-label="{escape(texts("segments.title"), quote=True)}">'
        f'<table class="lv-table lv-segment-table"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def segment_html(index: int, segment: Segment, texts: Texts, *, edit: str | None = None) -> str:
    """One segment: the button that plays it, its tags, its text, and the buttons that change the text."""
    number = index + 1
    span = f"{clock(segment.start_ms)}–{clock(segment.end_ms)}"
    play = escape(texts("segment.play", number=number, time=clock(segment.start_ms)), quote=True)
    buttons = _button("edit", "✎", texts("segment.edit", number=number), texts("segment.edit_short"))
    mark = ""
    if edit is not None:
        original = escape(texts("segment.original", text=segment.text), quote=True)
        mark = f'<span class="lv-edited" title="{original}">{escape(texts("segment.edited"))}</span>'
        buttons += _button("restore", "↺", texts("segment.restore", number=number), texts("segment.restore_short"))
    field = escape(texts("segment.field", number=number), quote=True)
    return (
        f'<li class="lv-segment" data-index="{index}" data-start="{segment.start_ms}" data-end="{segment.end_ms}">'
        f'<div class="lv-segment-head"><button type="button" class="lv-play" data-action="play" aria-label="{play}">'
        f'<span aria-hidden="true">▶</span> <span class="lv-time">{span}</span></button>'
        f"{speaker_html(segment, texts)}{chips(segment, texts)}{mark}"
        f'<span class="lv-segment-actions">{buttons}</span></div>'
        f'<p class="lv-text" data-action="play" data-field="{field}">{_text(segment, texts, edit=edit)}</p></li>'
    )


def segment_row_html(index: int, segment: Segment, texts: Texts, *, edit: str | None = None) -> str:
    """One segment as a row of the table."""
    tags = " · ".join(texts.tag(tag.value) for tag in (segment.language, segment.emotion, segment.event))
    shown = segment if edit is None else replace(segment, text=edit)
    return (
        f'<tr data-index="{index}"><td>{index + 1}</td><td>{clock(segment.start_ms)}</td><td>{clock(segment.end_ms)}</td>'
        f"<td>{seconds((segment.end_ms - segment.start_ms) / 1000)}</td><td>{escape(tags)}</td>"
        f"<td>{speaker_html(shown, texts)}{_spoken(shown, escape(shown.text), texts)}</td></tr>"
    )


def _button(action: str, sign: str, name: str, short: str) -> str:
    return (
        f'<button type="button" data-action="{action}" aria-label="{escape(name, quote=True)}" title="{escape(short, quote=True)}">'
        f'<span aria-hidden="true">{sign}</span></button>'
    )


def summary_html(transcript: Transcript, texts: Texts) -> str:
    """One line: precision and bundle, lengths, and the speed where something was computed."""
    timing = transcript.timing
    parts = [
        texts("result.precision", precision=transcript.precision.upper(), bundle=transcript.bundle),
        texts("result.summary", duration=seconds(transcript.duration_s), time=seconds(timing.total_s)),
    ]
    if timing.rtf > 0:
        parts.append(texts("result.speed", speed=f"{1 / timing.rtf:.0f}", rtf=rtf(timing.rtf)))
    inner = "".join(f"<span>{escape(part)}</span>" for part in parts)
    return f'<p class="lv-summary">{inner}</p>'


def _text(segment: Segment, texts: Texts, *, edit: str | None) -> str:
    """The text; as recognized, each word carries its confidence and its time, so that the script can mark and play it."""
    if edit is not None:
        return _spoken(replace(segment, text=edit), escape(edit), texts)
    stretches = (
        escape(stretch)
        if word is None
        else f'<span class="lv-word" data-confidence="{word.confidence:.3f}" data-start="{word.start_ms}" '
        f'title="{escape(texts("segment.confidence", share=percent(word.confidence)), quote=True)}">{escape(stretch)}</span>'
        for stretch, word in placed_words(segment)
    )
    return _spoken(segment, "".join(stretches), texts)


def _spoken(segment: Segment, words: str, texts: Texts) -> str:
    """Words, already HTML, in the language that they are spoken in."""
    if not segment.text:
        return f'<span class="lv-muted">{escape(texts("result.no_text"))}</span>'
    language = _HTML_LANGUAGE.get(segment.language.value)
    attribute = f' lang="{language}"' if language else ""
    return f"<span{attribute}>{words}</span>"
