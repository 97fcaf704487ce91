"""Fixtures of the engine's tests."""

from __future__ import annotations

import pytest

import engine.audio.waveform as audio_module


@pytest.fixture
def short_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recordings are read three seconds at a time."""
    monkeypatch.setattr(audio_module, "BLOCK_S", 3)
