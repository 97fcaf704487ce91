"""What is compressed, and what is not: streams above all, whose events must not wait."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from ui.http.compression import SMALLEST_BYTES, Compression, takes_gzip

LONG = b"x" * (2 * SMALLEST_BYTES)


def _events() -> Iterator[bytes]:
    yield b"data: 1\n\n" * 500
    yield b"data: 2\n\n"


def _app() -> TestClient:
    def answer(content: bytes, kind: str, **more: str) -> Response:
        return Response(content, media_type=kind, headers=more)

    def route(path: str, make: object) -> Route:
        return Route(path, lambda request: make())  # type: ignore[operator]

    routes = [
        route("/json", lambda: answer(LONG, "application/json", etag='"1"')),
        route("/short", lambda: answer(b"{}", "application/json")),
        route("/sound", lambda: answer(LONG, "audio/flac")),
        route("/packed", lambda: answer(gzip.compress(LONG), "application/json", **{"content-encoding": "gzip"})),
        route("/events", lambda: StreamingResponse(_events(), media_type="text/event-stream")),
        route("/lines", lambda: StreamingResponse(_events(), media_type="application/json")),
        Route("/gone", lambda request: PlainTextResponse("x" * 5000, status_code=404)),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(Compression)
    return TestClient(app)


@pytest.mark.parametrize(
    ("path", "packed"), [("/json", True), ("/short", False), ("/sound", False), ("/events", False), ("/lines", False), ("/gone", False)]
)
def test_long_texts_are_compressed_and_streams_are_not(path: str, packed: bool) -> None:
    answer = _app().get(path, headers={"accept-encoding": "gzip"})
    assert (answer.headers.get("content-encoding") == "gzip") is packed
    if path == "/json":
        assert answer.content == LONG
        assert answer.headers["etag"] == 'W/"1"'


def test_what_is_compressed_already_is_left_alone() -> None:
    answer = _app().get("/packed", headers={"accept-encoding": "gzip"})
    assert answer.content == LONG


def test_who_does_not_ask_gets_it_as_it_is() -> None:
    assert "content-encoding" not in _app().get("/json", headers={"accept-encoding": "identity"}).headers


@pytest.mark.parametrize(
    ("header", "takes"),
    [("gzip", True), ("br, gzip;q=0.5", True), ("gzip;q=0", False), ("gzip; q=0.000", False), ("br", False), ("", False)],
)
def test_a_weight_of_nothing_is_a_refusal(header: str, takes: bool) -> None:
    assert takes_gzip(header) is takes


def test_the_request_is_passed_on_unchanged() -> None:
    seen: list[str] = []

    async def keep(request: Request) -> Response:
        seen.append((await request.body()).decode())
        return Response(LONG, media_type="application/json")

    app = Starlette(routes=[Route("/", keep, methods=["POST"])])
    app.add_middleware(Compression)
    TestClient(app).post("/", content="words", headers={"accept-encoding": "gzip"})
    assert seen == ["words"]
