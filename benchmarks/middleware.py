"""What the middleware costs: a request through all of it, against the same request without.

    python -m benchmarks.middleware [--requests 3000] [--json FILE]

Authentication, same-origin check, headers, request id, log line and metrics stand around an application that answers at once; nothing goes
over a socket, so that what is measured is theirs alone. Then Gradio's guard with inputs as the page sends them, and the queue before the
engine with a hundred callers in it. Medians of one process; state the machine and the day beside every figure that is quoted.
"""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

from benchmarks.command_line import figures_parser, write_figures
from ui.http.access.credentials import Credentials
from ui.http.gradio_guard import GradioGuard
from ui.http.middleware import add_middleware_layers
from ui.http.reach import Reach
from ui.scheduling.run_slots import RunSlots
from ui.status.log_lines import JsonLines
from ui.status.metrics import Metrics

KEYS, PERSONS, WAITING = 20, 20, 100
BUDGET_MS = 2.0
US_PER_S = 1e6


async def _received() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}


async def _sent(_: Message) -> None:
    return None


def _scope(path: str, method: str = "GET") -> Scope:
    person = base64.b64encode(f"person{PERSONS - 1}:a long enough password".encode())
    headers = [(b"host", b"127.0.0.1:7860"), (b"authorization", b"Basic " + person), (b"sec-fetch-site", b"same-origin")]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": headers,
        "client": ("127.0.0.1", 50000),
        "server": ("127.0.0.1", 7860),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }


def _plain() -> Starlette:
    async def answer_at_once(_: Any) -> PlainTextResponse:
        return PlainTextResponse("ok")

    return Starlette(routes=[Route("/v1/models", answer_at_once, methods=["GET", "POST"])])


def _behind_middleware() -> Starlette:
    app = _plain()
    credentials = Credentials(
        persons=[f"person{number}:a long enough password" for number in range(PERSONS)],
        keys=[f"a-long-enough-key-{number}" for number in range(KEYS)],
    )
    add_middleware_layers(app, credentials=credentials, metrics=Metrics({}), reach=Reach())
    return app


async def _median_us(ask: Callable[[], Awaitable[None]], requests: int) -> float:
    for _ in range(requests // 10):
        await ask()
    times = []
    for _ in range(requests):
        began = time.perf_counter()
        await ask()
        times.append(time.perf_counter() - began)
    return statistics.median(times) * US_PER_S


def _through(app: ASGIApp, method: str) -> Callable[[], Awaitable[None]]:
    async def ask() -> None:
        await app(_scope("/v1/models", method), _received, _sent)

    return ask


def _guarded(files: Path) -> Callable[[], Awaitable[None]]:
    upload = files / "digest" / "a.wav"
    upload.parent.mkdir()
    upload.touch()
    file = {"path": str(upload), "orig_name": "a.wav", "meta": {"_type": "gradio.FileData"}}
    body = json.dumps({"data": [[file] * 5, "x" * 32], "fn_index": 7, "session_hash": "abc"}).encode()
    guard = GradioGuard(_discard, files=files, examples=files)

    async def received() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def ask() -> None:
        await guard(_scope("/gradio_api/queue/join", "POST"), received, _sent)

    return ask


async def _discard(_scope: Scope, receive: Any, _send: Any) -> None:
    await receive()


def _queued() -> Callable[[], Awaitable[None]]:
    slots = RunSlots(2, most_waiting=WAITING + 1)
    for number in range(WAITING):
        slots.ask(f"caller{number}")

    async def ask() -> None:
        slots.leave(slots.ask("one more"))

    return ask


async def measure(requests: int) -> dict[str, float]:
    """Medians in microseconds a request, and their sum in milliseconds."""
    figures = {}
    for method in ("GET", "POST"):
        without, behind = [await _median_us(_through(app, method), requests) for app in (_plain(), _behind_middleware())]
        figures[f"middleware_{method.lower()}_us"] = behind - without
    with tempfile.TemporaryDirectory() as files:
        figures["gradio_guard_us"] = await _median_us(_guarded(Path(files)), requests)
    figures["queue_slot_us"] = await _median_us(_queued(), requests)
    figures["all_together_ms"] = (figures["middleware_post_us"] + figures["gradio_guard_us"] + figures["queue_slot_us"]) / 1000
    return figures


def main() -> None:
    """Measure, print, and write JSON where asked; fails over the budget."""
    parser = figures_parser("middleware", __doc__)
    parser.add_argument("--requests", type=int, default=3000)
    arguments = parser.parse_args()
    with tempfile.TemporaryFile("w", encoding="utf-8") as log:
        handler = logging.StreamHandler(log)
        handler.setFormatter(JsonLines())
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        figures = {name: round(value, 3) for name, value in asyncio.run(measure(arguments.requests)).items()}
    for name, value in figures.items():
        print(f"{name:24} {value}")
    write_figures(arguments.json, figures)
    if figures["all_together_ms"] > BUDGET_MS:
        raise SystemExit(f"the middleware costs {figures['all_together_ms']} ms a request; the budget is {BUDGET_MS} ms")


if __name__ == "__main__":
    main()
