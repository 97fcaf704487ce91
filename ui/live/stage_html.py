"""The Live tab's stage as HTML: the state, the level of the microphone, what was said and what is being said."""

from __future__ import annotations

from html import escape

from engine.live import Final, Partial
from ui.text.failures import Failure
from ui.text.quantities import clock, seconds
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.widgets.plain_segment import plain_segment_html

#: What the script says in the stage, by the name that it knows it by.
_STATES = ("ready", "opening", "listening", "stopping", "stopped", "denied", "no_device", "insecure", "lost", "full", "failed")


def stage_html(texts: Texts) -> str:
    """Where the script shows the stream; every word that it may need stands in it."""
    words = " ".join(f'data-{state.replace("_", "-")}="{escape(texts(f"live.{state}"), quote=True)}"' for state in _STATES)
    links = "".join(f'<a href="#" data-live-format="{name}" download>{escape(texts(f"download.{name}"))}</a>' for name in DOWNLOADS)
    copied = escape(texts("live.copied"), quote=True)
    return (
        f'<section class="lv-live" id="lv-live-stage" aria-label="{escape(texts("live.title"), quote=True)}" {words}>'
        f'<div class="lv-live-head"><p class="lv-live-state" id="lv-live-state" role="status">{escape(texts("live.ready"))}</p>'
        f'<meter id="lv-live-level" min="0" max="1" value="0" aria-label="{escape(texts("live.level"), quote=True)}"></meter></div>'
        f'<p class="lv-summary" id="lv-live-status"></p>'
        f'<div id="lv-live-text" tabindex="0" role="log" aria-label="{escape(texts("live.title"), quote=True)}">'
        f'<p class="lv-empty" id="lv-live-empty">{escape(texts("live.empty"))}</p>'
        f'<p class="lv-muted" id="lv-live-earlier" hidden>{escape(texts("live.earlier"))}</p>'
        '<ol class="lv-segments" id="lv-live-segments"></ol><div id="lv-live-partial" aria-live="off"></div></div>'
        f'<div class="lv-tools" id="lv-live-tools" hidden><button type="button" data-live-copy data-done="{copied}">'
        f'{escape(texts("live.copy"))}</button>{links}<span class="lv-muted" id="lv-live-copied" role="status"></span></div></section>'
    )


def final_html(index: int, final: Final, texts: Texts) -> str:
    """A segment that is over: its time, its tags, its text, and how long it took to appear."""
    late = escape(texts("live.after", latency=seconds(final.latency_s)))
    told = escape(texts("live.latency_info"), quote=True)
    return plain_segment_html(index, final.segment, texts, note=f'<span class="lv-muted lv-live-latency" title="{told}">{late}</span>')


def partial_html(partial: Partial | None, texts: Texts) -> str:
    """The running segment so far; nothing in silence."""
    if partial is None:
        return ""
    return (
        f'<p class="lv-live-partial"><span class="lv-time">{clock(partial.start_ms)}</span> {escape(partial.text)}'
        f'<span class="lv-live-caret" aria-hidden="true"></span></p>'
    )


def status_html(precision: str, partial: Partial | None, last: Final | None, texts: Texts) -> str:
    """The precision in force, and the delays of what came just now; the script keeps a delay until the next one."""
    parts = [f'<span data-part="precision">{escape(texts("live.precision", precision=precision.upper()))}</span>']
    if partial is not None:
        parts.append(_delay("delay", texts("live.delay", delay=seconds(partial.delay_s)), texts("live.delay_info")))
    if last is not None:
        parts.append(_delay("latency", texts("live.latency", latency=seconds(last.latency_s)), texts("live.latency_info")))
    return "".join(parts)


def failure_html(failure: Failure, texts: Texts) -> str:
    """Why the stream ended by itself."""
    title, message = failure.words(texts)
    return f"<strong>{escape(title)}</strong> {escape(message)}"


def _delay(name: str, words: str, info: str) -> str:
    return f'<span data-part="{name}" title="{escape(info, quote=True)}">{escape(words)}</span>'
