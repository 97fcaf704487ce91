"""A benchmark on two commits: what is measured, and how it is compared."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from benchmarks.beside import check_out, compared, measured_in, numbers_in
from engine.bundle_roots import ROOT

PROGRAM = """
import argparse, json, pathlib
import engine
parser = argparse.ArgumentParser()
parser.add_argument("value", type=float)
parser.add_argument("--json", type=pathlib.Path)
arguments = parser.parse_args()
figures = {"value": arguments.value, "text": "x", "ok": True, "rows": [{"name": "a", "ms": 2}, {"ms": [3, 4]}]}
arguments.json.write_text(json.dumps(figures))
"""


def test_numbers_are_named_by_the_path_of_their_keys() -> None:
    figures = {"value": 1, "text": "x", "ok": True, "none": None, "rows": [{"name": "a", "ms": 2}, {"ms": [3, 4]}, {"what": "b", "x": 5}]}
    assert dict(numbers_in(figures)) == {"value": 1, "rows.a.ms": 2, "rows.1.ms.0": 3, "rows.1.ms.1": 4, "rows.b.x": 5}


def test_the_ratio_is_the_median_of_the_rounds_own() -> None:
    rounds = [({"ms": 10.0, "gone": 1.0}, {"ms": 5.0}), ({"ms": 20.0}, {"ms": 20.0}), ({"ms": 40.0}, {"ms": 10.0})]
    assert compared(rounds) == {"ms": {"commit": 20.0, "here": 10.0, "ratio": 0.5}}


def test_a_figure_of_nothing_has_no_ratio() -> None:
    assert compared([({"ms": 0.0}, {"ms": 5.0})]) == {}


def test_a_commit_is_measured_by_our_benchmarks(tmp_path: Path) -> None:
    if subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, check=False).returncode:
        pytest.skip("not a git checkout")
    check_out("HEAD", tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"engine", "models", "benchmarks"}
    (tmp_path / "benchmarks" / "tried.py").write_text(PROGRAM, encoding="utf-8")
    assert measured_in(tmp_path, "tried", ["1.5"]) == {"value": 1.5, "rows.a.ms": 2, "rows.1.ms.0": 3, "rows.1.ms.1": 4}
    with pytest.raises(SystemExit, match="ended with"):
        measured_in(tmp_path, "tried", ["no number"])


def test_a_commit_that_there_is_not_is_said(tmp_path: Path) -> None:
    with pytest.raises(SystemExit):
        check_out("no-such-commit", tmp_path)
