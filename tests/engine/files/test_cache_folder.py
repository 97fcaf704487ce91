"""Where the program remembers things: the user's cache, as the environment names it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.files.cache_folder import cache_folder


def test_the_environment_names_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert cache_folder() == tmp_path / "cache" / "lightvoice"


@pytest.mark.parametrize("named", [None, ""])
def test_without_a_name_it_lies_in_the_users_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, named: str | None) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.delenv("XDG_CACHE_HOME")
    if named is not None:
        monkeypatch.setenv("XDG_CACHE_HOME", named)
    assert cache_folder() == tmp_path / ".cache" / "lightvoice"
