"""How often one address may offer wrong credentials: a few at once, then one every few seconds."""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable

#: Wrong ones at once, and how long one of them is remembered.
AT_ONCE, FORGOTTEN_AFTER_S = 10, 6.0
#: Addresses that are remembered; the one that failed longest ago is forgotten first.
MOST_ADDRESSES = 10_000


class AttemptLimit:
    """Failed attempts by address; thread-safe."""

    def __init__(self, *, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._clock_s = clock_s
        self._lock = threading.Lock()
        #: Address -> failures that still count, and when that was so.
        self._failures: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, address: str) -> int:
        """Whole seconds until this address may try again; 0 for now."""
        with self._lock:
            over = self._counted(address) - AT_ONCE + 1
        return max(0, math.ceil(over * FORGOTTEN_AFTER_S))

    def failed(self, address: str) -> None:
        """Note a wrong attempt."""
        with self._lock:
            self._failures[address] = (self._counted(address) + 1, self._clock_s())
            self._failures.move_to_end(address)
            while len(self._failures) > MOST_ADDRESSES:
                self._failures.popitem(last=False)

    def _counted(self, address: str) -> float:
        count, at_s = self._failures.get(address, (0.0, 0.0))
        return max(0.0, count - (self._clock_s() - at_s) / FORGOTTEN_AFTER_S)
