"""A file that arrives in pieces: it goes on where it stopped, also in another process, and has its final name only when it is whole."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from pathlib import Path

log = logging.getLogger(__name__)

#: Waits after a lost connection; any byte that comes starts them again.
PAUSES_S = (1.0, 2.0, 4.0, 8.0, 8.0)

#: Opens the stream from a byte on: -> (the byte it really starts with, its pieces). A server may start at 0 whatever it was asked.
OpenAt = Callable[[int], AbstractContextManager[tuple[int, Iterable[bytes]]]]


def bring(
    open_at: OpenAt,
    target: Path,
    *,
    size_bytes: int,
    version: str,
    on_bytes: Callable[[int], None],
    lost: tuple[type[Exception], ...],
) -> None:
    """Write ``size_bytes`` to ``target`` by way of ``NAME.VERSION.partial`` beside it, which is kept when this stops.

    ``version`` keeps the pieces of two versions apart. ``lost`` are the errors of a broken connection: the last of six in a row is raised.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f"{target.name}.{version}.partial")
    partial.touch()
    held = partial.stat().st_size
    if held > size_bytes:
        held = 0
    on_bytes(held)
    failures = 0
    while held < size_bytes:
        before = held
        try:
            with open_at(held) as (start, pieces), partial.open("r+b") as handle:
                handle.seek(start)
                handle.truncate()
                held = start
                for piece in pieces:
                    handle.write(piece)
                    held += len(piece)
                    on_bytes(len(piece))
                    if held > size_bytes:
                        break  # whoever checks the sum will say so
            error: Exception | None = None
        except lost as caught:
            error = caught
        failures = 0 if held > before else failures + 1
        if held >= size_bytes:
            break
        if failures > len(PAUSES_S):
            raise error or ConnectionError(f"{target.name} ends after {held} of {size_bytes} bytes")
        log.warning("%s: the connection was lost after %d of %d bytes, going on from there", target.name, held, size_bytes)
        time.sleep(PAUSES_S[max(0, failures - 1)])
    partial.replace(target)
