"""Several pieces of work side by side, and what they gave in the order in which they were asked for."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")
#: Called between the steps of a piece of work; raises where nobody waits for it any more.
StillWanted = Callable[[], None]


class UnwantedError(Exception):
    """Nobody waits for the piece of work any more."""


def in_order(pieces: Iterable[Piece], work: Callable[[Piece, StillWanted], Result], *, at_once: int) -> Iterator[Result]:
    """What ``work`` gives for each of the pieces, in their order; ``at_once`` of them are worked on, the rest waits.

    What one of them raises is raised in its place. Where the iteration ends before the last one, by that or otherwise, those that
    are being worked on are told so by their check, and have ended when it has.
    """
    unwanted = threading.Event()

    def still_wanted() -> None:
        if unwanted.is_set():
            raise UnwantedError

    left = iter(pieces)
    with ThreadPoolExecutor(at_once, thread_name_prefix="lightvoice-file") as threads:
        begun: deque[Future[Result]] = deque()
        try:
            while True:
                begun += [threads.submit(work, piece, still_wanted) for piece in islice(left, at_once - len(begun))]
                if not begun:
                    return
                yield begun.popleft().result()
        finally:
            unwanted.set()
