"""The cores of an engine: the plan for them, the slots and the threads that keep to it, and the look whether it still holds."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from engine.runtime.core_plan import CorePlan
from engine.runtime.core_slots import CoreSlots
from engine.runtime.slot_tasks import SlotWorkers

log = logging.getLogger(__name__)

#: A quota or an affinity that changes counts from the next recording on that begins so long after the last look.
LOOK_EVERY_S = 5.0


class PlannedCores:
    """Shared by all sessions and requests of an engine; thread-safe. ``threads`` as for :meth:`CorePlan.of`."""

    def __init__(
        self,
        *,
        threads: int | None = None,
        clock_s: Callable[[], float] = time.monotonic,
        plan: Callable[..., CorePlan] = CorePlan.of,
    ) -> None:
        self._threads, self._clock_s, self._make = threads, clock_s, plan
        self._lock = threading.Lock()
        self._plan = plan(threads=threads)
        self._looked_s = clock_s()
        self.workers = SlotWorkers(CoreSlots(self._plan.runs))

    @property
    def plan(self) -> CorePlan:
        """The plan in force."""
        return self._plan

    @property
    def slots(self) -> CoreSlots:
        """What the graph runs wait for."""
        return self.workers.slots

    def refresh(self) -> None:
        """Follow the machine: another number of runs side by side; open sessions keep the threads that they have."""
        with self._lock:
            now_s = self._clock_s()
            if now_s - self._looked_s < LOOK_EVERY_S:
                return
            self._looked_s = now_s
            plan = self._make(threads=self._threads)
            changed, self._plan = plan != self._plan, plan
        if changed:
            log.info("the processor has changed: %d cores, %d runs side by side", plan.cores, plan.runs)
            self.slots.resize(plan.runs)
