"""The HTTP API beside the page, shaped like OpenAI's: ``POST /v1/audio/transcriptions``, ``GET /v1/models``; documented at ``/docs``.

A run waits for a queue slot (:mod:`ui.scheduling.slot_run`); when the client disconnects, it stops at its next cancel check and its
slot is free. Every answer names the session set that made it in ``x-lightvoice-model``, whatever the response format.
"""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from engine.audio.waveform import CancelCheck
from engine.formats import render
from engine.options import TranscribeOptions
from engine.speech_engine import OnSegment
from engine.transcript import Transcript
from ui.api.docs import FORM_SCHEMA, docs_html
from ui.api.errors import ApiError, error_answer, error_json
from ui.api.model_list import ModelList
from ui.api.multipart_form import read_away
from ui.api.track_routes import add_track_route
from ui.api.transcript_events import CLIENT_LEFT, TranscriptEvents
from ui.api.transcription_json import model_id, plain_json, verbose_json
from ui.api.transcription_request import TranscriptionRequest, received
from ui.http.callers import caller_of
from ui.limits import Limits
from ui.models.state import ModelState
from ui.scheduling.run_slots import RunSlots
from ui.scheduling.slot_run import CallerLeftError, hung_up, run_in_slot
from ui.status.run_log import RunLog
from ui.status.server_state import ServerState

if TYPE_CHECKING:
    from engine.audio.sandbox.decoder import Decoder
    from engine.speech_engine import SpeechEngine

#: Requests that may be sending beside those that run and wait; more are asked to come back before they have sent anything.
MOST_SENDING = 32
MODEL_HEADER, IGNORED_HEADER, WARNINGS_HEADER = "x-lightvoice-model", "x-lightvoice-ignored", "x-lightvoice-warnings"
#: Fields without effect that an answer names.
MOST_NAMED, MOST_NAMED_CHARACTERS = 20, 1000
#: Whatever is asked of the API and is not there.
ANYTHING_ELSE = "/v1/{path:path}"
EVERY_METHOD = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
_NO_TRANSLATION = (
    "this server does not translate: its models write what was said in the language it was said in; "
    "send the recording to POST /v1/audio/transcriptions"
)
_MEDIA_TYPES = {"srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def http_api(
    *,
    engine: SpeechEngine,
    decoder: Decoder,
    state: ServerState,
    models: ModelState,
    limits: Limits,
    slots: RunSlots,
    runs: RunLog,
    requests: Path,
) -> APIRouter:
    """The routes; uploads lie in the folder ``requests`` while their request lasts."""
    known, running = ModelList(engine, models), _Runs(engine=engine, decoder=decoder, limits=limits, slots=slots, runs=runs)
    router = APIRouter()
    present: set[int] = set()
    most_present = limits.concurrent_runs + limits.waiting_runs + MOST_SENDING
    state.add_queue(lambda: len(present))

    @router.post("/v1/audio/transcriptions", openapi_extra={"requestBody": FORM_SCHEMA})
    async def transcriptions(request: Request) -> Response:
        """Transcribe a recording."""
        if len(present) >= most_present:
            return error_answer(slots.full())
        async with AsyncExitStack() as lasting:
            present.add(id(request))
            lasting.callback(present.discard, id(request))
            try:
                asked = await lasting.enter_async_context(received(request, requests, limits=limits))
                # In a thread: for a model that is not open the folders of all bundles are looked through.
                precision = await run_in_threadpool(known.precision, asked.model)
                run = partial(running.run, request, asked.path, replace(asked.options, precision=precision))
                if asked.stream:
                    return TranscriptEvents(run, lasting.pop_all().aclose, headers=_ignored(asked))
                return await run_in_threadpool(_answer, await run(None), asked)  # hours of words take their time to write
            except (CallerLeftError, ClientDisconnect):
                return Response(status_code=CLIENT_LEFT)
            except Exception as error:  # noqa: BLE001 - the last line: whatever it is, it is said, or logged with a number (error_answer)
                return error_answer(error)

    add_track_route(router, decoder=decoder, limits=limits, slots=slots, folder=requests)

    @router.get("/v1/models")
    def all_models() -> JSONResponse:
        """List the variants of every installed bundle; requests run on those that are open."""
        return JSONResponse({"object": "list", "data": list(known.all().values())})

    @router.get("/v1/models/{model:path}")
    def one_model(model: str) -> JSONResponse:
        """Describe one model."""
        try:
            return JSONResponse(known.one(model))
        except ApiError as error:
            return error_answer(error)

    @router.post("/v1/audio/translations", include_in_schema=False)
    async def translations(request: Request) -> JSONResponse:
        await read_away(request, limits)  # who is still sending does not read what it is answered
        return error_json(_NO_TRANSLATION, status=404, code="not_offered")

    @router.api_route(ANYTHING_ELSE, methods=EVERY_METHOD, include_in_schema=False)
    def elsewhere(path: str, request: Request) -> JSONResponse:
        return error_json(f"there is no {request.method} /v1/{path}; see /docs for what there is", status=404)

    @router.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_html(request.app.openapi(), str(request.base_url).rstrip("/")))

    return router


class _Runs:
    """The runs of requests, each in a queue slot."""

    def __init__(self, *, engine: SpeechEngine, decoder: Decoder, limits: Limits, slots: RunSlots, runs: RunLog) -> None:
        self._engine, self._decoder, self._limits, self._slots, self._runs = engine, decoder, limits, slots, runs

    async def run(self, request: Request, path: Path, options: TranscribeOptions, on_segment: OnSegment | None) -> Transcript:
        """Decode and recognize a request's recording."""

        def work(cancel_check: CancelCheck) -> Transcript:
            transcript = self._engine.transcribe(
                self._decoder.open(path, max_duration_s=self._limits.duration_s, cancel_check=cancel_check, read=options.read),
                options,
                file=path.name,
                progress=lambda _fraction, _stage: cancel_check(),
                on_segment=on_segment,
            )
            self._runs.record(transcript, source="api")
            return transcript

        return await run_in_slot(self._slots, caller_of(request), hung_up(request), work)


def _ignored(asked: TranscriptionRequest) -> dict[str, str]:
    """The header that names the fields which had no effect, so that a misspelt one is found."""
    named = ", ".join(quote(name, safe="[]") for name in list(asked.ignored)[:MOST_NAMED])
    return {IGNORED_HEADER: named[:MOST_NAMED_CHARACTERS]} if named else {}


def _answer(transcript: Transcript, asked: TranscriptionRequest) -> Response:
    headers = {MODEL_HEADER: quote(model_id(transcript), safe=":"), **_ignored(asked)}
    if transcript.warnings:  # formats that are text alone have no other place for them
        headers[WARNINGS_HEADER] = ", ".join(dict.fromkeys(warning.type.value for warning in transcript.warnings))
    match asked.response_format:
        case "json":
            return JSONResponse(plain_json(transcript), headers=headers)
        case "verbose_json":
            return JSONResponse(verbose_json(transcript, granularities=asked.granularities), headers=headers)
        case "text":
            apart = any(segment.speaker for segment in transcript.segments)
            return PlainTextResponse(render(transcript, "txt") if apart else f"{transcript.text}\n", headers=headers)
        case subtitles:
            return PlainTextResponse(
                render(transcript, subtitles, subtitles=asked.subtitles), media_type=_MEDIA_TYPES[subtitles], headers=headers
            )
