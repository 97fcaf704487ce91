"""Other sites' pages may link here and do nothing else: their scripts and forms are refused, and no answer is shared with them.

The browser of a person who is let in sends the person's credentials along with whatever another site makes it send.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_OWN_SITES = frozenset({"same-origin", "none"})
_SHARING = b"access-control-"
_REFUSED = "this server answers its own page and programs, not other sites' pages; a proxy must pass the Host header on"


class SameOrigin:
    """ASGI middleware that refuses what a browser sends for another site, and takes CORS headers off every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is no other site's; 403 for the rest."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_unshared(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(name, value) for name, value in message.get("headers", ()) if not name.lower().startswith(_SHARING)]
                message = {**message, "headers": kept}
            await send(message)

        if _is_foreign(scope["method"], Headers(scope=scope)):
            await PlainTextResponse(_REFUSED, status_code=403)(scope, receive, send)
            return
        await self._app(scope, receive, send_unshared)


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
