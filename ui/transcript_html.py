"""A Transcript as HTML: the text with its tags, and the segments as a table. Every word of the recording is escaped."""

from __future__ import annotations

from html import escape

from engine.transcript import Segment, Transcript
from ui.quantities import clock, rtf, seconds
from ui.tag_chips import chips
from ui.texts import Texts

#: How browsers and screen readers name the languages of the tags (BCP 47).
_HTML_LANGUAGE = {"zh": "zh-CN", "yue": "yue", "ja": "ja", "ko": "ko", "en": "en"}


def empty_html(texts: Texts) -> str:
    """What stands where the transcript will be."""
    return f'<p class="lv-empty">{escape(texts("result.empty"))}</p>'


def transcript_html(transcript: Transcript, texts: Texts) -> str:
    """The transcript: a summary line, then one paragraph a segment with its time and tags."""
    if transcript.segments:
        body = f'<ol class="lv-segments">{"".join(_paragraph(segment, texts) for segment in transcript.segments)}</ol>'
    else:
        body = f'<p class="lv-empty">{escape(texts("result.silence"))}</p>'
    return (
        f'<section class="lv-transcript" aria-label="{escape(texts("result.title"), quote=True)}" aria-live="polite">'
        f"{_summary(transcript, texts)}{body}</section>"
    )


def segments_html(transcript: Transcript, texts: Texts) -> str:
    """The segments that VAD found, as a table; nothing where there are none."""
    if not transcript.segments:
        return ""
    columns = ("number", "start", "end", "length", "tags", "text")
    header = "".join(f'<th scope="col">{escape(texts(f"segments.{column}"))}</th>' for column in columns)
    rows = "".join(_row(number, segment, texts) for number, segment in enumerate(transcript.segments, start=1))
    return (
        f'<details class="lv-card" open><summary>{escape(texts("segments.title"))} ({len(transcript.segments)})</summary>'
        f'<div class="lv-scroll" tabindex="0" role="region" aria-label="{escape(texts("segments.title"), quote=True)}">'
        f'<table class="lv-table lv-segment-table"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )


def _summary(transcript: Transcript, texts: Texts) -> str:
    timing = transcript.timing
    parts = [
        texts("result.precision", precision=transcript.precision.upper(), bundle=transcript.bundle),
        texts("result.summary", duration=seconds(transcript.duration_s), time=seconds(timing.total_s)),
    ]
    if timing.rtf > 0:
        parts.append(texts("result.speed", speed=f"{1 / timing.rtf:.0f}", rtf=rtf(timing.rtf)))
    inner = "".join(f"<span>{escape(part)}</span>" for part in parts)
    return f'<p class="lv-summary">{inner}</p>'


def _text(segment: Segment, texts: Texts) -> str:
    if not segment.text:
        return f'<span class="lv-muted">{escape(texts("result.no_text"))}</span>'
    language = _HTML_LANGUAGE.get(segment.language.value)
    attribute = f' lang="{language}"' if language else ""
    return f"<span{attribute}>{escape(segment.text)}</span>"


def _paragraph(segment: Segment, texts: Texts) -> str:
    time = f'<span class="lv-time">{clock(segment.start_ms)}–{clock(segment.end_ms)}</span>'
    return (
        f'<li class="lv-segment"><div class="lv-segment-head">{time}{chips(segment, texts)}</div>'
        f'<p class="lv-text">{_text(segment, texts)}</p></li>'
    )


def _row(number: int, segment: Segment, texts: Texts) -> str:
    tags = " · ".join(texts.tag(tag.value) for tag in (segment.language, segment.emotion, segment.event))
    return (
        f"<tr><td>{number}</td><td>{clock(segment.start_ms)}</td><td>{clock(segment.end_ms)}</td>"
        f"<td>{seconds((segment.end_ms - segment.start_ms) / 1000)}</td><td>{escape(tags)}</td><td>{_text(segment, texts)}</td></tr>"
    )
