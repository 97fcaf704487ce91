"""Everything that is shown of one transcribed recording: player, transcript, timeline, table and downloads."""

from __future__ import annotations

from engine.speech.endpointing import FRAME_MS
from ui.scheduling.recording_queue import Entry, Result
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.widgets.render import render
from ui.widgets.timeline import timeline_html

_MS_PER_S = 1000


def result_html(entry: Entry, result: Result, address: str, texts: Texts) -> str:
    """The result of an entry; ``address`` is where the routes answer for it, without a slash at the end."""
    edited = result.edited()
    timeline = timeline_html(result.peaks, edited.duration_s * _MS_PER_S, edited.segments, edited.speech_track, FRAME_MS, texts)
    return render("transcribe/result", "result", entry.name, result, timeline, address, DOWNLOADS, texts)
