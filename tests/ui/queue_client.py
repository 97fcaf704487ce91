"""A page's queue of recordings as the page's script asks for it: its routes over ASGI, without a server; and waiting for its runs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from engine.options import TranscribeOptions
from tests.waiting import until
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.recording_queue import RecordingQueue
from ui.transcribe.queue_routes import queue_routes

#: Ids of two pages' queues.
OURS, OTHERS = "a" * 32, "b" * 32


class QueueClient:
    """Requests to the routes of the queues, as the script makes them."""

    def __init__(self, runner: QueueRunner) -> None:
        self._app = FastAPI()
        self._app.include_router(queue_routes(runner))

    def __call__(self, path: str, *, method: str = "GET", queue: str = OURS, language: str = "en", **options: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://page", headers={"accept-language": language}) as client:
                return await client.request(method, f"/recordings/{queue}{path}", **options)

        return asyncio.run(ask())

    def post(self, path: str, **options: Any) -> httpx.Response:
        return self(path, method="POST", **options)


def wait(queue: RecordingQueue) -> None:
    """Wait until nothing of the queue waits or runs."""
    until(lambda: not queue.active)


def transcribed(runner: QueueRunner, queue: RecordingQueue, path: Path, *names: str) -> list[str]:
    """Add the recording under each of these names and wait for the transcripts: the ids of the entries."""
    ids = [queue.add(path, name).id for name in names]
    runner.submit(queue, TranscribeOptions())
    wait(queue)
    return ids
