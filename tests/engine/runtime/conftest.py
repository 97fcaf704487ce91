"""Fixtures of several files here: sessions without a graph, and a pool of them."""

from __future__ import annotations

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
