"""Every request's id, its line in the log, and its count in the metrics; the outermost middleware, so that refusals are logged too."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.http.callers import CALLER, address_of
from ui.status.log_lines import REQUEST_ID

REQUEST_ID_HEADER = b"x-request-id"
#: An id that a proxy gave is kept, if it is one.
_SOUND_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)
_ERRORS_FROM = 400
#: Told of each answer: method, path, status, seconds (None for a stream, which lasts as long as somebody listens).
CountRequest = Callable[[str, str, int, float | None], None]

_log = logging.getLogger(__name__)


class RequestLog:
    """ASGI middleware; polling is logged at debug level, for an open page polls all the time."""

    def __init__(self, app: ASGIApp, *, count: CountRequest) -> None:
        self._app, self._count = app, count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; the id goes back in ``x-request-id``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given = Headers(scope=scope).get("x-request-id", "")
        request_id = given if _SOUND_ID.fullmatch(given) else uuid.uuid4().hex[:16]
        token = REQUEST_ID.set(request_id)
        started, seen = time.perf_counter(), {"status": 500, "stream": False}

        async def send_with_id(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", ()))
                seen["status"] = message["status"]
                seen["stream"] = any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers)
                message = {**message, "headers": [*headers, (REQUEST_ID_HEADER, request_id.encode())]}
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._note(scope, int(seen["status"]), time.perf_counter() - started, stream=bool(seen["stream"]))
            REQUEST_ID.reset(token)

    def _note(self, scope: Scope, status: int, seconds: float, *, stream: bool) -> None:
        method, path = scope["method"], scope["path"]
        self._count(method, path, status, None if stream else seconds)
        only_looks = method in ("GET", "HEAD") and status < _ERRORS_FROM
        level = logging.DEBUG if only_looks else logging.INFO
        if _log.isEnabledFor(level):
            fields: dict[str, Any] = {"method": method, "path": path, "status": status, "seconds": round(seconds, 4)}
            fields["caller"] = scope.get(CALLER) or address_of(scope)
            _log.log(level, "request", extra={"fields": fields})
