"""Fixtures that every test may use: the data folder, the embedded bundle, a bundle of tiny graphs."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.runtime.telemetry import SILENCE  # noqa: F401 - before ONNX Runtime, and for the processes that tests start: no reports
from tests.starter_facts import STARTER

if TYPE_CHECKING:
    from engine.pipeline import Engine

ROOT = Path(__file__).resolve().parent.parent


def pytest_collection_finish() -> None:
    """What the tests import is never garbage: without this every closed engine looks through all of torch and gradio, 0.4 s each time."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def own_data(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """No test's server writes a history into the user's own folder: set for servers that outlive a test too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))
        yield


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing is remembered in the user's cache, and nothing in it helps a test to pass."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of recordings and real weights (LIGHTVOICE_DATA, or shared/data beside the repository)."""
    folder = Path(os.environ.get("LIGHTVOICE_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no data folder {folder}; set LIGHTVOICE_DATA")
    return folder


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete bundle of tiny graphs that keep the contract; do not change it, copy it."""
    from tests.tiny_graphs import write_tiny_bundle

    return write_tiny_bundle(tmp_path_factory.mktemp("tiny") / "bundle")


@pytest.fixture(scope="session")
def starter_bundle() -> Path:
    """The embedded bundle."""
    return STARTER


@pytest.fixture
def engine() -> Iterator[Engine]:
    """An engine on the embedded bundle."""
    from engine.bundle import Bundle
    from engine.pipeline import Engine

    engine = Engine(Bundle.load(STARTER))
    yield engine
    engine.close()
