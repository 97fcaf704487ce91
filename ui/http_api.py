"""The HTTP API beside the page, shaped like OpenAI's: ``POST /v1/audio/transcriptions``, ``GET /v1/models``; documented at ``/docs``.

A run takes its turn with everybody else's (:class:`~ui.run_slots.RunSlots`). While it waits and runs, nothing of it is on the event
loop but a look-out for the client: when the client leaves, the run stops at its next step and its place is free.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from engine.bundle import MANIFEST, Bundle
from engine.formats import render
from engine.precision import CURRENT
from engine.transcript import Segment, Transcript
from ui.api_docs import FORM_SCHEMA, docs_html
from ui.api_errors import ApiError, ClientLeftError, error_answer, error_json
from ui.context import PageContext
from ui.transcript_events import TranscriptEvents
from ui.transcription_json import plain_json, verbose_json
from ui.transcription_request import TranscriptionRequest, received

#: Requests that may be here at the same time, running, waiting or sending; more are asked to come back.
MOST_REQUESTS = 64
#: What nginx calls a request whose client has left: nobody reads the answer.
CLIENT_LEFT = 499
OnSegment = Callable[[Segment], None] | None
_MEDIA_TYPES = {"srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def http_api(context: PageContext, *, folder: Path) -> APIRouter:
    """The routes; uploads lie in ``folder`` while their request lasts."""
    router = APIRouter()
    present: set[int] = set()
    context.state.add_queue(lambda: len(present))

    @router.post("/v1/audio/transcriptions", openapi_extra={"requestBody": FORM_SCHEMA})
    async def transcriptions(request: Request) -> Response:
        """Transcribe a recording."""
        if len(present) >= MOST_REQUESTS:
            message = f"{MOST_REQUESTS} requests are being worked on; try again later"
            return error_json(message, status=429, code="rate_limit_exceeded")
        async with AsyncExitStack() as lasting:
            present.add(id(request))
            lasting.callback(present.discard, id(request))
            try:
                wanted = await lasting.enter_async_context(received(request, folder, upload_mb=context.limits.upload_mb))
                run = partial(_in_turn, context, request, wanted, _precision(context, wanted.model))
                if wanted.stream:
                    return TranscriptEvents(run, lasting.pop_all().aclose)
                return _answer(await run(None), wanted)
            except (ClientLeftError, ClientDisconnect):
                return Response(status_code=CLIENT_LEFT)
            except Exception as error:  # noqa: BLE001 - the last line: whatever it is, it is said, or logged with a number (error_answer)
                return error_answer(error)

    @router.get("/v1/models")
    def models() -> JSONResponse:
        """List the variants of every installed bundle; requests run on those that are open."""
        return JSONResponse({"object": "list", "data": list(_models(context).values())})

    @router.get("/v1/models/{model:path}")
    def model(model: str) -> JSONResponse:
        """Describe one model."""
        known = _models(context)
        return JSONResponse(known[model]) if model in known else error_answer(_unknown_model(model, known))

    @router.api_route("/v1/{path:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"], include_in_schema=False)
    def elsewhere(path: str, request: Request) -> JSONResponse:
        return error_json(f"there is no {request.method} /v1/{path}; see /docs for what there is", status=404)

    @router.get("/docs", include_in_schema=False)
    def docs(request: Request) -> HTMLResponse:
        return HTMLResponse(docs_html(request.app.openapi(), str(request.base_url).rstrip("/")))

    return router


def _models(context: PageContext) -> dict[str, dict[str, Any]]:
    """Every installed bundle's variants as OpenAI's model objects, by id; of two bundles with one name the open one counts."""
    current = context.engine.bundle
    bundles: dict[str, Bundle] = {current.name: current}
    for bundle in context.models.whole():
        bundles.setdefault(bundle.name, bundle)
    return {
        f"{name}:{variant}": {
            "id": f"{name}:{variant}",
            "object": "model",
            "created": _installed_at(bundle),
            "owned_by": bundle.source or "unknown",
            "open": bundle is current,
            "languages": list(bundle.languages),
            "licence": bundle.licence,
        }
        for name, bundle in bundles.items()
        for variant in bundle.variants
    }


def _installed_at(bundle: Bundle) -> int:
    """Unix time; 0 for a bundle that is being deleted."""
    try:
        return int((bundle.folder / MANIFEST).stat().st_mtime)
    except FileNotFoundError:
        return 0


def _precision(context: PageContext, model: str | None) -> str:
    """The precision that a model's id stands for; ApiError 404 for a model that is not installed, 400 for one that is not open."""
    current = context.engine.bundle.name
    if model is None or model == current:
        return CURRENT
    known = _models(context)
    names = {one: one.rpartition(":")[0] for one in known}
    if model not in known and model not in names.values():
        raise _unknown_model(model, known)
    name = names.get(model, model)
    if name != current:
        message = f"model {model!r} is installed, but bundle {current!r} is open; open {name!r} on the page, or start with --bundle"
        raise ApiError(message, param="model", code="model_not_open")
    return model.rpartition(":")[2]


def _unknown_model(model: str, known: dict[str, dict[str, Any]]) -> ApiError:
    return ApiError(f"there is no model {model!r}; choose one of {', '.join(known)}", status=404, param="model", code="model_not_found")


def _transcribe(
    context: PageContext, wanted: TranscriptionRequest, precision: str, look: Callable[[], None], on_segment: OnSegment
) -> Transcript:
    """Decode and recognize; ``look`` is called between steps and may raise."""
    waveform = context.engine.load(wanted.path, max_duration_s=context.limits.duration_s)
    look()
    return context.engine.transcribe(
        waveform,
        language=wanted.language,
        itn=wanted.itn,
        precision=precision,
        ban_emo_unknown=wanted.ban_emo_unknown,
        file=wanted.path.name,
        progress=lambda _fraction, _stage: look(),
        on_segment=on_segment,
    )


async def _in_turn(
    context: PageContext, request: Request, wanted: TranscriptionRequest, precision: str, on_segment: OnSegment
) -> Transcript:
    """Wait for a place on the engine and transcribe in a thread; ClientLeftError once the client has left and the run has stopped."""
    left = threading.Event()

    def look() -> None:
        if left.is_set():
            raise ClientLeftError

    ticket = context.slots.ask()
    lookout = asyncio.create_task(_hang_up(request))
    try:
        granted = asyncio.wrap_future(ticket)
        await asyncio.wait({granted, lookout}, return_when=asyncio.FIRST_COMPLETED)
        if not granted.done():
            raise ClientLeftError
        run = asyncio.create_task(asyncio.to_thread(_transcribe, context, wanted, precision, look, on_segment))
        await asyncio.wait({run, lookout}, return_when=asyncio.FIRST_COMPLETED)
        if lookout.done():
            left.set()
        return await run  # to its end: its place is not free before
    finally:
        left.set()
        lookout.cancel()
        context.slots.leave(ticket)


async def _hang_up(request: Request) -> None:
    """Return when the client has left; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _answer(transcript: Transcript, wanted: TranscriptionRequest) -> Response:
    match wanted.response_format:
        case "json":
            return JSONResponse(plain_json(transcript))
        case "verbose_json":
            return JSONResponse(verbose_json(transcript, granularities=wanted.granularities))
        case "text":
            return PlainTextResponse(f"{transcript.text}\n")
        case subtitles:
            return PlainTextResponse(render(transcript, subtitles), media_type=_MEDIA_TYPES[subtitles])
