"""The search behind accuracy-aware INT8: as many products in integers as a criterion allows.

All products are tried in INT8 first. If that costs too much, the blocks are ordered by what each costs alone (the divergence of a
graph with only this block in INT8), the costliest are restored to FP32 until the criterion holds, and then those that turn out not
to be needed go back to INT8. Trials, time limit and seed keep the meaning they have in Intel's Neural Compressor, which taught
people the terms.

Every trial is a line in a log; a search that was interrupted reads it and goes on.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import msgspec

from models.jobs.progress import report
from models.quantize.judge import Score
from models.quantize.ranges import CalibrationError

log = logging.getLogger(__name__)

#: Clips that a block's own cost is measured on.
SENSITIVITY_CLIPS = 4


class Metric(StrEnum):
    """What must not grow."""

    CER = "cer"
    DISAGREEMENT = "disagreement"
    DIVERGENCE = "divergence"


class Tolerance(StrEnum):
    """Whether a limit is a difference, or a share of FP32's own value."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


DEFAULT_LIMITS = {Metric.CER: 0.01, Metric.DISAGREEMENT: 0.02, Metric.DIVERGENCE: 0.02}


@dataclass(frozen=True, kw_only=True)
class Criterion:
    """Accept a graph whose metric is at most FP32's plus ``limit`` (absolute), or FP32's times 1 + ``limit`` (relative)."""

    metric: Metric
    limit: float
    tolerance: Tolerance = Tolerance.ABSOLUTE

    def __post_init__(self) -> None:
        if not self.limit >= 0:
            raise CalibrationError(f"criterion limit {self.limit} is negative; 0 asks for no loss at all")
        if self.tolerance is Tolerance.RELATIVE and self.metric is not Metric.CER:
            raise CalibrationError(f"{self.metric} of FP32 against itself is 0, so a relative limit means nothing; say absolute")

    def value(self, score: Score) -> float:
        """The metric of a score; CalibrationError where it was not measured."""
        value = getattr(score, self.metric)
        if value is None:
            raise CalibrationError("CER needs recordings with texts and trained weights; use the metric disagreement or divergence")
        return float(value)

    def accepts(self, score: Score, baseline: Score) -> bool:
        """Whether a graph is good enough."""
        allowed = self.limit if self.tolerance is Tolerance.ABSOLUTE else self.limit * self.value(baseline)
        return self.value(score) - self.value(baseline) <= allowed


@dataclass(frozen=True, kw_only=True)
class Budget:
    """When a search ends: after this many trials, or this much time."""

    max_trials: int = 30
    timeout_s: float = 3600.0


class Trial(msgspec.Struct, frozen=True, kw_only=True):
    """One choice of blocks that stay in float, and what it scored."""

    number: int
    in_float: tuple[str, ...]
    score: Score
    accepted: bool
    seconds: float


