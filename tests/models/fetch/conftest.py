"""A network that consists of this machine: every cache in the test's own folder, no proxy, nothing that forbids the network."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def own_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in (
        "HF_HUB_OFFLINE",
        "TRANSFORMERS_OFFLINE",
        "LIGHTVOICE_OFFLINE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "http_proxy",
        "https_proxy",
    ):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("HF_HOME", "MODELSCOPE_CACHE", "HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
