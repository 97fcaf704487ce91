"""What of Gradio is reachable: the routes that the page and ``gradio_client`` use, and files that were uploaded here.

Gradio can do more than this page needs: fetch a URL for a client, pass requests on to other servers, edit the page. All that is
closed here, whatever a later version adds, for only what is listed is open. A path in a request must lie in the uploads or
among the examples; links are followed before that is looked at.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

#: First parts of the paths that are ours, and of those that Gradio's page loads itself from.
OPEN_ROOTS = frozenset(
    [
        "v1",
        "docs",
        "openapi.json",
        "recordings",
        "history",
        "live",
        "healthz",
        "readyz",
        "metrics",
        "config",
        "static",
        "assets",
        "svelte",
        "theme.css",
        "favicon.ico",
        "favicon.svg",
        "robots.txt",
        "manifest.json",
        "pwa_icon",
        "gradio_api",
    ]
)
#: Second parts, behind /gradio_api/.
OPEN_CALLS = frozenset(
    [
        "info",
        "openapi.json",
        "app_id",
        "startup-events",
        "heartbeat",
        "call",
        "run",
        "api",
        "queue",
        "cancel",
        "reset",
        "upload",
        "upload_progress",
        "file",
        "login_check",
        "theme.css",
    ]
)
#: Bodies of these carry a listener's inputs.
_WITH_INPUTS = frozenset({"call", "run", "api", "queue"})
_FILE = "file="
#: Inputs are options and names; recordings come as uploads.
MOST_INPUT_BYTES = 4_000_000
#: The folder in the uploads' folder that no client ever names. Those of uploads and of a page's recordings are named by digits that
#: only their page knows: 64 of a digest with a secret in it, or twice 32 random ones.
PRIVATE = "requests"


class GradioGuard:
    """ASGI middleware; ``files`` is the uploads' folder, ``examples`` what everybody may read."""

    def __init__(self, app: ASGIApp, *, files: Path, examples: Path) -> None:
        self._app, self._files, self._examples = app, files.resolve(), examples.resolve()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what is open; 404 for other routes, 403 for files that nobody uploaded, 413 for inputs that are none."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        first, _, rest = scope["path"].lstrip("/").partition("/")
        if first and first not in OPEN_ROOTS:
            await _refused(404, "there is nothing here")(scope, receive, send)
        elif first != "gradio_api":
            await self._app(scope, receive, send)
        else:
            await self._called(rest, scope, receive, send)

    async def _called(self, rest: str, scope: Scope, receive: Receive, send: Send) -> None:
        """A call of Gradio's own API, by what stands behind its prefix."""
        name = rest.split("/", maxsplit=1)[0]
        if rest.startswith(_FILE):
            allowed = self._may_read(rest.removeprefix(_FILE))
            await (self._app if allowed else _refused(403, "no such upload"))(scope, receive, send)
        elif name not in OPEN_CALLS:
            await _refused(404, "there is nothing here")(scope, receive, send)
        elif name in _WITH_INPUTS and scope["method"] == "POST":
            await self._with_inputs(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    async def _with_inputs(self, scope: Scope, receive: Receive, send: Send) -> None:
        body, messages = bytearray(), list[Message]()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # the client left while it was sending
            body += message.get("body", b"")
            if len(body) > MOST_INPUT_BYTES:
                await _refused(413, "inputs are options and names; upload recordings first")(scope, receive, send)
                return
            messages.append(message)
            if not message.get("more_body"):
                break
        try:
            inputs = json.loads(bytes(body) or b"null")
        except (ValueError, RecursionError):
            await _refused(400, "the body is not JSON")(scope, receive, send)
            return
        if not all(self._may_read(path) for path in _paths(inputs)):
            await _refused(403, "no such upload; send the file to /gradio_api/upload first")(scope, receive, send)
            return
        waiting = iter(messages)

        async def receive_again() -> Message:
            message = next(waiting, None)
            return await receive() if message is None else message

        await self._app(scope, receive_again, send)

    def _may_read(self, path: str) -> bool:
        """Whether a client may name this file: an upload or an example; never a URL."""
        if "\0" in path or "://" in path or path.startswith(("http:", "https:")):
            return False
        try:
            found = Path(path).resolve()
        except (OSError, RuntimeError):
            return False
        if found.is_relative_to(self._examples):
            return True
        return found.is_relative_to(self._files) and found.relative_to(self._files).parts[:1] != (PRIVATE,)


def _paths(inputs: Any) -> Iterator[str]:
    """Every file that the inputs name: Gradio takes an object with a path for one."""
    waiting = [inputs]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            if isinstance(value.get("path"), str) and value["path"]:
                yield value["path"]
            waiting.extend(value.values())
        elif isinstance(value, list):
            waiting.extend(value)


def _refused(status: int, reason: str) -> JSONResponse:
    return JSONResponse({"detail": reason}, status_code=status)
