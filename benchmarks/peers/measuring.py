"""Runs contenders, each in a fresh process, alternating round after round: a machine is never quiet for long."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.peers.child import Task
from benchmarks.peers.contenders import OURS, PEERS, Contender
from benchmarks.peers.result import Row
from engine.bundle_roots import ROOT

log = logging.getLogger(__name__)

CHILD_LIMIT_S = 1200.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How much is measured: rounds of processes, and in how many of them the long file and the callers are."""

    folder: Path
    file: Path
    peers_python: Path
    threads: int
    rounds: int
    whole_rounds: int
    repeats: int
    callers: int


def measure(contenders: Sequence[Contender], plan: Plan, *, after_round: Callable[[list[Row]], object] | None = None) -> list[Row]:
    """Every contender ``plan.rounds`` times, in turns; one that failed keeps its reason and is not tried again.

    ``after_round`` gets the rows so far, so that a run that is stopped leaves what it had measured.
    """
    rounds: dict[str, list[Mapping[str, float]]] = {contender.name: [] for contender in contenders}
    errors: dict[str, str] = {}
    for number in range(plan.rounds):
        # Every other round in reverse: the same contender must not always run after the one that heats the processor most.
        for contender in contenders if number % 2 == 0 else tuple(reversed(contenders)):
            if contender.name in errors:
                continue
            started = time.monotonic()
            found, error = _run(contender, plan, whole=number < plan.whole_rounds)
            if error is None:
                rounds[contender.name].append(found)
            else:
                errors[contender.name] = error
            log.info("round %d: %s: %s (%.0f s)", number + 1, contender.name, error or "measured", time.monotonic() - started)
        if after_round is not None:
            after_round(_rows(contenders, plan, rounds, errors))
    return _rows(contenders, plan, rounds, errors)


def _rows(
    contenders: Sequence[Contender], plan: Plan, rounds: Mapping[str, list[Mapping[str, float]]], errors: Mapping[str, str]
) -> list[Row]:
    return [
        Row(
            name=contender.name,
            precision=contender.precision,
            size_mb=contender.size_mb(plan.folder),
            rounds=tuple(rounds[contender.name]),
            error=errors.get(contender.name),
        )
        for contender in contenders
    ]


def _run(contender: Contender, plan: Plan, *, whole: bool) -> tuple[Mapping[str, float], str | None]:
    """One process: its figures, or why there are none."""
    python = {OURS: sys.executable, PEERS: str(plan.peers_python)}[contender.python]
    with tempfile.TemporaryDirectory(prefix="lightvoice-peers-") as temporary:
        result = Path(temporary) / "figures.json"
        task = Task(
            folder=str(plan.folder),
            adapter=contender.adapter,
            model=contender.model,
            threads=plan.threads,
            repeats=plan.repeats,
            callers=plan.callers if whole else 0,
            file=str(plan.file) if whole else "",
            result=str(result),
            started_s=time.monotonic(),
        )
        # Torch and OpenVINO's oneDNN take their threads from OpenMP where nothing else tells them.
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": str(plan.threads)}
        command = [python, "-W", "ignore", "-m", "benchmarks.peers.child", task.to_json()]
        try:
            done = subprocess.run(  # noqa: S603 - a Python that the caller named, our own program
                command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=CHILD_LIMIT_S
            )
        except subprocess.TimeoutExpired:
            return {}, f"it did not finish within {CHILD_LIMIT_S:.0f} s"
        except OSError as error:
            return {}, f"its Python cannot be started ({error.strerror})"
        outcome = json.loads(result.read_text(encoding="utf-8")) if result.exists() else {}
    if "figures" in outcome:
        return outcome["figures"], None
    said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
    how = f"ended by signal {-done.returncode}" if done.returncode < 0 else f"ended with {done.returncode}"
    return {}, outcome.get("error") or f"its process {how}: {said[-1] if said else 'it said nothing'}"
