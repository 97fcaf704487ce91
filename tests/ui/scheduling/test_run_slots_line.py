"""The line before the engine: bounded, in turn by caller, with a waiting time for who finds it full."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from tests.waiting import WAIT_S, until, until_async
from ui.scheduling.run_slots import FIRST_GUESS_S, LineFullError, RunSlots, StoppingError, Ticket
from ui.scheduling.slot_run import CallerLeftError, run_in_slot


class Clock:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def served(slots: RunSlots, holder: Ticket, tickets: dict[str, Ticket]) -> list[str]:
    """The names in the order in which their places are granted, one after the other."""
    order: list[str] = []
    while len(order) < len(tickets):
        slots.leave(holder)
        (name,) = [name for name, ticket in tickets.items() if ticket.done() and name not in order]
        order.append(name)
        holder = tickets[name]
    return order


def test_slots_are_granted_caller_by_caller_however_much_one_asks_for() -> None:
    slots = RunSlots(1)
    holder = slots.ask("first")
    wanted = [("greedy", "g1"), ("greedy", "g2"), ("greedy", "g3"), ("modest", "m1"), ("late", "l1"), ("modest", "m2")]
    tickets = {name: slots.ask(caller) for caller, name in wanted}
    assert served(slots, holder, tickets) == ["g1", "m1", "l1", "g2", "m2", "g3"]


def test_a_full_queue_is_answered_with_the_time_to_wait() -> None:
    clock = Clock()
    slots = RunSlots(2, most_waiting=3, clock_s=clock)
    holders = [slots.ask(f"h{number}") for number in range(2)]
    waiting = [slots.ask(f"w{number}") for number in range(3)]
    refused = slots.ask("one too many")
    error = refused.exception(timeout=0)
    assert isinstance(error, LineFullError)
    assert error.wait_s == (3 + 1) / 2 * FIRST_GUESS_S
    assert "3 wait for their turn already; try again in about 4 s" in str(error)
    with pytest.raises(LineFullError):
        slots.admit("one too many")
    clock.now_s = 12.0
    slots.leave(holders[0])  # it took 12 s: the next guess is nearer to that
    assert waiting[0].done()
    assert slots.expected_wait_s() == 6  # (2 + 1) / 2 places × (2 + 0.2 × 10) s
    slots.admit("one more")
    assert not slots.ask("one more").done()


def test_a_full_line_makes_room_for_who_has_less() -> None:
    slots = RunSlots(1, most_waiting=3)
    slots.ask("holder")
    greedy = [slots.ask("greedy") for _ in range(3)]
    modest = slots.ask("modest")
    assert not modest.done()
    assert isinstance(greedy[2].exception(timeout=0), LineFullError)  # the newest: it has waited least
    assert slots.waiting() == 3
    assert isinstance(slots.ask("greedy").exception(timeout=0), LineFullError)
    assert isinstance(slots.ask("modest").exception(timeout=0), LineFullError)  # one each more would only swap places


def test_who_was_let_in_before_is_not_turned_away() -> None:
    slots = RunSlots(1, most_waiting=1)
    slots.ask("holder")
    slots.ask("waiting")
    assert not slots.ask("page", bounded=False).done()
    assert slots.waiting() == 2


def test_a_server_that_stops_begins_nothing_more_and_ends_what_runs() -> None:
    slots = RunSlots(1)
    running, waiting = slots.ask("a"), slots.ask("b")
    slots.close()
    assert isinstance(waiting.exception(timeout=0), StoppingError)
    assert isinstance(slots.ask("c").exception(timeout=0), StoppingError)
    assert slots.running() == 1
    slots.leave(running)
    slots.leave(waiting)
    assert (slots.running(), slots.waiting(), slots.closed) == (0, 0, True)


# ---- for coroutines --------------------------------------------------------------------------------------------------


async def never() -> None:
    await asyncio.Event().wait()


def test_a_run_that_waits_is_given_up_as_soon_as_its_caller_leaves() -> None:
    slots = RunSlots(1)
    slots.ask("holder")

    async def ask() -> None:
        left = asyncio.Event()
        call = asyncio.create_task(run_in_slot(slots, "caller", left.wait(), lambda _look: pytest.fail("it ran")))
        await until_async(slots.waiting)
        left.set()
        with pytest.raises(CallerLeftError):
            await call
        assert slots.waiting() == 0

    asyncio.run(ask())


def test_a_run_whose_caller_leaves_ends_at_its_next_step_and_keeps_its_place_until_then() -> None:
    slots, running, cancelled, go_on = RunSlots(1), threading.Event(), threading.Event(), threading.Event()

    def run(cancel_check: Callable[[], None]) -> None:
        running.set()
        try:
            until(cancel_check)
        except CallerLeftError:
            cancelled.set()
            assert go_on.wait(WAIT_S)
            raise

    async def ask() -> None:
        left = asyncio.Event()
        call = asyncio.create_task(run_in_slot(slots, "caller", left.wait(), run))
        assert await asyncio.to_thread(running.wait, WAIT_S)
        left.set()
        assert await asyncio.to_thread(cancelled.wait, WAIT_S)
        assert slots.running() == 1  # its thread still works
        go_on.set()
        with pytest.raises(CallerLeftError):
            await call
        assert slots.running() == 0

    asyncio.run(ask())


def test_a_call_that_is_cancelled_frees_its_place_when_its_thread_has_ended() -> None:
    slots, running, go_on = RunSlots(1), threading.Event(), threading.Event()

    def run(cancel_check: object) -> None:
        running.set()
        assert go_on.wait(20)
        cancel_check()  # type: ignore[operator]

    async def ask() -> None:
        call = asyncio.create_task(run_in_slot(slots, "caller", never(), run))
        assert await asyncio.to_thread(running.wait, 20)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert slots.running() == 1
        go_on.set()
        await until_async(lambda: not slots.running())

    asyncio.run(ask())
    assert slots.ask("next").done()


def test_a_refusal_reaches_the_caller() -> None:
    slots = RunSlots(1, most_waiting=0)
    slots.ask("holder")
    with pytest.raises(LineFullError):
        asyncio.run(run_in_slot(slots, "caller", never(), lambda _look: None))
