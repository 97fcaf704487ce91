"""The Live tab's stage as HTML: the state, the level of the microphone, what was said and what is being said."""

from __future__ import annotations

from collections.abc import Sequence

from engine.audio.reading.reading_warnings import ReadingWarning
from engine.live import Final, Partial
from ui.text.failures import Failure
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.widgets.render import render

_TEMPLATE = "live/stage"
#: What the script says in the stage, by the name that it knows it by.
_STATES = ("ready", "opening", "listening", "stopping", "stopped", "denied", "no_device", "insecure", "lost", "full", "failed")


def stage_html(texts: Texts) -> str:
    """Where the script shows the stream; every word that it may need stands in it."""
    return render(_TEMPLATE, "stage", _STATES, DOWNLOADS, texts)


def final_html(index: int, final: Final, texts: Texts) -> str:
    """A segment that is over: its time, its tags, its text, and how long it took to appear."""
    return render(_TEMPLATE, "final", index, final, texts)


def partial_html(partial: Partial | None, texts: Texts) -> str:
    """The running segment so far; nothing in silence."""
    return render(_TEMPLATE, "partial", partial, texts)


def status_html(precision: str, partial: Partial | None, last: Final | None, texts: Texts) -> str:
    """The precision in force, and the delays of what came just now; the script keeps a delay until the next one."""
    return render(_TEMPLATE, "status", precision, partial, last, texts)


def notes_html(warnings: Sequence[ReadingWarning], texts: Texts) -> str:
    """What of the options has no effect on this stream."""
    return render("widgets/transcript", "reading_notes", warnings, texts)


def failure_html(failure: Failure, texts: Texts) -> str:
    """Why the stream ended by itself."""
    return render(_TEMPLATE, "failure", *failure.words(texts))
