"""What a proxy in front says of a request: who sent it, over which scheme, and below which path a person sees the server.

A proxy is believed where it runs on this machine, or where FORWARDED_ALLOW_IPS (uvicorn's variable) names its address; ``*`` believes
everybody. The path comes from ``--root-path`` or else from ``X-Forwarded-Prefix``, and the proxy may take it away or leave it.
"""

from __future__ import annotations

import logging
import os
import re
from typing import TYPE_CHECKING, cast

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ui.http.reach import is_prefix

if TYPE_CHECKING:
    from uvicorn._types import ASGI3Application

_log = logging.getLogger(__name__)

_TRUSTED = "127.0.0.1,::1"
_API = "/v1/"
#: Characters of a header that the log shows.
_SHOWN = 100
_SLASHES = re.compile("/{2,}")


class Forwarded:
    """The outermost ASGI middleware: further in, ``path`` is the server's own and ``root_path`` what stands before it outside."""

    def __init__(self, app: ASGIApp, *, root_path: str = "") -> None:
        self._root_path = root_path
        self._has_warned = False
        trusted = os.environ.get("FORWARDED_ALLOW_IPS", _TRUSTED)
        # Uvicorn and Starlette have their own types for the same ASGI.
        self._proxy_headers = ProxyHeadersMiddleware(cast("ASGI3Application", app), trusted_hosts=trusted)
        self._inside = cast("ASGIApp", self._proxy_headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; who asks for the prefix without its last slash is sent to the page, whose links are relative."""
        if scope["type"] != "http":
            await self._inside(scope, receive, send)
            return
        prefix = self._root_path or self._forwarded_prefix(scope)
        path = scope["path"]
        if prefix and path == prefix and scope["method"] in ("GET", "HEAD"):
            query = scope["query_string"].decode("latin-1")
            await RedirectResponse(f"{prefix}/?{query}" if query else f"{prefix}/")(scope, receive, send)
            return
        if prefix and path.startswith(f"{prefix}/"):
            path = path.removeprefix(prefix)
        await self._inside({**scope, "path": _tidied(path), "root_path": prefix}, receive, _unbuffered(send))

    def _forwarded_prefix(self, scope: Scope) -> str:
        """The prefixes of all proxies, the outermost first; "" without any, for one that is none, and from whom is not believed."""
        values = [one.strip().rstrip("/") for value in Headers(scope=scope).getlist("x-forwarded-prefix") for one in value.split(",")]
        prefix, sender = "".join(values), (scope.get("client") or ("unknown",))[0]
        if not prefix:
            return ""
        if sender in self._proxy_headers.trusted_hosts and is_prefix(prefix):
            return prefix
        if not self._has_warned:  # once: whoever may send headers may send many
            self._has_warned = True
            _log.warning(
                "X-Forwarded-Prefix %r of %s is not followed; give --root-path, or name the proxy's address in FORWARDED_ALLOW_IPS",
                prefix[:_SHOWN],
                sender,
            )
        return ""


def _tidied(path: str) -> str:
    """Addresses of the API that a client has joined with one slash too many, or ended with one."""
    plain = _SLASHES.sub("/", path)
    return plain.rstrip("/") if plain.startswith(_API) and plain != _API else path


def _unbuffered(send: Send) -> Send:
    """Events are passed on as they come: nginx, and proxies that follow it, otherwise keep them until there are some kB."""

    async def send_unbuffered(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            if any(name.lower() == b"content-type" and value.startswith(b"text/event-stream") for name, value in headers):
                message = {**message, "headers": [*headers, (b"x-accel-buffering", b"no")]}
        await send(message)

    return send_unbuffered


class GradioAddress:
    """The innermost ASGI middleware: Gradio makes its addresses of ``X-Forwarded-Host``, and this one has the path with it.

    Of its own it reads ``root_path`` in some of its routes only.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        if scope["type"] == "http" and scope.get("root_path"):
            headers = Headers(scope=scope)
            host = headers.get("x-forwarded-host", "").split(",")[0].strip() or headers.get("host", "")
            kept = [(name, value) for name, value in scope["headers"] if name != b"x-forwarded-host"]
            scope = {**scope, "headers": [*kept, (b"x-forwarded-host", f"{host}{scope['root_path']}".encode("latin-1"))]}
        await self._app(scope, receive, send)
