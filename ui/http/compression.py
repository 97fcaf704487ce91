"""Compresses answers whose length is known before they begin; streams, whose events must not wait for each other, go as they are."""

from __future__ import annotations

import zlib

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: What is text; sound, pictures and zips are compressed already.
_TYPES = ("text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml")
#: Smaller answers fit into one packet as they are.
SMALLEST_BYTES = 1_000
#: A third of the time of the level above it, and 2 % more bytes.
_LEVEL = 6
_GZIP = 16 + zlib.MAX_WBITS


class Compression:
    """ASGI middleware; a client that does not ask for gzip gets what it got before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on, compressed where that is asked for and helps."""
        if scope["type"] != "http" or not takes_gzip(Headers(scope=scope).get("accept-encoding", "")):
            await self._app(scope, receive, send)
        else:
            await self._app(scope, receive, _Compressor(send).send)


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client's ``Accept-Encoding`` names gzip, and not with the weight 0."""
    for one in accept_encoding.lower().split(","):
        name, *parameters = (part.strip() for part in one.split(";"))
        if name == "gzip":
            return not any(part.replace(" ", "").rstrip("0") in ("q=", "q=.", "q=0.") for part in parameters)
    return False


class _Compressor:
    """One answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._packed: zlib._Compress | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            await self._send(self._started(message))
        elif message["type"] == "http.response.body" and self._packed is not None:
            more = bool(message.get("more_body"))
            body = self._packed.compress(message.get("body", b""))
            await self._send({**message, "body": body if more else body + self._packed.flush(), "more_body": more})
        else:
            await self._send(message)

    def _started(self, message: Message) -> Message:
        headers = MutableHeaders(raw=list(message["headers"]))
        kind = headers.get("content-type", "").split(";")[0].strip().lower()
        length = headers.get("content-length", "")
        whole = message["status"] == 200 and "content-encoding" not in headers and length.isdigit()  # noqa: PLR2004 - HTTP's OK
        if kind not in _TYPES or not whole:
            return message
        headers.add_vary_header("accept-encoding")
        if int(length) >= SMALLEST_BYTES:
            del headers["content-length"]
            headers["content-encoding"] = "gzip"
            if etag := headers.get("etag"):
                headers["etag"] = etag if etag.startswith("W/") else f"W/{etag}"
            self._packed = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        return {**message, "headers": headers.raw}
