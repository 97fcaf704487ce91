"""Places on the engine: granted in order, given back, given up while waiting."""

from __future__ import annotations

import threading

import pytest

from ui.scheduling.run_slots import RunSlots


def test_places_are_granted_in_the_order_they_were_asked_for() -> None:
    slots = RunSlots(2)
    tickets = [slots.ask() for _ in range(5)]
    assert [ticket.done() for ticket in tickets] == [True, True, False, False, False]
    assert slots.waiting() == 3
    slots.leave(tickets[1])
    assert [ticket.done() for ticket in tickets] == [True, True, True, False, False]
    slots.leave(tickets[3])  # no longer wants one
    slots.leave(tickets[0])
    assert (tickets[3].done(), tickets[4].done(), slots.waiting()) == (False, True, 0)


def test_leaving_twice_does_no_harm() -> None:
    slots = RunSlots(1)
    first, second, third = (slots.ask() for _ in range(3))
    slots.leave(first)
    slots.leave(first)
    assert (second.done(), third.done()) == (True, False)


def test_nobody_but_leave_withdraws_a_ticket() -> None:
    slots = RunSlots(1)
    holder, waiting = slots.ask(), slots.ask()
    assert not waiting.cancel()
    slots.leave(holder)
    assert waiting.done()


def test_a_thread_waits_for_its_place_and_gives_it_back_after_an_error() -> None:
    slots, most, now, lock = RunSlots(2), 0, 0, threading.Lock()

    def work() -> None:
        nonlocal most, now
        with slots.held():
            with lock:
                now += 1
                most = max(most, now)
            threading.Event().wait(0.01)
            with lock:
                now -= 1

    threads = [threading.Thread(target=work) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (most, now, slots.waiting()) == (2, 0, 0)
    with pytest.raises(ValueError, match="no"), slots.held():
        raise ValueError("no")
    assert [slots.ask().done() for _ in range(2)] == [True, True]
