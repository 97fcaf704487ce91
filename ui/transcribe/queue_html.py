"""The queue as HTML: one row a recording, the line above them, and what stands in place of a transcript that is not there yet.

The page's script asks for these and puts them in; file names and reasons are escaped here.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from ui.scheduling.recording_queue import ACTIVE, Entry, EntryState
from ui.text.quantities import clock
from ui.text.texts import Texts
from ui.widgets.plain_segment import plain_segment_html

_MS_PER_S = 1000
#: Segments of a running recording that are shown; an hour has hundreds, and the page asks twice a second.
HEARD_SHOWN = 20
MIN_CHOICE = 2
#: Rows that may be started again, and rows that may be taken out.
_RETRIED = frozenset({EntryState.FAILED, EntryState.CANCELLED})


def queue_shell_html(texts: Texts) -> str:
    """The empty queue; the script fills it."""
    name = escape(texts("queue.title"), quote=True)
    lost = escape(texts("queue.connection_lost"))
    return (
        f'<section id="lv-queue" aria-label="{name}"><div id="lv-queue-head"></div>'
        f'<p id="lv-queue-lost" role="alert" hidden>{lost}</p><ul id="lv-queue-rows"></ul></section>'
    )


def head_html(entries: Sequence[Entry], zip_address: str, texts: Texts) -> str:
    """How far the queue is, the button that cancels it, and the zip once there are several transcripts."""
    if not entries:
        return ""
    done = sum(entry.state is EntryState.DONE for entry in entries)
    failed = sum(entry.state is EntryState.FAILED for entry in entries)
    said = texts("queue.progress", done=done, all=len(entries))
    if failed:
        said += f" · {texts('queue.failed', failed=failed)}"
    parts = [f'<p class="lv-queue-progress" role="status">{escape(said)}</p>']
    if any(entry.state in ACTIVE for entry in entries):
        parts.append(f'<button type="button" id="lv-cancel-all" data-action="cancel-all">{escape(texts("queue.cancel_all"))}</button>')
    if done > 1:
        address, said = escape(zip_address, quote=True), escape(texts("download.zip"))
        parts.append(f'<a id="lv-download-zip" data-action="download" download href="{address}">{said}</a>')
    return "".join(parts)


def row_html(entry: Entry, texts: Texts, *, selected: bool) -> str:
    """One recording: its name, which shows its transcript, its length, its state and what can be done about it."""
    state = entry.state.value
    length = clock(entry.duration_s * _MS_PER_S) if entry.duration_s is not None else "–"
    current = ' aria-current="true"' if selected else ""
    name = escape(entry.name)
    return (
        f'<li class="lv-row" data-entry="{entry.id}" data-state="{state}"{current}>'
        f'<button type="button" class="lv-row-name" data-action="select" title="{escape(entry.name, quote=True)}">{name}</button>'
        f'<span class="lv-row-length" title="{escape(texts("queue.length"), quote=True)}">{length}</span>'
        f'<span class="lv-row-state">{escape(_state(entry, texts))}</span><span class="lv-row-actions">{_actions(entry, texts)}</span>'
        f"{_tracks(entry, texts)}{_progress(entry, texts)}{_reason(entry, texts)}</li>"
    )


def pending_html(entry: Entry, texts: Texts) -> str:
    """What stands where the transcript of an entry without one would be."""
    said = texts(f"queue.shown_{entry.state.value}") if entry.failure is None else ""
    body = f"<p>{escape(said)}</p>" if said and not entry.heard else _reason(entry, texts)
    return f'<div class="lv-empty"><p><strong>{escape(entry.name)}</strong></p>{body}</div>{_heard(entry, texts)}'


def _heard(entry: Entry, texts: Texts) -> str:
    """The latest of the segments that a run has recognized so far: what comes too fast to be read is counted."""
    if not entry.heard:
        return ""
    first = max(0, len(entry.heard) - HEARD_SHOWN)
    items = "".join(plain_segment_html(first + place, segment, texts) for place, segment in enumerate(entry.heard[first:]))
    return f'<p class="lv-muted">{escape(texts("queue.heard", count=len(entry.heard)))}</p><ol class="lv-segments">{items}</ol>'


def _state(entry: Entry, texts: Texts) -> str:
    if entry.state is not EntryState.RUNNING:
        return texts(f"queue.state_{entry.state.value}")
    return f"{texts.stage(entry.stage)} {entry.progress * 100:.0f} %"


def _actions(entry: Entry, texts: Texts) -> str:
    actions = []
    if entry.state in ACTIVE:
        actions.append(("cancel", "■"))
    if entry.state in _RETRIED:
        actions.append(("retry", "↻"))
    if entry.state not in ACTIVE:
        actions.append(("remove", "✕"))
    return "".join(_button(action, sign, entry, texts) for action, sign in actions)


def _button(action: str, sign: str, entry: Entry, texts: Texts) -> str:
    short, name = texts(f"queue.{action}"), texts(f"queue.{action}_named", name=entry.name)
    return (
        f'<button type="button" data-action="{action}" title="{escape(short, quote=True)}" aria-label="{escape(name, quote=True)}">'
        f'<span aria-hidden="true">{sign}</span></button>'
    )


def _tracks(entry: Entry, texts: Texts) -> str:
    """The choice of an audio track, where there is one."""
    if len(entry.tracks) < MIN_CHOICE:
        return ""
    options = []
    for track in entry.tracks:
        chosen = track.default if entry.track is None else track.number == entry.track
        said = track.description + (f" · {texts('queue.track_default')}" if track.default else "")
        options.append(f'<option value="{track.number}"{" selected" if chosen else ""}>{escape(said)}</option>')
    name, off = escape(texts("queue.track_named", name=entry.name), quote=True), " disabled" if entry.state in ACTIVE else ""
    return (
        f'<label class="lv-row-track">{escape(texts("queue.track"))} '
        f'<select data-choice="track" aria-label="{name}"{off}>{"".join(options)}</select></label>'
    )


def _progress(entry: Entry, texts: Texts) -> str:
    if entry.state is not EntryState.RUNNING:
        return ""
    name = escape(texts("queue.progress_of", name=entry.name), quote=True)
    return f'<progress max="100" value="{entry.progress * 100:.0f}" aria-label="{name}"></progress>'


def _reason(entry: Entry, texts: Texts) -> str:
    if entry.failure is None:
        return ""
    title, message = entry.failure.words(texts)
    return f'<p class="lv-row-reason"><strong>{escape(title)}</strong> {escape(message)}</p>'
