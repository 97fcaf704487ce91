"""The plan of cores: threads and runs from cores, quota, memory and what is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.bundle_roots import ROOT
from engine.runtime.core_plan import CorePlan
from engine.runtime.cores import memory_limit_mb
from engine.runtime.planned_cores import LOOK_EVERY_S, PlannedCores


@pytest.mark.parametrize(
    ("cores", "quota", "memory_mb", "threads", "runs", "decided_by"),
    [
        (1, None, 16_000, 1, 1, "cores"),
        (2, None, 16_000, 2, 2, "cores"),
        (4, None, 16_000, 4, 4, "cores"),
        (8, None, 16_000, 8, 8, "cores"),
        (16, None, 16_000, 16, 16, "cores"),
        (16, None, 64_000, 16, 16, "cores"),
        (8, 0.5, 16_000, 1, 1, "quota"),
        (8, 2.5, 16_000, 2, 2, "quota"),
        (2, 2.0, 16_000, 2, 2, "cores"),
        (4, None, 1_000, 4, 2, "memory"),
        (4, None, 300, 4, 1, "memory"),
        (1, None, 100, 1, 1, "cores"),
    ],
)
def test_threads_and_runs_follow_the_machine(
    cores: int, quota: float | None, memory_mb: float, threads: int, runs: int, decided_by: str
) -> None:
    plan = CorePlan.of(cores=cores, quota=quota, memory_mb=memory_mb)
    assert (plan.threads, plan.runs, plan.decided_by) == (threads, runs, decided_by)


@pytest.mark.parametrize(("waiting", "each"), [(0, 8), (1, 8), (2, 4), (3, 2), (8, 1), (64, 1)])
def test_a_run_gets_the_fewer_threads_the_more_wait(waiting: int, each: int) -> None:
    assert CorePlan.of(cores=8, memory_mb=16_000).threads_each(waiting) == each


def test_threads_that_are_asked_for_stand_for_the_cores() -> None:
    assert CorePlan.of(threads=3, memory_mb=16_000) == CorePlan(cores=3, threads=3, runs=3, decided_by="asked")


def test_vad_takes_no_more_than_two_threads() -> None:
    plan = CorePlan.of(cores=8, memory_mb=16_000)
    assert (plan.model_threads("asr"), plan.model_threads("vad")) == (8, 2)
    assert CorePlan.of(cores=1, memory_mb=16_000).model_threads("vad") == 1


def test_this_machine_has_a_plan() -> None:
    plan = CorePlan.of()
    assert 1 <= plan.runs <= plan.threads <= plan.cores


@pytest.mark.parametrize(("text", "limited"), [("max", False), ("nonsense", False), ("500000000", True)])
def test_the_memory_of_the_control_group_counts(tmp_path: Path, text: str, limited: bool) -> None:
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text(text + "\n", encoding="ascii")
    assert (memory_limit_mb(tmp_path) == 500) == limited


class Machine:
    """A machine whose quota changes, and a clock."""

    def __init__(self, *cores: int) -> None:
        self.cores, self.now_s, self.looks = list(cores), 0.0, 0

    def plan(self, *, threads: int | None) -> CorePlan:
        self.looks += 1
        cores = threads or self.cores.pop(0)
        return CorePlan(cores=cores, threads=cores, runs=cores, decided_by="cores")


def test_a_quota_that_changes_changes_the_runs_side_by_side() -> None:
    machine = Machine(4, 1, 1, 2)
    cores = PlannedCores(clock_s=lambda: machine.now_s, plan=machine.plan)
    numbers: list[int] = []
    for _ in range(6):
        cores.slots.ask(object(), numbers.append)
    assert numbers == [0, 1, 2, 3]
    cores.refresh()  # looked a moment ago
    assert (machine.looks, cores.slots.count) == (1, 4)
    for count in (1, 1, 2):
        machine.now_s += LOOK_EVERY_S
        cores.refresh()
        assert (cores.slots.count, cores.plan.runs) == (count, count)
    for number in (0, 1, 2, 3):
        cores.slots.leave(number)
    assert len(numbers) == 6  # what waited under the smaller quota has come too


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no affinity")
def test_a_process_that_may_use_one_processor_plans_for_one_core() -> None:
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from engine.runtime.core_plan import CorePlan; print(CorePlan.of())"
    )
    said = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "cores=1, threads=1, runs=1" in said
