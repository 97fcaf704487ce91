"""Methods that a route does not have are answered with 405 and the methods it has; HEAD as GET, OPTIONS with the list."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.api.errors import error_json

_API = "/v1/"


class AllowedMethods:
    """ASGI middleware over ``routes``: without it, what they refuse is passed to the page mounted below, which does not know them."""

    def __init__(self, app: ASGIApp, *, routes: Iterable[BaseRoute]) -> None:
        self._app, self._routes = app, tuple(routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what a route takes, and what none is there for."""
        offered = self._offered(scope) if scope["type"] == "http" else frozenset[str]()
        method = scope.get("method")
        if not offered or method in offered:
            await self._app(scope, receive, send)
        elif method == "HEAD" and "GET" in offered:
            await self._app({**scope, "method": "GET"}, receive, _without_body(send))
        else:
            await _refusal(scope, offered)(scope, receive, send)

    def _offered(self, scope: Scope) -> frozenset[str]:
        """The methods of all routes with this path; empty where there is none."""
        found: set[str] = set()
        for route in self._routes:
            if route.matches(scope)[0] is not Match.NONE:
                found |= getattr(route, "methods", None) or set()
        return frozenset(found)


def _without_body(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

    return send_head


def _refusal(scope: Scope, offered: frozenset[str]) -> Response:
    method, path = scope["method"], scope["path"]
    allowed = sorted(offered | {"OPTIONS"} | ({"HEAD"} if "GET" in offered else set()))
    if method == "OPTIONS":
        answer: Response = Response(status_code=204)
    elif path.startswith(_API):
        answer = error_json(f"{path} takes {' or '.join(sorted(offered))}, not {method}; see /docs", status=405, code="method_not_allowed")
    else:
        answer = PlainTextResponse(f"{path} takes {' or '.join(sorted(offered))}, not {method}", status_code=405)
    answer.headers["allow"] = ", ".join(allowed)
    return answer
