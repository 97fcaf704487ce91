"""Work side by side whose results come in order."""

from __future__ import annotations

import threading

import pytest

from engine.files.in_order import StillWanted, UnwantedError, in_order
from tests.waiting import WAIT_S


@pytest.mark.parametrize(("count", "at_once"), [(0, 2), (1, 2), (7, 1), (7, 3), (3, 8)])
def test_results_come_in_the_order_of_the_pieces(count: int, at_once: int) -> None:
    later = [threading.Event() for _ in range(count + 1)]
    together = min(count, at_once)

    def work(number: int, _: StillWanted) -> int:
        if number + 1 < together:  # of those that begin together the last one ends first
            assert later[number + 1].wait(WAIT_S)
        later[number].set()
        return number

    assert list(in_order(range(count), work, at_once=at_once)) == list(range(count))


def test_no_more_are_worked_on_than_at_once() -> None:
    lock, inside, most = threading.Lock(), 0, 0
    together = threading.Barrier(3)

    def work(_: int, __: StillWanted) -> None:
        nonlocal inside, most
        with lock:
            inside += 1
            most = max(most, inside)
        together.wait(WAIT_S)
        with lock:
            inside -= 1

    assert len(list(in_order(range(9), work, at_once=3))) == 9
    assert most == 3


def test_what_one_raises_is_raised_in_its_place_and_ends_the_others() -> None:
    begun, told = threading.Event(), list[int]()

    def work(number: int, still_wanted: StillWanted) -> int:
        if number == 1:
            assert begun.wait(WAIT_S)
            raise ValueError("broken")
        if number == 2:
            begun.set()
            try:
                while True:
                    still_wanted()
            except UnwantedError:
                told.append(number)
                raise
        return number

    results = in_order(range(9), work, at_once=3)
    assert next(results) == 0
    with pytest.raises(ValueError, match="broken"):
        next(results)
    assert told == [2]


def test_who_stops_reading_leaves_nothing_at_work() -> None:
    begun, ended = threading.Event(), list[int]()

    def work(number: int, still_wanted: StillWanted) -> int:
        if number:
            begun.set()
            try:
                while True:
                    still_wanted()
            finally:
                ended.append(number)
        assert begun.wait(WAIT_S)
        return number

    results = in_order(range(9), work, at_once=2)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert ended == [1]
