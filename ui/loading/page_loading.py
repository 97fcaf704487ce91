"""Serves the page's HTML with its curtain, and Gradio's files joined."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import gradio as gr
from fastapi import APIRouter
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.loading.gradio_modules import PageFiles, page_files
from ui.loading.page_html import JoinedAddresses, with_curtain
from ui.text.texts import Texts, preferred_language

_FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"
_FOR_EVER = "public, max-age=31536000, immutable"
_PREFIX = "/assets/lightvoice-"


class PageLoading:
    """What of ``blocks`` the browser is sent; computed when the first page is opened."""

    def __init__(self, blocks: gr.Blocks) -> None:
        self._blocks = blocks

    def routes(self) -> APIRouter:
        """The joined files, under names that change with their content."""
        router = APIRouter(include_in_schema=False)
        router.add_api_route(f"{_PREFIX}{{name}}", self._joined, methods=["GET"], response_model=None)
        return router

    def html(self, html: str, texts: Texts) -> str:
        """Gradio's HTML, changed for a reader of these texts."""
        return with_curtain(html, texts, self._files, self._addresses)

    @cached_property
    def _files(self) -> PageFiles | None:
        components = {block.get_block_name() for block in self._blocks.blocks.values()}
        return page_files((_FRONTEND / "index.html").read_text(encoding="utf-8"), _FRONTEND / "assets", components)

    @property
    def _addresses(self) -> JoinedAddresses:
        digest = self._files.digest if self._files else ""
        return JoinedAddresses(modules=f"lightvoice-{digest}.json", styles=f"lightvoice-{digest}.css")

    def _joined(self, name: str) -> Response:
        files = self._files
        if files is None or not name.startswith(f"{files.digest}."):
            return Response("there is nothing here", status_code=404)
        headers = {"cache-control": _FOR_EVER}
        if name.endswith(".css"):
            return Response(files.style_sheet, media_type="text/css", headers=headers)
        return Response(files.modules_json, media_type="application/json", headers=headers)


class PageHtml:
    """ASGI middleware around Gradio: the answer to ``GET /`` goes through ``change(html, texts)``."""

    def __init__(self, app: ASGIApp, *, change: Callable[[str, Texts], str]) -> None:
        self._app, self._change = app, change

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on; only the page itself is changed."""
        if scope["type"] != "http" or scope["path"] not in ("", "/"):
            await self._app(scope, receive, send)
            return
        texts = Texts(preferred_language(Headers(scope=scope).get("accept-language", "")))
        start: Message = {}
        body = bytearray()

        async def changed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if message["type"] != "http.response.body":  # what Starlette tells tests
                await send(message)
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            headers = MutableHeaders(raw=list(start["headers"]))
            content = bytes(body)
            if start["status"] == 200 and headers.get("content-type", "").startswith("text/html"):  # noqa: PLR2004 - HTTP's OK
                content = self._change(content.decode("utf-8"), texts).encode("utf-8")
                headers["content-length"] = str(len(content))
                headers["vary"] = "accept-language, cookie"
            await send({**start, "headers": headers.raw})
            await send({"type": "http.response.body", "body": content})

        await self._app(scope, receive, changed)
