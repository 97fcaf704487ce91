"""A run in its turn, for coroutines: wait for a place, run in a thread, and stop when whoever asked has left.

While a run waits and runs, nothing of it is on the event loop but a look-out for the caller: when the caller leaves, a waiting
run gives its place in the line up at once, and one that runs stops at its next step; then its place is free.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, TypeVar

from starlette.requests import Request

from engine.audio.waveform import CancelCheck
from ui.scheduling.run_slots import RunSlots, Ticket

Answer = TypeVar("Answer")


class CallerLeftError(Exception):
    """The caller left while its run waited or ran; nobody is there to be told."""


async def in_turn(slots: RunSlots, caller: str, gone: Coroutine[Any, Any, object], run: Callable[[CancelCheck], Answer]) -> Answer:
    """What ``run`` returns or raises; CallerLeftError once the caller has left, LineFullError and StoppingError without a place.

    ``gone`` returns when the caller has left; ``run`` works in a thread and calls the cancel check that it is given between its steps.
    """
    left = threading.Event()

    def cancel_check() -> None:
        if left.is_set():
            raise CallerLeftError

    lookout = asyncio.ensure_future(gone)
    running: asyncio.Task[Answer] | None = None
    ticket = slots.ask(caller)
    try:
        granted = asyncio.wrap_future(ticket)
        awaited: set[asyncio.Future[Any]] = {granted, lookout}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if not granted.done():
            granted.add_done_callback(_unheard)
            raise CallerLeftError
        granted.result()
        running = asyncio.create_task(asyncio.to_thread(run, cancel_check))
        await asyncio.wait({running, lookout}, return_when=asyncio.FIRST_COMPLETED)
        if lookout.done():
            left.set()
        await asyncio.wait({running})  # to its end: its place is not free before
        return running.result()
    finally:
        left.set()
        lookout.cancel()
        if running is None or running.done():
            slots.leave(ticket)
        else:  # we were cancelled, and a thread is not: its place is free when it has come to its next step
            running.add_done_callback(partial(_leave_unheard, slots, ticket))


async def hung_up(request: Request) -> None:
    """Return when the client has left; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _leave_unheard(slots: RunSlots, ticket: Ticket, running: asyncio.Task[Any]) -> None:
    slots.leave(ticket)
    _unheard(running)


def _unheard(ended: asyncio.Future[Any]) -> None:
    """What is raised after its caller has left is told to nobody."""
    if not ended.cancelled():
        ended.exception()
