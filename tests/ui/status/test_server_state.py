"""One state for every page, read cheaply."""

from __future__ import annotations

from engine.runtime.advisor import Advice
from engine.runtime.session_pool import Precision
from tests.ui.fake_engine import FakeEngine
from ui.status.server_state import HISTORY_S, ServerState


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


def test_a_second_request_for_the_same_mode_does_not_hide_what_the_first_one_did() -> None:
    state = ServerState(FakeEngine())
    state.set_lightweight(True)
    state.set_lightweight(True)
    assert state.lightweight().freed_mb == 110.0
    assert [one.precision for closing in state.lightweight().closings for one in closing.sessions] == ["fp32", "fp32"]
    state.set_lightweight(False)
    assert (state.lightweight().freed_mb, state.lightweight().closings) == (0, ())


def test_the_history_holds_two_minutes_and_marks_where_nothing_was_read() -> None:
    now_s = 1000.0
    state = ServerState(FakeEngine(), clock_s=lambda: now_s)
    for _ in range(100):
        state.resources()
        now_s += 2.0
    readings = state.history()
    assert HISTORY_S - 4 <= max(reading.age_s for reading in readings) <= HISTORY_S + 2
    assert all(reading.cpu_percent == 3.0 for reading in readings)
    now_s += 60.0
    state.resources()
    # This reading's CPU share is the mean of a minute in which nobody looked; its memory is of now.
    assert (state.history()[-1].cpu_percent, state.history()[-1].rss_mb) == (None, 320.0)
    now_s += 500.0
    state.resources()
    assert len(state.history()) == 1


def test_without_an_open_page_nothing_is_measured() -> None:
    engine = CountingEngine()
    ServerState(engine)
    assert engine.readings == 0


def test_queues_add_up() -> None:
    state = ServerState(FakeEngine())
    assert state.queue_length() == 0
    state.add_queue(lambda: 2)
    state.add_queue(lambda: 3)
    assert state.queue_length() == 5


def test_advice_is_found_out_once(monkeypatch) -> None:
    asked = []
    advice = Advice(Precision.INT8, ())
    monkeypatch.setattr("ui.status.server_state.advise", lambda: asked.append(1) or advice)
    state = ServerState(FakeEngine())
    assert [state.advice(), state.advice()] == [advice, advice]
    assert asked == [1]


def test_a_toggle_elsewhere_is_seen() -> None:
    engine = FakeEngine()
    state = ServerState(engine)
    engine.lightweight = True  # another page, or a program
    assert state.lightweight().on
