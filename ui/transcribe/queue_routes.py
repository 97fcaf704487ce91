"""What the page's scripts ask of a queue: rows and results as HTML, segments as JSON, edits, sound and downloads.

A queue's id is its key: 32 random hexadecimal digits that only the page which made them knows.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from starlette.types import Receive, Scope, Send

from engine.editing.edits import Edits
from engine.subtitles.options import SubtitleOptions
from engine.wire import decoded
from ui.history.history_html import not_kept_html
from ui.history.owners import Owner
from ui.http.compression import takes_gzip
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.recording_queue import ACTIVE, Entry, OldEditError, RecordingQueue, Result
from ui.text.texts import Texts, preferred_language
from ui.transcribe.exports import DOWNLOADS, MEDIA_TYPES, download, zip_of_all
from ui.transcribe.playback_copy import LONGEST_WINDOW_MS, window_peaks
from ui.transcribe.queue_html import head_html, pending_html, progress_html, row_html
from ui.transcribe.result_html import result_html
from ui.transcribe.viewer_data import recognized_gzip
from ui.widgets.subtitle_fields import asked_subtitles

#: Relative to the page, so that a proxy may put the page under any path.
PREFIX = "recordings"
#: Which state of a recording the HTML is of, as the queue's own answer says it.
REVISION_HEADER = "lightvoice-revision"
#: Whether that is a transcript, whose segments are asked for as well: "yes" or "no".
TRANSCRIBED_HEADER = "lightvoice-transcribed"
#: The edits of a transcript of a day, every segment of it changed, are smaller.
MOST_EDIT_BYTES = 16_000_000
#: How the subtitles of a download are cut, from its query.
Subtitles = Annotated[SubtitleOptions, Depends(asked_subtitles)]


def queue_routes(runner: QueueRunner) -> APIRouter:
    """The routes of every queue of ``runner``; 404 for a queue or an entry that is not there (any more)."""
    router = APIRouter(prefix=f"/{PREFIX}/{{queue_id}}", include_in_schema=False)
    answers = _Routes(runner)
    asked: dict[str, Callable[..., Any]] = {
        "": answers.state,
        "/all.zip": answers.all_transcripts,
        "/{entry_id}/result": answers.result,
        "/{entry_id}/segments": answers.segments,
        "/{entry_id}/audio": answers.audio,
        "/{entry_id}/peaks": answers.peaks,
        "/{entry_id}.{output_format}": answers.one_transcript,
    }
    done: dict[str, Callable[..., Any]] = {
        "/cancel-all": answers.cancel_all,
        "/leave": answers.leave,
        "/{entry_id}/edits": answers.edit,
        "/{entry_id}/track/{number}": answers.choose_track,
        "/{entry_id}/{action}": answers.act,
    }
    for path, answer in asked.items():
        router.add_api_route(path, answer, methods=["GET"])
    for path, answer in done.items():
        router.add_api_route(path, answer, methods=["POST"])
    return router


class _Sound(FileResponse):
    """A recording's sound, or 404 where it was deleted: it may go at any time, also between a look at the disk and the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except RuntimeError:  # what Starlette makes of a file that is not there, before it sends anything
            if await run_in_threadpool(Path(self.path).is_file):
                raise
            await Response(status_code=404)(scope, receive, send)


