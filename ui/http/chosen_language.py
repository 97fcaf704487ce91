"""The language that a person chose on the page: a cookie, which counts for more than what the browser says of itself."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Receive, Scope, Send

#: Set by the page's script (ui/assets/loading.js).
COOKIE = "lightvoice-language"
_ASKED = {"en": "en", "zh": "zh-CN"}


class ChosenLanguage:
    """ASGI middleware: further in, ``Accept-Language`` is what the person chose."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; who chose nothing, or no language of the page, is answered as the browser asks."""
        if scope["type"] == "http":
            headers = MutableHeaders(raw=list(scope["headers"]))
            chosen = _ASKED.get(cookie_parser(headers.get("cookie", "")).get(COOKIE, ""))
            if chosen is not None:
                headers["accept-language"] = chosen
                scope = {**scope, "headers": headers.raw}
        await self._app(scope, receive, send)
