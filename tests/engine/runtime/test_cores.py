"""Threads of a session: physical cores, no more than affinity and quota grant."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.runtime.cores import default_threads, physical_cores, quota_cores


def write(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="ascii")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """Four cores of two siblings each: processors 0 and 4 are one core, 1 and 5 the next."""
    for number in range(8):
        write(tmp_path, f"sys/devices/system/cpu/cpu{number}/topology/thread_siblings_list", f"{number % 4},{number % 4 + 4}")
    return tmp_path


@pytest.mark.parametrize(("allowed", "cores"), [(range(8), 4), ({0, 4}, 1), ({0, 1}, 2), ({0, 1, 5}, 2), ({7}, 1)])
def test_siblings_of_a_core_count_once(machine: Path, allowed: set[int], cores: int) -> None:
    assert physical_cores(allowed, machine) == cores


def test_where_the_topology_is_unknown_no_more_than_the_processors_count(tmp_path: Path) -> None:
    assert physical_cores({0}, tmp_path) == 1
    assert 1 <= physical_cores(range(10_000), tmp_path) <= 10_000


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, None),
        ({"sys/fs/cgroup/cpu.max": "max 100000"}, None),
        ({"sys/fs/cgroup/cpu.max": "150000 100000"}, 1.5),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "400000 100000", "sys/fs/cgroup/a/cpu.max": "200000 100000"}, 2.0),
        ({"proc/self/cgroup": "0::/a/b", "sys/fs/cgroup/a/b/cpu.max": "100000 100000", "sys/fs/cgroup/a/cpu.max": "max 100000"}, 1.0),
        ({"proc/self/cgroup": "0::/../outside", "sys/fs/cgroup/cpu.max": "300000 100000"}, 3.0),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "50000", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, 0.5),
        ({"sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000"}, None),
        ({"sys/fs/cgroup/cpu.max": "nonsense"}, None),
    ],
)
def test_the_strictest_quota_counts(tmp_path: Path, files: dict[str, str], cores: float | None) -> None:
    for name, text in files.items():
        write(tmp_path, name, text)
    assert quota_cores(tmp_path) == cores


@pytest.mark.parametrize(("quota", "threads"), [("max", 4), ("800000", 4), ("250000", 2), ("50000", 1)])
def test_threads_are_whole_cores_of_the_quota(machine: Path, monkeypatch: pytest.MonkeyPatch, quota: str, threads: int) -> None:
    monkeypatch.setattr("engine.runtime.cores.allowed_processors", lambda: frozenset(range(8)))
    write(machine, "sys/fs/cgroup/cpu.max", f"{quota} 100000")
    assert default_threads(machine) == threads


def test_threads_of_this_machine_stay_within_what_is_allowed() -> None:
    assert 1 <= default_threads() <= len(os.sched_getaffinity(0))
