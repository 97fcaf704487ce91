"""The short version: one killed server, one stopped, and each full disk where a small one can be mounted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.trust.disk import SIZES_MB, NoMountError, full_bundle, full_output, full_uploads, servers_leave_nothing, small_disk


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_nothing_is_left_of_a_server_that_stops_even_after_one_that_was_killed(tmp_path: Path) -> None:
    assert servers_leave_nothing(tmp_path / "temporary", rounds=1)["files_after_a_stop"] == 0


@pytest.mark.parametrize(("name", "check"), [("output", full_output), ("bundle", full_bundle), ("uploads", full_uploads)])
def test_a_full_disk_is_one_clear_line_and_nothing_is_spoiled(name: str, check, tmp_path: Path) -> None:
    if name == "bundle":
        pytest.importorskip("torch", reason="the workshop needs torch")
    try:
        with small_disk(tmp_path / name, megabytes=SIZES_MB[name]) as disk:
            assert "free some" in check(disk)
    except NoMountError as error:
        pytest.skip(str(error))