class TrialLog:
    """Trials and block costs of one search in a JSON Lines file, keyed by what was searched so that nothing else is resumed."""

    def __init__(self, path: Path, *, key: str) -> None:
        self.path, self.key = path, key
        self.known: dict[tuple[str, ...], dict[str, Any]] = {}
        self.costs: dict[str, float] = {}
        for entry in self._read():
            if entry.get("key") == key:
                if "block" in entry:
                    self.costs[entry["block"]] = float(entry["cost"])
                else:
                    self.known[tuple(entry["in_float"])] = entry
        if self.known or self.costs:
            log.info("resuming: %d trials and %d block costs in %s", len(self.known), len(self.costs), path)

    def _read(self) -> list[dict[str, Any]]:
        try:
            lines = self.path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        entries = []
        for line in lines:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # the line that was being written when the search was killed
            if isinstance(entry, dict):
                entries.append(entry)
        return entries

    def write(self, entry: Mapping[str, Any]) -> None:
        """Append a line and put it on the disk."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as handle:
            end = handle.seek(0, os.SEEK_END)
            handle.seek(max(0, end - 1))
            torn = end > 0 and handle.read(1) != b"\n"  # the line that a killed search was writing: it must not take this one along
            handle.write(b"\n" * torn)
            handle.write(json.dumps({"key": self.key, **entry}).encode() + b"\n")
            handle.flush()


def search_key(*parts: object) -> str:
    """A short name for one search: same graphs, same clips, same criterion."""
    return hashlib.sha256(json.dumps([str(part) for part in parts]).encode()).hexdigest()[:16]


@dataclass
class Search:
    """The greedy search over blocks; see the module's docstring.

    ``score(in_float, clips)`` judges the graph that keeps these blocks in float, on all clips where ``clips`` is None.
    """

    blocks: Sequence[str]
    score: Callable[[Collection[str], int | None], Score]
    baseline: Score
    criterion: Criterion
    budget: Budget
    trial_log: TrialLog
    trials: list[Trial] = field(default_factory=list)

    def __post_init__(self) -> None:
        """The clock starts."""
        self._started = time.monotonic()

    @property
    def exhausted(self) -> bool:
        """Whether no further trial may be made."""
        return len(self.trials) >= self.budget.max_trials or time.monotonic() - self._started > self.budget.timeout_s

    def run(self) -> Trial:
        """Search: -> the accepted trial with the fewest blocks in float, else the one with the best metric (``accepted`` is False)."""
        if not self._try(()).accepted and not self.exhausted:
            order = self._by_cost()
            restored = self._restore(order)
            if restored:
                self._give_back(restored)
        accepted = [trial for trial in self.trials if trial.accepted]
        if accepted:
            return min(accepted, key=lambda trial: len(trial.in_float))
        return min(self.trials, key=lambda trial: self.criterion.value(trial.score))

    def _try(self, in_float: Sequence[str]) -> Trial:
        chosen = tuple(sorted(in_float))
        made = next((trial for trial in self.trials if trial.in_float == chosen), None)
        if made is not None:
            return made
        known = self.trial_log.known.get(chosen)
        started = time.monotonic()
        score = Score(**known["score"]) if known else self.score(chosen, None)
        seconds = known["seconds"] if known else round(time.monotonic() - started, 2)
        accepted = self.criterion.accepts(score, self.baseline)
        trial = Trial(number=len(self.trials) + 1, in_float=chosen, score=score, accepted=accepted, seconds=seconds)
        if known is None:
            self.trial_log.write(msgspec.to_builtins(trial))
        self.trials.append(trial)
        verdict = "accepted" if accepted else "too much lost"
        metric, limit = self.criterion.metric, self.budget.max_trials
        log.info(
            "trial %d of %d: %d blocks in float, %s %.4f: %s", trial.number, limit, len(chosen), metric, getattr(score, metric), verdict
        )
        return trial

    def _by_cost(self) -> list[str]:
        """The blocks, the costliest in INT8 first."""
        for number, block in enumerate(self.blocks):
            if block in self.trial_log.costs:
                continue
            report(number / len(self.blocks), f"what {block} costs in INT8")
            if self.exhausted:
                log.warning("the time limit is reached: %d of %d blocks were measured", len(self.trial_log.costs), len(self.blocks))
                break
            cost = self.score([name for name in self.blocks if name != block], SENSITIVITY_CLIPS).divergence
            self.trial_log.costs[block] = cost
            self.trial_log.write({"block": block, "cost": cost})
        return sorted(self.blocks, key=lambda block: -self.trial_log.costs.get(block, 0.0))

    def _restore(self, order: Sequence[str]) -> list[str]:
        """Restore the costliest blocks, twice as many each time, then as few as suffice: -> those of the smallest accepted trial."""
        failing, size, passing = 0, 1, 0
        while not self.exhausted:
            if self._try(order[:size]).accepted:
                passing = size
                break
            if size == len(order):
                return []
            failing, size = size, min(2 * size, len(order))
        while passing - failing > 1 and not self.exhausted:
            middle = (failing + passing) // 2
            if self._try(order[:middle]).accepted:
                passing = middle
            else:
                failing = middle
        return list(order[:passing])

    def _give_back(self, restored: Sequence[str]) -> None:
        """Take blocks out of float again, the cheapest first, wherever the criterion still holds."""
        kept = list(restored)
        for block in reversed(restored[:-1]):  # without the last one it failed already
            if self.exhausted:
                return
            without = [name for name in kept if name != block]
            if self._try(without).accepted:
                kept = without
