"""The HTTP API beside the page, shaped like OpenAI's: ``POST /v1/audio/transcriptions``, ``GET /v1/models``; documented at ``/docs``.

A run takes its turn with everybody else's (:mod:`ui.turns`); when the client leaves, the run stops at its next step and its place is
free. Every answer names the session set that made it in ``x-lightvoice-model``, whatever the response format.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.requests import ClientDisconnect

from engine.audio import Look
from engine.bundle import MANIFEST, Bundle
from engine.formats import render
from engine.precision import CURRENT
from engine.transcript import Segment, Transcript
from ui.api_docs import FORM_SCHEMA, docs_html
from ui.api_errors import ApiError, error_answer, error_json
from ui.callers import caller_of
from ui.context import PageContext
from ui.transcript_events import TranscriptEvents
from ui.transcription_json import model_id, plain_json, verbose_json
from ui.transcription_request import TranscriptionRequest, received
from ui.turns import CallerLeftError, hung_up, in_turn

#: Requests that may be sending beside those that run and wait; more are asked to come back before they have sent anything.
MOST_SENDING = 32
#: What nginx calls a request whose client has left: nobody reads the answer.
CLIENT_LEFT = 499
MODEL_HEADER = "x-lightvoice-model"
WARNINGS_HEADER = "x-lightvoice-warnings"
OnSegment = Callable[[Segment], None] | None
_MEDIA_TYPES = {"srt": "application/x-subrip; charset=utf-8", "vtt": "text/vtt; charset=utf-8"}


def http_api(context: PageContext, *, folder: Path) -> APIRouter:
    """The routes; uploads lie in ``folder`` while their request lasts."""
    router = APIRouter()
    present: set[int] = set()
    most_present = context.limits.concurrent_runs + context.limits.waiting_runs + MOST_SENDING
    context.state.add_queue(lambda: len(present))

    @router.post("/v1/audio/transcriptions", openapi_extra={"requestBody": FORM_SCHEMA})
    async def transcriptions(request: Request) -> Response:
        """Transcribe a recording."""
        if len(present) >= most_present:
            return error_answer(context.slots.full())
        async with AsyncExitStack() as lasting:
            present.add(id(request))
            lasting.callback(present.discard, id(request))
            try:
                wanted = await lasting.enter_async_context(received(request, folder, limits=context.limits))
                run = partial(_run, context, request, wanted, _precision(context, wanted.model))
                if wanted.stream:
                    return TranscriptEvents(run, lasting.pop_all().aclose)
                return _answer(await run(None), wanted)
            except (CallerLeftError, ClientDisconnect):
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
        message = (
            f"model {model!r} is installed, but bundle {current!r} is open; open {name!r} on the page's Models tab, "
            f"or start the server with --bundle {name}, or leave the model out to use what is open"
        )
        raise ApiError(message, param="model", code="model_not_open")
    return model.rpartition(":")[2]


def _unknown_model(model: str, known: dict[str, dict[str, Any]]) -> ApiError:
    return ApiError(f"there is no model {model!r}; choose one of {', '.join(known)}", status=404, param="model", code="model_not_found")


async def _run(context: PageContext, request: Request, wanted: TranscriptionRequest, precision: str, on_segment: OnSegment) -> Transcript:
    """One request's run in its turn."""
    work = partial(_transcribe, context, wanted, precision, on_segment)
    return await in_turn(context.slots, caller_of(request), hung_up(request), work)


def _transcribe(context: PageContext, wanted: TranscriptionRequest, precision: str, on_segment: OnSegment, look: Look) -> Transcript:
    """Decode and recognize; ``look`` is called between steps and may raise."""
    transcript = context.engine.transcribe(
        context.engine.open_recording(wanted.path, max_duration_s=context.limits.duration_s, look=look),
        language=wanted.language,
        itn=wanted.itn,
        precision=precision,
        ban_emo_unknown=wanted.ban_emo_unknown,
        file=wanted.path.name,
        progress=lambda _fraction, _stage: look(),
        on_segment=on_segment,
    )
    context.runs.record(transcript, source="api")
    return transcript


def _answer(transcript: Transcript, wanted: TranscriptionRequest) -> Response:
    headers = {MODEL_HEADER: quote(model_id(transcript), safe=":")}
    if transcript.warnings:  # formats that are text alone have no other place for them
        headers[WARNINGS_HEADER] = ", ".join(dict.fromkeys(warning.type.value for warning in transcript.warnings))
    match wanted.response_format:
        case "json":
            return JSONResponse(plain_json(transcript), headers=headers)
        case "verbose_json":
            return JSONResponse(verbose_json(transcript, granularities=wanted.granularities), headers=headers)
        case "text":
            return PlainTextResponse(f"{transcript.text}\n", headers=headers)
        case subtitles:
            return PlainTextResponse(render(transcript, subtitles), media_type=_MEDIA_TYPES[subtitles], headers=headers)
