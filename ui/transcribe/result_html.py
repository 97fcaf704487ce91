"""Everything that is shown of one transcribed recording: player, transcript, timeline, table and downloads."""

from __future__ import annotations

from html import escape

from engine.speech.endpointing import FRAME_MS
from ui.scheduling.recording_queue import Entry, Result
from ui.text.texts import Texts
from ui.transcribe.exports import DOWNLOADS
from ui.widgets.timeline import timeline_html
from ui.widgets.transcript_html import segments_html, transcript_html

_MS_PER_S = 1000


def result_html(entry: Entry, result: Result, address: str, texts: Texts) -> str:
    """The result of an entry; ``address`` is where the routes answer for it, without a slash at the end."""
    transcript = result.edited()
    drawing = timeline_html(result.peaks, transcript.duration_s * _MS_PER_S, transcript.segments, transcript.speech_track, FRAME_MS, texts)
    return (
        f'<h3 class="lv-result-name">{escape(entry.name)}</h3>{_player(result, address, texts)}{_tools(address, texts)}'
        f"{transcript_html(result.transcript, texts, edits=result.edits)}"
        f'<div id="lv-timeline">{drawing}</div><div id="lv-segments">{segments_html(result.transcript, texts, edits=result.edits)}</div>'
    )


def _player(result: Result, address: str, texts: Texts) -> str:
    if result.playback is None:
        return f'<p class="lv-muted">{escape(texts("result.no_playback"))}</p>'
    source, name = escape(f"{address}/audio", quote=True), escape(texts("result.player"), quote=True)
    return f'<audio id="lv-player" controls preload="metadata" src="{source}" aria-label="{name}"></audio>'


def _tools(address: str, texts: Texts) -> str:
    """Copy, and one link a format."""
    links = "".join(
        f'<a id="lv-download-{name}" data-action="download" download href="{escape(f"{address}.{name}", quote=True)}">'
        f"{escape(texts(f'download.{name}'))}</a>"
        for name in DOWNLOADS
    )
    copied = escape(texts("result.copied"), quote=True)
    return (
        f'<div id="lv-downloads" class="lv-tools"><button type="button" id="lv-copy" data-action="copy" data-done="{copied}">'
        f'{escape(texts("result.copy"))}</button>{links}<span id="lv-copied" role="status"></span></div>'
    )
