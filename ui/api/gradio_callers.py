"""Whether the client of a Gradio listener is still connected, as Gradio's queue knows it."""

from __future__ import annotations

import asyncio

from gradio.context import LocalContext

#: How often a waiting or running call checks whether its client is still connected.
CHECK_EVERY_S = 0.25


def has_left(session_hash: str | None) -> bool:
    """Whether the connection over which this session would get its answer was closed; False outside of a listener."""
    blocks = LocalContext.blocks.get(None)
    if blocks is None:
        return False
    jobs = [event for events in blocks._queue.active_jobs if events for event in events]  # noqa: SLF001 - there is no event for it
    own = [event for event in jobs if event.session_hash == session_hash]
    return bool(own) and not any(event.alive for event in own)


async def gone(session_hash: str | None) -> None:
    """Return when the session has left."""
    while not has_left(session_hash):  # noqa: ASYNC110 - Gradio has no event for it
        await asyncio.sleep(CHECK_EVERY_S)
