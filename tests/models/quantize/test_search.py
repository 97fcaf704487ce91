"""The search over blocks, on made-up costs: it finds the cheapest set that keeps the criterion, within its budget, and resumes."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from models.quantize.judge import Score
from models.quantize.ranges import CalibrationError
from models.quantize.search import Budget, Criterion, Metric, Search, Tolerance, TrialLog

COSTS = {"a": 0.001, "b": 0.2, "c": 0.05, "d": 0.002, "e": 0.01}
BASELINE = Score(cer=0.2, disagreement=0.0, divergence=0.0)


class Scorer:
    """Every block that is in INT8 adds its own cost."""

    def __init__(self, costs: dict[str, float] = COSTS) -> None:
        self.costs, self.calls = costs, 0

    def __call__(self, in_float: Collection[str], clips: int | None) -> Score:
        self.calls += 1
        loss = sum(cost for block, cost in self.costs.items() if block not in in_float)
        return Score(cer=None if clips else 0.2 + loss, disagreement=loss, divergence=loss)


def search(tmp_path: Path, *, limit: float, scorer: Scorer | None = None, metric: Metric = Metric.DISAGREEMENT, **budget: float) -> Search:
    scorer = scorer or Scorer()
    log = TrialLog(tmp_path / "trials.jsonl", key="test")
    return Search(list(scorer.costs), scorer, BASELINE, Criterion(metric=metric, limit=limit), Budget(**budget), log)  # type: ignore[arg-type]


def test_all_int8_is_tried_first(tmp_path: Path) -> None:
    run = search(tmp_path, limit=1.0)
    assert run.run().in_float == () and len(run.trials) == 1


@pytest.mark.parametrize(
    ("limit", "expected"), [(0.07, {"b"}), (0.02, {"b", "c"}), (0.004, {"b", "c", "e"}), (0.0, {"a", "b", "c", "d", "e"})]
)
def test_the_costliest_blocks_are_restored_and_no_more(tmp_path: Path, limit: float, expected: set[str]) -> None:
    best = search(tmp_path, limit=limit).run()
    assert best.accepted and set(best.in_float) == expected


def test_blocks_that_are_not_needed_go_back(tmp_path: Path) -> None:
    """Alone, `loud` is the costliest; once `quiet` is restored it costs nothing: the order misleads, giving back repairs it."""

    class Misleading(Scorer):
        def __call__(self, in_float: Collection[str], clips: int | None) -> Score:
            self.calls += 1
            if clips:
                loss = 0.9 if "loud" not in in_float else 0.5 if "quiet" not in in_float else 0.1
            else:
                loss = 0.0 if "quiet" in in_float else 1.0
            return Score(cer=None, disagreement=loss, divergence=loss)

    best = search(tmp_path, limit=0.05, scorer=Misleading({"loud": 0, "quiet": 0, "third": 0})).run()
    assert best.accepted and "quiet" in best.in_float and "third" not in best.in_float


def test_cer_can_be_the_criterion(tmp_path: Path) -> None:
    assert set(search(tmp_path, limit=0.02, metric=Metric.CER).run().in_float) == {"b", "c"}
    relative = Criterion(metric=Metric.CER, limit=0.1, tolerance=Tolerance.RELATIVE)
    assert relative.accepts(Score(cer=0.219, disagreement=0, divergence=0), BASELINE)
    assert not relative.accepts(Score(cer=0.221, disagreement=0, divergence=0), BASELINE)


@pytest.mark.parametrize("trials", [1, 2, 3])
def test_the_number_of_trials_is_kept_and_the_best_one_returned(tmp_path: Path, trials: int) -> None:
    run = search(tmp_path, limit=0.0, max_trials=trials)
    best = run.run()
    assert len(run.trials) == trials and not best.accepted
    assert best.score.disagreement == min(trial.score.disagreement for trial in run.trials)


def test_the_time_limit_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 10_000, 100))
    monkeypatch.setattr("models.quantize.search.time.monotonic", lambda: float(next(clock)))
    run = search(tmp_path, limit=0.0, timeout_s=500.0)
    run.run()
    assert len(run.trials) < 3


def test_an_interrupted_search_goes_on(tmp_path: Path) -> None:
    whole = Scorer()
    expected = search(tmp_path / "whole", limit=0.004, scorer=whole).run()
    first = Scorer()
    search(tmp_path, limit=0.004, scorer=first, max_trials=2).run()
    log = tmp_path / "trials.jsonl"
    log.write_text(log.read_text(encoding="utf-8") + '{"key": "test", "in_fl', encoding="utf-8")  # killed while writing
    second = Scorer()
    best = search(tmp_path, limit=0.004, scorer=second).run()
    assert best.in_float == expected.in_float
    assert first.calls + second.calls == whole.calls
    third = Scorer()
    assert search(tmp_path, limit=0.004, scorer=third).run().in_float == expected.in_float and third.calls == 0


def test_another_searchs_log_is_not_resumed(tmp_path: Path) -> None:
    search(tmp_path, limit=0.004).run()
    assert not TrialLog(tmp_path / "trials.jsonl", key="other").known


def test_criteria_that_mean_nothing_are_refused() -> None:
    with pytest.raises(CalibrationError, match=r"-0\.1 is negative"):
        Criterion(metric=Metric.CER, limit=-0.1)
    with pytest.raises(CalibrationError, match="say absolute"):
        Criterion(metric=Metric.DIVERGENCE, limit=0.1, tolerance=Tolerance.RELATIVE)
    with pytest.raises(CalibrationError, match="CER needs"):
        Criterion(metric=Metric.CER, limit=0.1).value(Score(cer=None, disagreement=0, divergence=0))
