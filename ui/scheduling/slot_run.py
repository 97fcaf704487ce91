"""A run in a queue slot, for coroutines: wait for a slot, run in a thread, and stop when the caller has disconnected.

A waiting run whose caller has left gives up its place in the queue at once; one that runs stops at its next cancel check, and its
slot is free then.
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
    """The caller left while its run waited or ran; nobody reads the answer."""


async def run_in_slot(slots: RunSlots, caller: str, gone: Coroutine[Any, Any, object], run: Callable[[CancelCheck], Answer]) -> Answer:
    """What ``run`` returns or raises; CallerLeftError once the caller has left, LineFullError and StoppingError without a slot.

    ``gone`` returns when the caller has left; ``run`` works in a thread and calls the cancel check that it is given between its steps.
    """
    left = threading.Event()

    def cancel_check() -> None:
        if left.is_set():
            raise CallerLeftError

    departure = asyncio.ensure_future(gone)
    running: asyncio.Task[Answer] | None = None
    ticket = slots.ask(caller)
    try:
        granted = asyncio.wrap_future(ticket)
        awaited: set[asyncio.Future[Any]] = {granted, departure}
        await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
        if not granted.done():
            granted.add_done_callback(_drop_result)
            raise CallerLeftError
        granted.result()
        running = asyncio.create_task(asyncio.to_thread(run, cancel_check))
        await asyncio.wait({running, departure}, return_when=asyncio.FIRST_COMPLETED)
        if departure.done():
            left.set()
        await asyncio.wait({running})  # to its end: its slot is not free before
        return running.result()
    finally:
        left.set()
        departure.cancel()
        if running is None or running.done():
            slots.leave(ticket)
        else:  # we were cancelled, but a thread is not: its slot is free when it has come to its next step
            running.add_done_callback(partial(_leave_slot, slots, ticket))


async def hung_up(request: Request) -> None:
    """Return when the client has left; the body must have been read."""
    while (await request.receive())["type"] != "http.disconnect":
        continue


def _leave_slot(slots: RunSlots, ticket: Ticket, running: asyncio.Task[Any]) -> None:
    slots.leave(ticket)
    _drop_result(running)


def _drop_result(ended: asyncio.Future[Any]) -> None:
    """Read an error that nobody is left to get, so that asyncio does not log it."""
    if not ended.cancelled():
        ended.exception()