class _Routes:
    """What each route answers."""

    def __init__(self, runner: QueueRunner) -> None:
        self._runner = runner

    def state(self, queue_id: str, owner: Owner, request: Request) -> dict[str, object]:
        """Every row, and which transcript is to be shown; an unknown queue is an empty one."""
        self._runner.belongs_to(queue_id, owner)
        queue, texts = self._runner.find(queue_id), _texts(request)
        if queue is None:
            return {"active": False, "head": "", "rows": [], "shown": None}
        # One look at the entries for all that is said of them: a run that ends meanwhile would be over, and its transcript not there yet.
        selected, entries = queue.selected, queue.entries()
        shown = None if selected is None else next((entry for entry in entries if entry.id == selected.id), None)
        rows = [{"id": entry.id, "html": row_html(entry, texts, selected=shown is not None and entry.id == shown.id)} for entry in entries]
        history, ids = self._runner.history, [entry.id for entry in entries]
        note = "" if history is None else not_kept_html(history.failure(ids), texts)
        return {
            "active": any(entry.state in ACTIVE for entry in entries) or (history is not None and history.is_waiting(ids)),
            "head": head_html(entries, f"{PREFIX}/{queue_id}/all.zip", texts) + note,
            "rows": rows,
            "shown": None if shown is None else _shown(shown, texts),
        }

    def cancel_all(self, queue_id: str) -> None:
        """Cancel whatever waits or runs."""
        self._queue(queue_id).cancel_all()
        self._runner.wake()

    def leave(self, queue_id: str) -> None:
        """The page is closed or reloaded; one that is reloaded is back at once."""
        self._runner.leave(queue_id)

    def act(self, queue_id: str, entry_id: str, action: str, owner: Owner, request: Request) -> dict[str, object]:
        """Select, cancel, retry or remove an entry: -> the queue as it is then."""
        queue = self._queue(queue_id)
        actions = {"select": queue.select, "cancel": queue.cancel, "retry": queue.retry, "remove": queue.remove}
        if action not in actions:
            raise HTTPException(404)
        actions[action](entry_id)
        self._runner.wake()
        return self.state(queue_id, owner, request)

    def choose_track(self, queue_id: str, entry_id: str, number: int) -> None:
        """Read another audio track of a recording."""
        if self._queue(queue_id).choose_track(entry_id, number) is None:
            raise HTTPException(404)

    def result(self, queue_id: str, entry_id: str, request: Request) -> Response:
        """The transcript with all around it, or what is to be said as long as there is none."""
        entry, texts = self._queue(queue_id).find(entry_id), _texts(request)
        if entry is None:
            raise HTTPException(404)
        address = f"{PREFIX}/{queue_id}/{entry_id}"
        html = pending_html(entry, texts) if entry.result is None else result_html(entry, entry.result, address, texts)
        state = {REVISION_HEADER: _shown_revision(entry), TRANSCRIBED_HEADER: "no" if entry.result is None else "yes"}
        return Response(html, media_type="text/html", headers=state | {"cache-control": "no-store"})

    def audio(self, queue_id: str, entry_id: str) -> Response:
        """The sound, in ranges if the browser asks for them."""
        playback = self._result(queue_id, entry_id).playback
        if playback is None:
            raise HTTPException(404)
        return _Sound(playback, media_type="audio/flac")

    def segments(self, queue_id: str, entry_id: str, request: Request) -> Response:
        """Every recognized segment with its words, as JSON that was compressed when it was made."""
        packed, headers = recognized_gzip(self._result(queue_id, entry_id)), {"cache-control": "no-store", "vary": "accept-encoding"}
        if not takes_gzip(request.headers.get("accept-encoding", "")):
            return Response(gzip.decompress(packed), media_type="application/json", headers=headers)
        return Response(packed, media_type="application/json", headers=headers | {"content-encoding": "gzip"})

    def peaks(self, queue_id: str, entry_id: str, start_ms: Annotated[int, Query(ge=0)], end_ms: int) -> list[int]:
        """The waveform between two times, for the strip in which ends are moved: the loudest of each column, 0 to 255."""
        playback = self._result(queue_id, entry_id).playback
        if not 0 < end_ms - start_ms <= LONGEST_WINDOW_MS:
            raise HTTPException(422, f"a window has 1 to {LONGEST_WINDOW_MS} ms")
        found = None if playback is None else window_peaks(playback, start_ms, end_ms)
        if found is None:
            raise HTTPException(404)
        return found

    async def edit(self, queue_id: str, entry_id: str, seen: str, request: Request) -> dict[str, str]:
        """Take all of a person's changes to a transcript; 409 where it is no longer the one that they were made on (``seen``)."""
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > MOST_EDIT_BYTES:
                raise HTTPException(413)
        return {"version": await run_in_threadpool(self._edit, queue_id, entry_id, seen, bytes(body))}

    def _edit(self, queue_id: str, entry_id: str, seen: str, body: bytes) -> str:
        try:
            entry = self._queue(queue_id).edit(entry_id, decoded(body, Edits), seen=seen)
        except OldEditError as error:
            raise HTTPException(409, str(error)) from error
        except ValueError as error:
            raise HTTPException(422, str(error)) from error
        if entry is None:
            raise HTTPException(404)
        return entry.version

    def one_transcript(self, queue_id: str, entry_id: str, output_format: str, subtitles: Subtitles) -> Response:
        """One transcript, with the person's words, as a download."""
        transcript = self._result(queue_id, entry_id).edited()
        if output_format not in DOWNLOADS:
            raise HTTPException(404)
        name, content = download(transcript, output_format, subtitles=subtitles)
        return _attachment(name, content, MEDIA_TYPES[output_format])

    def all_transcripts(self, queue_id: str, subtitles: Subtitles) -> Response:
        """Every transcript of the queue in every format, as one zip."""
        results = [entry.result.edited() for entry in self._queue(queue_id).entries() if entry.result is not None]
        return _attachment("transcripts.zip", zip_of_all(results, subtitles=subtitles), "application/zip")

    def _queue(self, queue_id: str) -> RecordingQueue:
        queue = self._runner.find(queue_id)
        if queue is None:
            raise HTTPException(404)
        return queue

    def _result(self, queue_id: str, entry_id: str) -> Result:
        entry = self._queue(queue_id).find(entry_id)
        if entry is None or entry.result is None:
            raise HTTPException(404)
        return entry.result


def _shown(entry: Entry, texts: Texts) -> dict[str, object]:
    """What the queue says of the recording that is shown."""
    revision, transcribed = _shown_revision(entry), entry.result is not None
    return {"id": entry.id, "revision": revision, "transcribed": transcribed, "progress": progress_html(entry, texts)}


def _shown_revision(entry: Entry) -> str:
    """Which state of an entry is shown: edits are the page's own, and change nothing of it."""
    return f"{entry.revision}-{len(entry.recognized)}"


def _texts(request: Request) -> Texts:
    return Texts(preferred_language(request.headers.get("accept-language", "")))


def _attachment(name: str, content: bytes, media_type: str) -> Response:
    headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}", "cache-control": "no-store"}
    return Response(content, media_type=media_type, headers=headers)
