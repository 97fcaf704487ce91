"""What a switch of lightweight mode led to: sessions closed at once, and those that a running request still keeps."""

from __future__ import annotations

import pytest

from engine.errors import GraphContractError
from engine.runtime.session_pool import SessionPool
from tests.engine.runtime.fake_sessions import Opener


def closed(pool: SessionPool) -> list[tuple[str, str]]:
    assert pool.effects is not None
    return [(one.precision, one.model) for closing in pool.effects.closings for one in closing.sessions]


def test_before_the_first_switch_there_are_no_effects(pool: SessionPool) -> None:
    assert pool.effects is None


def test_idle_sessions_are_closed_at_once_with_memory_before_and_after(pool: SessionPool) -> None:
    with pool.lease():
        pass
    report = pool.set_lightweight(True)
    assert pool.effects is not None
    [closing] = pool.effects.closings
    assert closed(pool) == [("fp32", "asr"), ("fp32", "vad")]
    assert closing.before_mb > 0
    assert closing.after_mb > 0
    assert report.freed_mb == closing.freed_mb == max(0.0, closing.before_mb - closing.after_mb)


def test_a_running_request_is_waited_for_and_then_told(pool: SessionPool, opener: Opener) -> None:
    with pool.lease():
        pool.set_lightweight(True)
        assert pool.effects is not None
        assert (pool.effects.closings, pool.effects.waiting) == ((), ("fp32",))
        assert all(session.open for session in opener.opened)
    assert pool.effects is not None
    assert pool.effects.waiting == ()
    assert closed(pool) == [("fp32", "asr"), ("fp32", "vad")]


def test_a_comparison_after_the_switch_is_no_effect_of_it(pool: SessionPool) -> None:
    pool.set_lightweight(True)
    with pool.lease("fp32"):
        assert pool.effects is not None
        assert pool.effects.waiting == ()
    assert closed(pool) == []


def test_switching_on_twice_keeps_the_story_and_off_begins_a_new_one(pool: SessionPool) -> None:
    with pool.lease():
        pass
    pool.set_lightweight(True)
    pool.set_lightweight(True)
    assert len(closed(pool)) == 2
    pool.set_lightweight(False)
    assert pool.effects is not None
    assert (pool.effects.on, pool.effects.closings) == (False, ())


def test_sessions_that_could_not_be_opened_are_not_waited_for(pool: SessionPool, opener: Opener) -> None:
    def toggled_while_opening(*_: object, **__: object) -> object:
        pool.set_lightweight(True)
        raise GraphContractError(path="asr", reason="broken on purpose")

    pool._open = toggled_while_opening
    with pytest.raises(GraphContractError), pool.lease("fp32"):
        pass
    assert pool.effects is not None
    assert (pool.effects.on, pool.effects.waiting) == (True, ())
