"""What the page's script asks of the history: rows, a transcript put back into the page's queue, downloads, deletion, what is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field

from engine.subtitles.options import SubtitleOptions
from ui.history.errors import HistoryError, HistoryGoneError
from ui.history.history import History
from ui.history.history_html import failure_html, going_on_html, rows_html, set_aside_html, who_html
from ui.history.kept_transcript import Keep
from ui.history.owners import Owner
from ui.history.search import MOST_CHARACTERS
from ui.history.store import PAGE_ROWS
from ui.scheduling.queue_runner import QueueRunner
from ui.text.failures import failure_of
from ui.text.texts import Texts, preferred_language
from ui.transcribe.exports import DOWNLOADS, MEDIA_TYPES, download
from ui.widgets.subtitle_fields import asked_subtitles

#: Relative to the page, so that a proxy may put the page under any path.
PREFIX = "history"
GONE, UNAVAILABLE = 404, 503


class Opening(BaseModel):
    """Into which page's queue a transcript is put back."""

    queue: str = Field(max_length=64)


class Choice(BaseModel):
    """What a person wants kept from now on."""

    keep: Keep


def history_routes(history: History, recordings: QueueRunner) -> APIRouter:
    """The routes of the history; each asks for the owner's own transcripts alone, 404 for all others."""
    router = APIRouter(prefix=f"/{PREFIX}", include_in_schema=False)
    answers = _Routes(history, recordings)
    asked: dict[str, Callable[..., Any]] = {"": answers.rows, "/{transcript_id}.{output_format}": answers.download}
    done: dict[str, Callable[..., Any]] = {
        "/keep": answers.choose,
        "/delete-all": answers.delete_all,
        "/cancel-going-on": answers.cancel_going_on,
        "/{transcript_id}/open": answers.open,
        "/{transcript_id}/delete": answers.delete,
    }
    for path, answer in asked.items():
        router.add_api_route(path, answer, methods=["GET"], response_model=None)
    for path, answer in done.items():
        router.add_api_route(path, answer, methods=["POST"], response_model=None)
    return router


class _Routes:
    """What each route answers."""

    def __init__(self, history: History, recordings: QueueRunner) -> None:
        self._history, self._recordings = history, recordings

    def rows(
        self,
        owner: Owner,
        request: Request,
        q: Annotated[str, Query(max_length=MOST_CHARACTERS)] = "",
        before: int | None = None,
    ) -> dict[str, object] | Response:
        """The latest transcripts, or those that hold the words ``q``; with ``before`` those that follow that number."""
        texts, store = _texts(request), self._history.store
        try:
            rows, count, keep = store.page(owner, query=q, before=before), store.count(owner), store.choice(owner)
        except HistoryError as error:
            return _failed(error, texts)
        going_on = self._recordings.going_on(owner)
        return {
            "who": who_html(owner, count, self._history.days, texts),
            "rows": rows_html(rows, q, texts, goes_on=before is not None),
            "note": set_aside_html([path.name for path in store.set_aside()], texts) + going_on_html(going_on, texts),
            "going_on": len(going_on),
            "next": rows[-1].number if len(rows) == PAGE_ROWS else None,
            "count": count,
            "keep": keep.value,
        }

    def open(self, owner: Owner, transcript_id: str, wanted: Opening, request: Request) -> dict[str, object] | Response:
        """Put a transcript back into the page's queue, where it is shown, played, edited and downloaded as after its run."""
        try:
            kept, result, sound = self._history.open(owner, transcript_id)
            self._recordings.restore(wanted.queue, owner, kept.id, name=kept.name, result=result, sound=sound)
        except HistoryError as error:
            return _failed(error, _texts(request))
        except ValueError as error:  # no id of a page's queue
            raise HTTPException(GONE) from error
        return {"opened": transcript_id}

    def download(
        self, owner: Owner, transcript_id: str, output_format: str, subtitles: Annotated[SubtitleOptions, Depends(asked_subtitles)]
    ) -> Response:
        """One transcript as a file, the person's words in it."""
        if output_format not in DOWNLOADS:
            raise HTTPException(GONE)
        try:
            _, result, _ = self._history.open(owner, transcript_id)
        except HistoryError as error:
            raise HTTPException(GONE if isinstance(error, HistoryGoneError) else UNAVAILABLE, str(error)) from error
        name, content = download(result.edited(), output_format, subtitles=subtitles)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name, safe='')}", "cache-control": "no-store"}
        return Response(content, media_type=MEDIA_TYPES[output_format], headers=headers)

    def delete(self, owner: Owner, transcript_id: str, request: Request) -> dict[str, object] | Response:
        """Delete one transcript and its recording."""
        return self._deleted(owner, transcript_id, request)

    def delete_all(self, owner: Owner, request: Request) -> dict[str, object] | Response:
        """Delete all transcripts of the owner and their recordings."""
        return self._deleted(owner, None, request)

    def cancel_going_on(self, owner: Owner) -> dict[str, object]:
        """Cancel what still runs for pages of the owner that were closed."""
        self._recordings.cancel_going_on(owner)
        return {}

    def choose(self, owner: Owner, choice: Choice, request: Request) -> dict[str, object] | Response:
        """Keep nothing, the text, or the recording as well, from now on."""
        try:
            self._history.store.choose(owner, choice.keep)
        except HistoryError as error:
            return _failed(error, _texts(request))
        return {"keep": choice.keep.value}

    def _deleted(self, owner: str, transcript_id: str | None, request: Request) -> dict[str, object] | Response:
        try:
            return {"deleted": self._history.delete(owner, transcript_id)}
        except (HistoryError, OSError) as error:
            return _failed(error, _texts(request))


def _failed(error: Exception, texts: Texts) -> Response:
    status = GONE if isinstance(error, HistoryGoneError) else UNAVAILABLE
    return JSONResponse({"failure": failure_html(failure_of(error), texts)}, status_code=status)


def _texts(request: Request) -> Texts:
    return Texts(preferred_language(request.headers.get("accept-language", "")))
