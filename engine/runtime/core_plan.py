"""How an engine divides the processor: threads of a session, and how many of its graph runs there are side by side.

One session serves both a lone clip and many: as many threads as there are cores, and as many runs. A run that is alone computes on
all of them; where several wait each takes one thread of its own, and threads that have nothing of their own to do help the others.
So what a run gets follows from how many wait, at every operator anew, and no session is opened twice (docs/cores.md has the
measurements).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.runtime.cores import SYSTEM, allowed_processors, memory_limit_mb, physical_cores, quota_cores

#: What the largest tensors of one run take for the longest segment, half a minute, at full size (docs/cores.md).
ACTIVATIONS_MB = 100.0
#: The share of the machine's memory that runs side by side may take for them.
ACTIVATIONS_SHARE = 0.25
#: VAD is a hundredth of the work, in tensors too small to share among more threads.
MOST_VAD_THREADS = 2


@dataclass(frozen=True)
class CorePlan:
    """``threads`` of each session, ``runs`` side by side at most, and what decided: cores, quota, memory, or what was asked for."""

    cores: int
    threads: int
    runs: int
    decided_by: str

    @classmethod
    def of(
        cls,
        *,
        threads: int | None = None,
        cores: int | None = None,
        quota: float | None = None,
        memory_mb: float | None = None,
        root: Path = SYSTEM,
    ) -> CorePlan:
        """The plan for this machine as it is now, or for one described by the arguments.

        ``threads`` are asked for by a person and stand for the cores. ``quota`` counts beside ``cores`` alone.
        """
        described = cores is not None or threads is not None
        if cores is None:
            cores = physical_cores(allowed_processors(), root)
        if not described:
            quota = quota_cores(root)
        if memory_mb is None:
            memory_mb = memory_limit_mb(root)
        if threads is not None:
            cores, most, decided_by = threads, threads, "asked"
        elif quota is not None and int(quota) < cores:
            # Half a core too many makes every thread wait for the one that the quota stopped: rounded down.
            most, decided_by = max(1, int(quota)), "quota"
        else:
            most, decided_by = cores, "cores"
        fitting = max(1, int(memory_mb * ACTIVATIONS_SHARE / ACTIVATIONS_MB))
        runs = min(most, fitting)
        return cls(cores=cores, threads=most, runs=runs, decided_by="memory" if runs < most else decided_by)

    def threads_each(self, waiting: int) -> int:
        """The threads that each of so many runs gets where they wait together."""
        return max(1, self.threads // max(1, min(waiting, self.runs)))

    def model_threads(self, model: str) -> int:
        """The threads of a session of ``asr`` or ``vad``."""
        return min(self.threads, MOST_VAD_THREADS) if model == "vad" else self.threads
