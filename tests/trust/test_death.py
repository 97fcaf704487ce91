"""The short version of the kills: a few of each job."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.trust.death import JOBS, survive

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_that_is_killed_leaves_nothing_half_and_comes_to_its_end(name: str, tmp_path: Path) -> None:
    if name in ("export", "quantize"):
        pytest.importorskip("torch", reason="the workshop needs torch")
    figures = survive(name, tmp_path, kills=3, seed=1)
    assert figures["kills"] == 3 and figures["runs_to_the_end"] >= 1
