"""Authentication: a name and a password for the page, a key for ``/v1``.

A key opens everything that a password opens, for programs that use the page's endpoints or read the metrics. The health checks
need neither: they reveal nothing that a closed port would hide. Without credentials given to the server nothing is asked.
"""

from __future__ import annotations

import logging

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.api.errors import error_json
from ui.http.access.attempt_limit import AttemptLimit
from ui.http.access.credentials import Credentials
from ui.http.callers import CALLER, address_of
from ui.text.texts import Texts, preferred_language

OPEN_PATHS = frozenset({"/healthz", "/readyz"})
API_PREFIX = "/v1/"
_log = logging.getLogger(__name__)


class Authentication:
    """ASGI middleware that passes on requests with valid credentials, and notes the caller in the scope."""

    def __init__(self, app: ASGIApp, *, credentials: Credentials, limit: AttemptLimit | None = None) -> None:
        self._app, self._credentials, self._limit = app, credentials, limit or AttemptLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on authenticated requests; 401 for the rest, 429 after too many wrong attempts."""
        if scope["type"] == "lifespan" or not self._needs_credentials(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # nothing of ours speaks over a WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        refusal = self._refusal(scope)
        await (refusal or self._app)(scope, receive, send)

    def _needs_credentials(self, scope: Scope) -> bool:
        path = str(scope.get("path", ""))
        if path in OPEN_PATHS:
            return False
        return self._credentials.for_page or (self._credentials.for_programs and path.startswith(API_PREFIX))

    def _refusal(self, scope: Scope) -> Response | None:
        headers, address = Headers(scope=scope), address_of(scope)
        offered = headers.get("authorization")
        if offered is None:
            return self._unknown(scope, headers)
        wait_s = self._limit.wait_s(address)
        if wait_s:  # whether the attempt is right is not even looked at: a guess must not learn anything
            return self._too_many(scope, headers, wait_s)
        caller = self._credentials.caller(offered)
        if caller is None:
            self._limit.failed(address)
            _log.warning("wrong credentials from %s", address)
            return self._unknown(scope, headers)
        scope[CALLER] = caller
        return None

    def _unknown(self, scope: Scope, headers: Headers) -> Response:
        texts = _texts(headers)
        if scope["path"].startswith(API_PREFIX):
            message = "this server asks for an API key; send it as 'Authorization: Bearer KEY'"
            refusal: Response = error_json(message, status=401, code="invalid_api_key")
        else:
            refusal = PlainTextResponse(texts("access.unknown"), status_code=401)
        # A browser asks for name and password on this header; a program's client ignores it.
        refusal.headers["www-authenticate"] = 'Basic realm="LightVoice", charset="UTF-8"'
        return refusal

    def _too_many(self, scope: Scope, headers: Headers, wait_s: int) -> Response:
        texts = _texts(headers)
        if scope["path"].startswith(API_PREFIX):
            message = f"too many wrong attempts; try again in {wait_s} s"
            return error_json(message, status=429, code="rate_limit_exceeded", retry_after_s=wait_s)
        return PlainTextResponse(texts("access.too_many", wait=wait_s), status_code=429, headers={"retry-after": str(wait_s)})


def _texts(headers: Headers) -> Texts:
    return Texts(preferred_language(headers.get("accept-language", "")))
