"""The queue as HTML: one row a recording, the line above them, and what stands in place of a transcript that is not there yet.

The page's script asks for these and puts them in.
"""

from __future__ import annotations

from collections.abc import Sequence

from ui.scheduling.recording_queue import ACTIVE, Entry, EntryState
from ui.text.texts import Texts
from ui.widgets.render import render

_TEMPLATE = "transcribe/queue"
#: Segments of a running recording that are shown; an hour has hundreds, and the page asks twice a second.
LATEST_SHOWN = 20
#: Rows that may be started again.
_RETRIED = frozenset({EntryState.FAILED, EntryState.CANCELLED})


def queue_shell_html(texts: Texts) -> str:
    """The empty queue; the script fills it."""
    return render(_TEMPLATE, "shell", texts)


def recorder_html(texts: Texts) -> str:
    """The microphone's button; the page's script records."""
    return render("transcribe/recorder", "recorder", texts)


def try_title_html(texts: Texts) -> str:
    """What stands before the examples."""
    return render("transcribe/recorder", "try_title", texts)


def head_html(entries: Sequence[Entry], zip_address: str, texts: Texts) -> str:
    """How far the queue is, the button that cancels it, and the zip once there are several transcripts."""
    if not entries:
        return ""
    done, failed = (sum(entry.state is state for entry in entries) for state in (EntryState.DONE, EntryState.FAILED))
    active = any(entry.state in ACTIVE for entry in entries)
    return render(_TEMPLATE, "head", done, failed, len(entries), active, zip_address, texts)


def row_html(entry: Entry, texts: Texts, *, selected: bool) -> str:
    """One recording: its name, which shows its transcript, its length, its state and what can be done about it."""
    active = entry.state in ACTIVE
    actions = [("cancel", "■")] if active else [("remove", "✕")]
    if entry.state in _RETRIED:
        actions.insert(0, ("retry", "↻"))
    return render(_TEMPLATE, "row", entry, actions, active, selected, texts)


def progress_html(entry: Entry, texts: Texts) -> str:
    """How far a run is, for the place where its transcript will be; nothing for what does not run."""
    return render(_TEMPLATE, "progress", entry, texts) if entry.state is EntryState.RUNNING else ""


def pending_html(entry: Entry, texts: Texts) -> str:
    """What stands where the transcript of an entry without one would be; of a run, the latest segments."""
    first = max(0, len(entry.recognized) - LATEST_SHOWN)
    return render(_TEMPLATE, "pending", entry, entry.recognized[first:], first, texts)
