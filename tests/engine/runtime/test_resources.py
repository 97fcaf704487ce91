"""Resources and advice."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

import engine.runtime.resources as resources_module
from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.runtime.advisor import advise
from engine.runtime.core_plan import CorePlan
from engine.runtime.resources import ResourceMeter
from engine.runtime.session_pool import Precision


def test_a_busy_process_shows_its_cpu() -> None:
    meter = ResourceMeter()
    meter.read([], last_rtf=None)
    sum(index * index for index in range(3_000_000))
    values = meter.read([], last_rtf=0.0123456)
    assert values["cpu_percent"] > 10
    assert values["last_rtf"] == 0.01235
    assert values["sessions"] == []


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("NVIDIA H200, 1000, 2000\n", {"name": "NVIDIA H200", "used_mb": 1049, "total_mb": 2097}),
        ("No devices were found\n", None),
        ("", None),
    ],
)
def test_the_gpu_is_read_or_absent_and_not_asked_every_time(monkeypatch: pytest.MonkeyPatch, answer: str, expected: Any) -> None:
    asked: list[Any] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        asked.append(command)
        return subprocess.CompletedProcess(command, 0, stdout=answer)

    monkeypatch.setattr(resources_module.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(resources_module.subprocess, "run", run)
    meter = ResourceMeter()
    assert [meter.read([], last_rtf=None)["gpu"] for _ in range(3)] == [expected] * 3
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("flags", "memory_mb", "gpu", "precision", "codes"),
    [
        ({"avx512_vnni"}, 16_000, None, "int8", ["int8_instructions", "enough_memory"]),
        ({"avx2"}, 16_000, None, "fp32", ["no_int8_instructions", "enough_memory"]),
        ({"avx2"}, 2_000, None, "int8", ["no_int8_instructions", "small_memory"]),
        ({"asimddp"}, 2_000, None, "int8", ["int8_instructions", "small_memory"]),
        (set(), 16_000, None, "int8", ["unknown_processor", "enough_memory"]),
        ({"avx512_vnni"}, 16_000, "H200", "fp32", ["gpu", "int8_instructions", "enough_memory"]),
    ],
)
def test_advice_follows_the_machine(flags: set[str], memory_mb: float, gpu: str | None, precision: str, codes: list[str]) -> None:
    advice = advise(flags=frozenset(flags), memory_mb=memory_mb, gpu=gpu, plan=CorePlan.of(cores=4, memory_mb=16_000))
    assert advice.precision is Precision(precision)
    assert [reason.code for reason in advice.reasons] == [*codes, "cores"]
    assert str(advice).startswith(f"{precision}: ")
    assert "{" not in str(advice)


@pytest.mark.parametrize(("cores", "said"), [(1, "one core"), (8, "8 runs compute side by side on 8 threads")])
def test_advice_says_how_the_cores_are_divided(cores: int, said: str) -> None:
    assert said in str(advise(flags=frozenset(), memory_mb=16_000, plan=CorePlan.of(cores=cores, memory_mb=16_000)))


def test_the_engine_says_how_its_cores_are_divided(tiny_bundle: Path) -> None:
    engine = Engine(Bundle.load(tiny_bundle), threads=3)
    expected = {"cores": 3, "threads": 3, "runs": 3, "decided_by": "asked", "running": 0, "waiting": 0}
    assert engine.resources()["cores"] == expected
    assert (engine.threads, engine.core_plan.runs, engine.recordings_at_once) == (3, 3, 4)
    assert Engine(Bundle.load(tiny_bundle), threads=1).recordings_at_once == 1


def test_this_machine_gets_an_answer() -> None:
    assert advise().precision in set(Precision)
