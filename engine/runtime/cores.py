"""What a model may compute with: physical cores within this process's affinity and its control group's quota, and memory."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from engine.files.sizes import BYTES_PER_MB

SYSTEM = Path("/")


def default_threads(root: Path = SYSTEM) -> int:
    """The default number of a session's threads: the physical cores that this process may use, at least one.

    Two siblings of one core (SMT) share its multipliers: a second thread there costs memory bandwidth and gains nothing.
    """
    cores = physical_cores(allowed_processors(), root)
    quota = quota_cores(root)
    # Half a core too many makes every thread wait for the one that the quota stopped: rounded down.
    return max(1, cores if quota is None else min(cores, int(quota)))


def allowed_processors() -> frozenset[int]:
    """The logical processors that this process may run on; all of them where the system does not say."""
    if hasattr(os, "sched_getaffinity"):
        return frozenset(os.sched_getaffinity(0))
    return frozenset(range(os.cpu_count() or 1))


def physical_cores(processors: Iterable[int], root: Path = SYSTEM) -> int:
    """How many physical cores these logical processors lie on."""
    numbers = set(processors)
    siblings = [_read(root / f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list") for number in numbers]
    known = {found for found in siblings if found}
    if known and all(siblings):
        return len(known)
    return max(1, min(psutil.cpu_count(logical=False) or len(numbers), len(numbers)))


def quota_cores(root: Path = SYSTEM) -> float | None:
    """The cores that the control group grants, its parents' quotas among them: 1.5 for three halves; None without a quota."""
    quotas = [quota for quota in (*_quotas_of_version_2(root), _quota_of_version_1(root)) if quota is not None]
    return min(quotas, default=None)


def memory_limit_mb(root: Path = SYSTEM) -> float:
    """The machine's memory in MB, or what the control group grants of it."""
    limits = [int(text) for text in (_read(folder / "memory.max") for folder in _groups_of_version_2(root)) if text.isdigit()]
    return min([psutil.virtual_memory().total, *limits]) / BYTES_PER_MB


def _groups_of_version_2(root: Path) -> Iterable[Path]:
    """The folders from this process's own group up to the root of the tree; within a container the root is its own group."""
    top = root / "sys/fs/cgroup"
    own = next((line.partition("::")[2].strip("/") for line in _read(root / "proc/self/cgroup").splitlines() if line.startswith("0::")), "")
    folder = top / own
    while folder.is_relative_to(top):
        yield folder
        folder = folder.parent


def _quotas_of_version_2(root: Path) -> Iterable[float | None]:
    for folder in _groups_of_version_2(root):
        yield _ratio(*_read(folder / "cpu.max").split()[:2])


def _quota_of_version_1(root: Path) -> float | None:
    folder = root / "sys/fs/cgroup/cpu"
    return _ratio(_read(folder / "cpu.cfs_quota_us"), _read(folder / "cpu.cfs_period_us"))


def _ratio(quota: str = "", period: str = "") -> float | None:
    """Microseconds of computing in a period, as text: -> cores; None for "max", for -1, and for files that are not there."""
    try:
        cores = int(quota) / int(period)
    except (ValueError, ZeroDivisionError):
        return None
    return cores if cores > 0 else None


def _read(path: Path) -> str:
    """A small file of the kernel's; empty where it does not exist."""
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""
