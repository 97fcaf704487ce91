"""One state for every page, read cheaply."""

from __future__ import annotations

from tests.ui.fake_engine import FakeEngine
from ui.server_state import ServerState


class CountingEngine(FakeEngine):
    def __init__(self) -> None:
        super().__init__()
        self.readings = 0

    def resources(self) -> dict[str, object]:
        self.readings += 1
        return super().resources()


def test_pages_that_ask_together_share_one_reading() -> None:
    engine = CountingEngine()
    state = ServerState(engine)
    for _ in range(20):
        state.resources()
        state.lightweight()
    assert engine.readings == 1


def test_a_toggle_is_seen_at_once() -> None:
    engine = CountingEngine()
    state = ServerState(engine)
    assert state.lightweight().freed_mb is None
    before = state.lightweight().rss_mb
    assert state.set_lightweight(True) == {"precision": "int8", "freed_mb": 110.0, "rss_mb": 210.0}
    after = state.lightweight()
    assert (after.on, after.precision, after.freed_mb) == (True, "int8", 110.0)
    assert after.rss_mb < before


def test_a_toggle_elsewhere_is_seen() -> None:
    engine = FakeEngine()
    state = ServerState(engine)
    engine.lightweight = True  # another page, or a program
    assert state.lightweight().on
