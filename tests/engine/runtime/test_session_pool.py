"""Lightweight mode: one state, FP32 closed when idle, running requests keep their sessions."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from engine.bundle import Bundle
from engine.errors import GraphContractError, UnknownPrecisionError
from engine.options import VAD_AS_REQUEST, VAD_OFF
from engine.runtime.session_pool import SessionPool
from tests.engine.runtime.fake_sessions import Opener
from tests.waiting import WAIT_S


def open_precisions(pool: SessionPool) -> list[str]:
    return sorted({session.precision for session in pool.sessions()})


def test_nothing_is_opened_before_it_is_needed(pool: SessionPool, opener: Opener) -> None:
    assert opener.opened == []
    with pool.lease() as sessions:
        assert (sessions.precision, sessions.asr.model, sessions.vad.model) == ("fp32", "asr", "vad")
    with pool.lease("fp32"):
        pass
    assert len(opener.opened) == 2


def test_without_lightweight_mode_both_stay_open(pool: SessionPool) -> None:
    for precision in ("fp32", "int8"):
        with pool.lease(precision):
            pass
    assert open_precisions(pool) == ["fp32", "int8"]


def test_turning_on_closes_idle_fp32_at_once(pool: SessionPool, opener: Opener) -> None:
    with pool.lease():
        pass
    report = pool.set_lightweight(True)
    assert (pool.lightweight, pool.current, report.precision) == (True, "int8", "int8")
    assert open_precisions(pool) == []
    assert not any(session.open for session in opener.opened)
    assert report.freed_mb >= 0
    assert report.rss_mb > 0
    assert pool.set_lightweight(False).precision == "fp32"


def test_a_running_request_keeps_its_sessions(pool: SessionPool) -> None:
    with pool.lease() as sessions:
        assert pool.set_lightweight(True).freed_mb == 0
        assert sessions.asr.open
        with pool.lease() as light:
            assert light.precision == "int8"
        assert sessions.asr.open
    assert not sessions.asr.open
    assert open_precisions(pool) == ["int8"]


def test_a_comparison_opens_fp32_for_its_run_only(pool: SessionPool) -> None:
    pool.set_lightweight(True)
    for precision in ("fp32", "int8"):
        with pool.lease(precision) as sessions:
            assert sessions.precision == precision
    assert open_precisions(pool) == ["int8"]


def test_two_leases_share_one_set_and_the_last_closes_it(pool: SessionPool, opener: Opener) -> None:
    pool.set_lightweight(True)
    with pool.lease("fp32") as first:
        with pool.lease("fp32") as second:
            assert first is second
        assert first.asr.open
    assert not first.asr.open
    assert len(opener.opened) == 2


def test_many_threads_open_a_set_once(pool: SessionPool, opener: Opener) -> None:
    opener.gate = threading.Event()
    seen: list[Any] = []

    def use() -> None:
        with pool.lease() as sessions:
            seen.append(sessions)

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert opener.entered.wait(WAIT_S)
    opener.gate.set()
    for thread in threads:
        thread.join(WAIT_S)
    assert len(seen) == 8
    assert len({id(sessions) for sessions in seen}) == 1
    assert len(opener.opened) == 2


def test_toggling_while_a_set_is_being_opened_closes_it_after_its_request(pool: SessionPool, opener: Opener) -> None:
    opener.gate = threading.Event()
    used: list[bool] = []

    def use() -> None:
        with pool.lease("fp32") as sessions:
            used.append(sessions.asr.open)

    thread = threading.Thread(target=use)
    thread.start()
    assert opener.entered.wait(WAIT_S)
    pool.set_lightweight(True)
    opener.gate.set()
    thread.join(WAIT_S)
    assert used == [True]
    assert open_precisions(pool) == []


def test_a_failed_opening_leaves_nothing_and_may_be_tried_again(pool: SessionPool, opener: Opener) -> None:
    opener.fail_on = "vad"
    with pytest.raises(GraphContractError), pool.lease():
        pass
    assert not any(session.open for session in opener.opened)
    assert pool.sessions() == ()
    opener.fail_on = None
    with pool.lease() as sessions:
        assert sessions.vad.open


def test_starting_in_int8_starts_lightweight(tiny_bundle: Path, opener: Opener) -> None:
    pool = SessionPool(Bundle.load(tiny_bundle), precision="int8", opener=opener)
    assert (pool.lightweight, pool.current) == (True, "int8")
    pool.set_lightweight(False)
    assert pool.current == "fp32"


def test_an_unknown_precision_is_named(pool: SessionPool, tiny_bundle: Path) -> None:
    with pytest.raises(UnknownPrecisionError, match="'int4'"), pool.lease("int4"):
        pass
    with pytest.raises(UnknownPrecisionError):
        SessionPool(Bundle.load(tiny_bundle), precision="int4")


def test_closing_closes_what_is_idle_and_says_what_is_not(pool: SessionPool, caplog: pytest.LogCaptureFixture) -> None:
    with pool.lease("int8"):
        pass
    with pool.lease("fp32") as sessions:
        pool.close()
        assert sessions.asr.open
    assert "fp32" in caplog.text
    assert open_precisions(pool) == ["fp32"]


@pytest.mark.slow
@pytest.mark.parametrize(("bundle", "toggles"), [("starter_bundle", 40), ("tiny_bundle", 200)])
def test_many_toggles_leave_the_process_its_size(request: pytest.FixtureRequest, bundle: str, toggles: int) -> None:
    """A forgotten session of the starter is seen at once; whatever smaller is forgotten, after two hundred toggles."""
    from engine.runtime.session import rss_mb

    pool = SessionPool(Bundle.load(request.getfixturevalue(bundle)))
    sizes = []
    for turn in range(toggles):
        pool.set_lightweight(turn % 2 == 0)
        with pool.lease():
            pass
        sizes.append(rss_mb())
    assert max(sizes[-10:]) <= max(sizes[10:20]) * 1.05


def test_another_precisions_vad_is_opened_alone_and_closed_again(pool: SessionPool, opener: Opener) -> None:
    with pool.lease("int8") as leased, pool.with_vad(leased, "fp32") as sessions:
        assert (sessions.asr.precision, sessions.vad.precision) == ("int8", "fp32")
        assert [(session.model, session.precision) for session in opener.opened] == [("asr", "int8"), ("vad", "int8"), ("vad", "fp32")]
    assert not opener.opened[-1].open
    assert open_precisions(pool) == ["int8"]


def test_a_vad_that_is_open_already_is_shared_and_kept_while_it_is_used(pool: SessionPool, opener: Opener) -> None:
    with pool.lease("fp32"):
        pass
    pool.set_lightweight(True)
    assert open_precisions(pool) == []
    with pool.lease("fp32") as full, pool.lease("int8") as leased, pool.with_vad(leased, "fp32") as sessions:
        assert sessions.vad is full.vad
    assert open_precisions(pool) == ["int8"]
    assert len(opener.opened) == 6  # both models of FP32 twice, of INT8 once


@pytest.mark.parametrize("choice", [VAD_AS_REQUEST, VAD_OFF, "fp32"])
def test_the_requests_own_vad_needs_no_other_session(pool: SessionPool, opener: Opener, choice: str) -> None:
    with pool.lease("fp32") as leased, pool.with_vad(leased, choice) as sessions:
        assert sessions is leased
    assert len(opener.opened) == 2
