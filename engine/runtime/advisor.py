"""Which precision suits this machine, and why: from CPU flags, memory and GPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.runtime.core_plan import CorePlan
from engine.runtime.resources import ResourceMeter, total_memory_mb
from engine.runtime.session import cpu_flags
from engine.runtime.session_pool import Precision

#: Below this much memory the FP32 sessions of SenseVoice-Small (about 1.1 GB resident) crowd everything else out.
SMALL_MEMORY_MB = 4_000

_ENGLISH = {
    "int8_instructions": "the processor multiplies 8-bit integers natively ({flags}), so INT8 is faster than FP32",
    "no_int8_instructions": "the processor has no 8-bit integer instructions: INT8 saves memory but little time",
    "unknown_processor": "the processor's features cannot be read here; INT8 saves memory in any case",
    "small_memory": "{memory_mb} MB of memory are few for FP32",
    "enough_memory": "{memory_mb} MB of memory hold either precision",
    "gpu": "a GPU is present ({gpu}); INT8 is a CPU precision and would be slower on it",
    "cores": "{runs} runs compute side by side on {threads} threads; one that is alone takes them all",
    "one_core": "one core: runs follow each other",
}


@dataclass(frozen=True)
class Reason:
    """One reason as a code with its values, so that a page can say it in its own language."""

    code: str
    values: Mapping[str, str | int]

    def __str__(self) -> str:
        return _ENGLISH[self.code].format(**self.values)


@dataclass(frozen=True)
class Advice:
    """The precision that suits this machine, and the reasons."""

    precision: Precision
    reasons: tuple[Reason, ...]

    def __str__(self) -> str:
        return f"{self.precision.value}: " + "; ".join(str(reason) for reason in self.reasons)


def advise(
    *, flags: frozenset[str] | None = None, memory_mb: float | None = None, gpu: str | None = None, plan: CorePlan | None = None
) -> Advice:
    """Advice for this machine, or for one described by the arguments."""
    plan = plan or CorePlan.of()
    if flags is None:
        flags = cpu_flags()
        if gpu is None:
            found = ResourceMeter().read([], last_rtf=None)["gpu"]
            gpu = None if found is None else str(found["name"])
    memory = int(total_memory_mb() if memory_mb is None else memory_mb)
    fast = sorted(flags & {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp", "i8mm"})
    if fast:
        reasons = [Reason("int8_instructions", {"flags": ", ".join(fast)})]
    elif flags:
        reasons = [Reason("no_int8_instructions", {})]
    else:
        reasons = [Reason("unknown_processor", {})]
    small = memory < SMALL_MEMORY_MB
    reasons.append(Reason("small_memory" if small else "enough_memory", {"memory_mb": memory}))
    reasons.append(Reason("cores", {"runs": plan.runs, "threads": plan.threads}) if plan.runs > 1 else Reason("one_core", {}))
    if gpu is not None and not small:
        return Advice(Precision.FP32, (Reason("gpu", {"gpu": gpu}), *reasons))
    return Advice(Precision.INT8 if fast or small or not flags else Precision.FP32, tuple(reasons))
