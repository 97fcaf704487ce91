"""Fixtures of several files here: sessions without a graph, and a pool of them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.bundle import Bundle
from engine.runtime.session_pool import SessionPool
from tests.engine.runtime.fake_sessions import Opener


@pytest.fixture
def opener() -> Opener:
    """Opens fake sessions and remembers them."""
    return Opener()


@pytest.fixture
def pool(tiny_bundle: Path, opener: Opener) -> SessionPool:
    """A pool of fake sessions."""
    return SessionPool(Bundle.load(tiny_bundle), opener=opener)


@pytest.fixture
def frozen_garbage() -> Iterator[None]:
    """Every switch collects garbage: what the suite has imported need not be looked through each time."""
    gc.freeze()
    yield
    gc.unfreeze()
