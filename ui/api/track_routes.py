"""``POST /v1/audio/tracks``: which audio tracks a recording holds, for whoever is to choose one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from ui.api.docs import TRACKS_SCHEMA
from ui.api.errors import error_answer
from ui.api.transcription_request import received
from ui.limits import Limits
from ui.scheduling.run_slots import RunSlots

if TYPE_CHECKING:
    from engine.audio.sandbox.decoder import Decoder

TRACKS_PATH = "/v1/audio/tracks"
#: Recordings that are probed at a time; the decoder has four workers.
MOST_LOOKED_INTO = 16
#: What nginx calls a request whose client has left: nobody reads the answer.
CLIENT_LEFT = 499


def add_track_route(router: APIRouter, *, decoder: Decoder, limits: Limits, slots: RunSlots, folder: Path) -> None:
    """Add the route; an upload lies in ``folder`` while it is looked into."""
    present: set[int] = set()

    @router.post(TRACKS_PATH, openapi_extra={"requestBody": TRACKS_SCHEMA})
    async def tracks(request: Request) -> Response:
        """List a recording's audio tracks; transcriptions take the default one unless ``track`` names another."""
        if len(present) >= MOST_LOOKED_INTO:
            return error_answer(slots.full())
        present.add(id(request))
        try:
            async with received(request, folder, limits=limits) as asked:
                found = await run_in_threadpool(decoder.tracks, asked.path)
        except ClientDisconnect:
            return Response(status_code=CLIENT_LEFT)
        except Exception as error:  # noqa: BLE001 - the last line: whatever it is, it is said, or logged with a number (error_answer)
            return error_answer(error)
        finally:
            present.discard(id(request))
        return JSONResponse({"object": "list", "data": [track.to_dict() for track in found]})
