"""Polling with a bound: the one place where tests sleep. A test waits for the event itself, never for a time in which it should come."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TypeVar

#: The machine may be busy; where the event comes, no test waits this long.
WAIT_S = 60.0
PAUSE_S = 0.01

Value = TypeVar("Value")


def until(condition: Callable[[], Value], *, within_s: float = WAIT_S) -> Value:
    """The first true value of ``condition``; AssertionError with its last value if there is none ``within_s``."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"still {value!r} after {within_s:g} s"
        time.sleep(PAUSE_S)
    return value


async def until_async(condition: Callable[[], Value], *, within_s: float = WAIT_S) -> Value:
    """As :func:`until`, while the event loop runs on."""
    deadline_s = time.monotonic() + within_s
    while not (value := condition()):
        assert time.monotonic() < deadline_s, f"still {value!r} after {within_s:g} s"
        await asyncio.sleep(PAUSE_S)
    return value
