"""What the page's script asks while somebody speaks: sound goes in block by block, text comes back as HTML; then the downloads.

One block is on its way at a time, and the next one holds whatever was said meanwhile: nothing is lost where the network or the
machine is slow. (Gradio's own microphone stream drops what comes while it connects, and what is on its way when it stops: of
ten seconds, eight and a half arrived.)
"""

from __future__ import annotations

from functools import partial
from typing import Annotated
from urllib.parse import quote

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from engine.errors import LightVoiceError
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.speech.decoding.hotwords import MOST_FILE_BYTES
from engine.subtitles.options import SubtitleOptions
from ui.history.history_html import not_kept_html
from ui.history.owners import Owner
from ui.live.sessions import LiveSession, LiveSessions, LiveUpdate, LostBlockError
from ui.live.stage_html import failure_html, final_html, notes_html, partial_html, status_html
from ui.text.failures import failure_of
from ui.text.texts import Texts, preferred_language
from ui.transcribe.exports import DOWNLOADS, MEDIA_TYPES, download
from ui.widgets.subtitle_fields import asked_subtitles

#: Relative to the page, so that a proxy may put the page under any path.
PREFIX = "live"
#: Twenty seconds at 192 kHz; the script sends less.
MOST_BYTES = 8_000_000
#: Other pages can make a browser send forms here, but not this type.
MEDIA_TYPE = "application/octet-stream"


class BlockQuery(BaseModel):
    """What a block's address says: its sample rate, and the options that the stream begins with."""

    rate: int = Field(ge=2_000, le=768_000)
    language: str = Field("auto", max_length=60)
    itn: bool = True
    homophones: bool = False
    ban: bool = False
    pause: int = DEFAULT_OPTIONS.vad.max_end_silence_ms
    #: Text in UTF-8 before the samples: thousands of hotwords are too long for an address.
    hotwords_bytes: int = Field(0, ge=0, le=MOST_FILE_BYTES)

    def options(self) -> dict[str, object]:
        """The options by the names that the engine knows them by."""
        values = {"language": self.language, "itn": self.itn, "homophones": self.homophones}
        return {**values, "ban_emo_unknown": self.ban, "max_end_silence_ms": self.pause}


def live_routes(sessions: LiveSessions) -> APIRouter:
    """The routes of every stream of ``sessions``; 404 for a stream that is not there (any more)."""
    router = APIRouter(prefix=f"/{PREFIX}/{{stream_id}}", include_in_schema=False)
    answers = _Routes(sessions)
    router.add_api_route("/blocks/{number}", answers.block, methods=["POST"])
    router.add_api_route("/end", answers.end, methods=["POST"])
    router.add_api_route("/leave", answers.leave, methods=["POST"])
    router.add_api_route("/transcript.{output_format}", answers.transcript, methods=["GET"])
    return router


class _Routes:
    """What each route answers."""

    def __init__(self, sessions: LiveSessions) -> None:
        self._sessions = sessions

    async def block(
        self,
        stream_id: str,
        number: int,
        owner: Owner,
        request: Request,
        asked: Annotated[BlockQuery, Query()],
    ) -> dict[str, object]:
        """Take a block of 16-bit little-endian samples, mono; the first one, number 0, begins the stream with its options.

        Its hotwords lie before its samples.
        """
        body, texts = await _body(request), _texts(request)
        hotwords, samples = _divided(body, asked.hotwords_bytes)
        try:
            if number:
                session = self._session(stream_id)
            else:
                options = TranscribeOptions.parse({**asked.options(), "hotwords": hotwords})
                session = await run_in_threadpool(partial(self._sessions.open, stream_id, options, owner=owner))
            return _update_json(await run_in_threadpool(session.add, number, samples, asked.rate), texts)
        except LightVoiceError as error:
            return {"over": True, "failure": failure_html(failure_of(error), texts)}
        except LostBlockError as error:
            raise HTTPException(409, str(error)) from error
        except ValueError as error:
            raise HTTPException(404) from error

    def end(self, stream_id: str, request: Request) -> dict[str, object]:
        """The person has stopped: the last segments."""
        session, texts = self._session(stream_id), _texts(request)
        answer = _update_json(session.finish(), texts)
        failure = None if session.kept is None else session.kept.failure()
        return {**answer, "notes": f"{answer['notes']}{not_kept_html(failure, texts)}"}

    def leave(self, stream_id: str) -> None:
        """The page is gone, or another stream takes this one's place."""
        self._sessions.leave(stream_id)

    def transcript(self, stream_id: str, output_format: str, subtitles: Annotated[SubtitleOptions, Depends(asked_subtitles)]) -> Response:
        """What was said, as a download."""
        session = self._session(stream_id)
        if output_format not in DOWNLOADS:
            raise HTTPException(404)
        name, content = download(session.transcript(), output_format, subtitles=subtitles)
        headers = {"content-disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
        return Response(content, media_type=MEDIA_TYPES[output_format], headers=headers)

    def _session(self, stream_id: str) -> LiveSession:
        session = self._sessions.find(stream_id)
        if session is None:
            raise HTTPException(404)
        return session


def _texts(request: Request) -> Texts:
    return Texts(preferred_language(request.headers.get("accept-language", "")))


async def _body(request: Request) -> bytes:
    """The body; 415 or 413 for what is no block."""
    if request.headers.get("content-type") != MEDIA_TYPE:
        raise HTTPException(415)
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > MOST_BYTES:
            raise HTTPException(413)
    return bytes(body)


def _divided(body: bytes, text_bytes: int) -> tuple[str, np.ndarray]:
    """A text, and behind it samples, int16 (n,); 400 where they are none."""
    text, samples = body[:text_bytes], body[text_bytes:]
    if len(text) < text_bytes or len(samples) % 2:
        raise HTTPException(400)
    try:
        return text.decode(), np.frombuffer(samples, "<i2")
    except UnicodeDecodeError as error:
        raise HTTPException(400) from error


def _update_json(update: LiveUpdate, texts: Texts) -> dict[str, object]:
    segments = [final_html(update.first_index + place, final, texts) for place, final in enumerate(update.finals)]
    last = update.finals[-1] if update.finals else None
    return {
        "segments": segments,
        "partial": partial_html(update.partial, texts),
        "notes": notes_html(update.warnings, texts),
        "status": status_html(update.precision, update.partial, last, texts),
        "over": update.over,
        "full": update.full,
        "failure": update.failure and failure_html(update.failure, texts),
    }
