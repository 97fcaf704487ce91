"""A transcript as server-sent events, shaped like OpenAI's: a delta for each segment as it is recognized, then the whole text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from engine.transcript import Segment, Transcript
from ui.api.errors import error_answer
from ui.api.transcription_json import model_id, said_warnings
from ui.scheduling.slot_run import CallerLeftError

#: What nginx calls a request whose client has left: nobody reads the answer.
CLIENT_LEFT = 499
#: Recognizes in a thread, and hands each segment over from there.
Recognize = Callable[[Callable[[Segment], None]], Awaitable[Transcript]]


class TranscriptEvents(Response):
    """Sends the events of one run; ``recognize`` watches the client itself, and ``close`` is awaited at the end, whatever happened.

    Not Starlette's StreamingResponse, for that one is cancelled when the client leaves, before the run has ended.
    """

    media_type = "text/event-stream"

    def __init__(self, recognize: Recognize, close: Callable[[], Awaitable[None]], *, headers: Mapping[str, str]) -> None:
        super().__init__(headers={"cache-control": "no-store", **headers})
        del self.headers["content-length"]  # nobody knows it yet
        self._recognize, self._close = recognize, close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer. What goes wrong before there is an event is an answer of its own, with its status; later it is an event."""
        begun = False

        async def send_event(event: dict[str, Any]) -> None:
            nonlocal begun
            if not begun:
                begun = True
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            await _send_data(send, json.dumps(event, ensure_ascii=False).encode())

        try:
            try:
                await self._send_events(send_event)
            except CallerLeftError:
                if not begun:
                    await Response(status_code=CLIENT_LEFT)(scope, receive, send)
                return
            except Exception as error:  # noqa: BLE001 - the last line, as in http_api: said, or logged with a number (error_answer)
                answer = error_answer(error)
                if not begun:
                    await answer(scope, receive, send)
                    return
                await _send_data(send, bytes(answer.body))
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await self._close()

    async def _send_events(self, send_event: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        loop, segments = asyncio.get_running_loop(), asyncio.Queue[Segment | None]()
        run = asyncio.ensure_future(self._recognize(lambda segment: _hand_over(loop, segments, segment)))
        run.add_done_callback(lambda _: segments.put_nowait(None))
        before = ""
        while (segment := await segments.get()) is not None:
            if segment.text:
                await send_event({"type": "transcript.text.delta", "delta": before + segment.text})
                before = " "
        transcript = await run
        done = {"type": "transcript.text.done", "text": transcript.text, "model": model_id(transcript), **said_warnings(transcript)}
        await send_event(done)


def _hand_over(loop: asyncio.AbstractEventLoop, segments: asyncio.Queue[Segment | None], segment: Segment) -> None:
    loop.call_soon_threadsafe(segments.put_nowait, segment)


async def _send_data(send: Send, data: bytes) -> None:
    await send({"type": "http.response.body", "body": b"data: " + data + b"\n\n", "more_body": True})
