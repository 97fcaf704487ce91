"""The check of origins: other sites' pages may link here and do nothing else; their scripts and forms are refused, answers unreadable.

A browser sends its user's credentials along with whatever another site makes it send. Origins named by ``--allow-origin`` are an
exception: their pages may use ``/v1`` and ask how the server is, with a key of
their own. A password that the browser remembers counts for nothing there.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.http.reach import ANY_ORIGIN, Reach

_OWN_SITES = frozenset({"same-origin", "none"})
_SHARING = b"access-control-"
_REFUSED = "this server answers its own page and programs, not other sites' pages; a proxy must pass the Host header on"
_SHARED_PREFIX, _SHARED_PATHS = "/v1/", frozenset({"/healthz", "/readyz", "/openapi.json"})
_METHODS = "GET, HEAD, POST, OPTIONS"
_TAKEN_HEADERS = "authorization, content-type, x-request-id"
_SHOWN_HEADERS = "retry-after, x-lightvoice-ignored, x-lightvoice-model, x-request-id"
#: How long a browser may remember that it may ask.
_REMEMBERED_S = 600


class SameOrigin:
    """ASGI middleware that refuses what a browser sends for another site, and shares answers with nobody but ``reach.origins``."""

    def __init__(self, app: ASGIApp, *, reach: Reach | None = None) -> None:
        self._app, self._reach = app, reach or Reach()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no other site's, and what is shared with it; 403 for the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, origin = Headers(scope=scope), self._guest(scope)
        if _is_foreign(scope["method"], headers) and origin is None:
            await PlainTextResponse(_REFUSED, status_code=403)(scope, receive, send)
            return
        if origin is None:
            sharing = [(b"vary", b"Origin")] if self._reach.origins and _is_shared(scope["path"]) else []
            await self._app(scope, receive, _shared(send, sharing))
        elif scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _shared_answer(Response(status_code=204), self._said_to(origin), headers)(scope, receive, send)
        else:
            await self._app(_without_password(scope), receive, _shared(send, self._said_to(origin)))

    def _guest(self, scope: Scope) -> str | None:
        """The other origin that a request comes from, if it may be answered."""
        headers = Headers(scope=scope)
        origin = headers.get("origin")
        if not (self._reach.lets_in(origin) and _is_shared(scope["path"]) and _is_foreign(scope["method"], headers)):
            return None
        return origin

    def _said_to(self, origin: str) -> list[tuple[bytes, bytes]]:
        named = ANY_ORIGIN if ANY_ORIGIN in self._reach.origins else origin
        return [
            (b"access-control-allow-origin", named.encode("latin-1")),
            (b"access-control-expose-headers", _SHOWN_HEADERS.encode()),
            (b"vary", b"Origin"),
        ]


def _is_shared(path: str) -> bool:
    return path.startswith(_SHARED_PREFIX) or path in _SHARED_PATHS


def _shared(send: Send, sharing: list[tuple[bytes, bytes]]) -> Send:
    """Ours in place of every CORS header that the application has put on its answer."""

    async def send_shared(message: Message) -> None:
        if message["type"] == "http.response.start":
            kept = [(name, value) for name, value in message.get("headers", ()) if not name.lower().startswith(_SHARING)]
            message = {**message, "headers": [*kept, *sharing]}
        await send(message)

    return send_shared


def _shared_answer(answer: Response, sharing: list[tuple[bytes, bytes]], headers: Headers) -> Response:
    """What a browser wants to know before it sends the request itself; it sends no credentials with the question."""
    answer.raw_headers.extend(sharing)
    answer.headers["access-control-allow-methods"] = _METHODS
    answer.headers["access-control-allow-headers"] = headers.get("access-control-request-headers", _TAKEN_HEADERS)
    answer.headers["access-control-max-age"] = str(_REMEMBERED_S)
    if headers.get("access-control-request-private-network") == "true":
        answer.headers["access-control-allow-private-network"] = "true"
    return answer


def _without_password(scope: Scope) -> Scope:
    """The request without a name and password: a browser adds those by itself, a key is what the other page has."""
    kept = [(name, value) for name, value in scope["headers"] if not (name == b"authorization" and value[:6].lower() == b"basic ")]
    return {**scope, "headers": kept}


def _is_foreign(method: str, headers: Headers) -> bool:
    """Whether a browser sends this for another site's page; who is no browser says nothing of the kind."""
    following_a_link = (
        method in ("GET", "HEAD") and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    )
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site not in _OWN_SITES and not following_a_link
    # Browsers leave Sec-Fetch-* out where the page is neither HTTPS nor on this machine.
    origin = headers.get("origin")
    if origin is None:
        return False
    own = {headers.get("host", "").lower(), headers.get("x-forwarded-host", "").lower()} - {""}
    return urlsplit(origin).netloc.lower() not in own
