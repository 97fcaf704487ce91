"""The machine that figures are taken on."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

from engine.runtime.resources import total_memory_mb
from engine.runtime.session import cpu_flags

#: Flags that decide how fast 8-bit products are and how they round.
TELLING_FLAGS = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "amx_int8", "asimddp", "i8mm")


@dataclass(frozen=True, kw_only=True)
class Machine:
    """Where and when the figures were taken."""

    cpu: str
    physical_cores: int
    logical_cores: int
    flags: tuple[str, ...]
    memory_mb: int
    system: str
    python: str
    onnxruntime: str
    when: str

    def __str__(self) -> str:
        flags = " ".join(self.flags) or "no 8-bit instructions"
        return (
            f"{self.cpu}, {self.physical_cores} cores ({self.logical_cores} logical), {flags}, {self.memory_mb} MB, {self.system}, "
            f"Python {self.python}, ONNX Runtime {self.onnxruntime}, {self.when}"
        )


def this_machine() -> Machine:
    """The machine that this process runs on."""
    flags = cpu_flags()
    logical = psutil.cpu_count() or 1
    return Machine(
        cpu=_cpu_name(),
        physical_cores=psutil.cpu_count(logical=False) or logical,
        logical_cores=logical,
        flags=tuple(flag for flag in TELLING_FLAGS if flag in flags),
        memory_mb=round(total_memory_mb()),
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        onnxruntime=_onnxruntime_version(),
        when=datetime.now(UTC).date().isoformat(),
    )


def _cpu_name() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _onnxruntime_version() -> str:
    for name in ("onnxruntime-gpu", "onnxruntime"):
        try:
            return f"{metadata.version(name)} ({name})"
        except metadata.PackageNotFoundError:
            continue
    return "of unknown version"
