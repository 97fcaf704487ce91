"""Cancel stops the run of the page that pressed it, and no other."""

from __future__ import annotations

from ui.compare.stop_requests import StopRequests


def test_a_page_stops_its_own_run_alone() -> None:
    stops = StopRequests()
    stops.begin("a")
    stops.begin("b")
    stops.stop("a")
    assert (stops.requested("a"), stops.requested("b")) == (True, False)


def test_what_was_cancelled_before_does_not_stop_the_next_run() -> None:
    stops = StopRequests()
    stops.stop("a")
    stops.begin("a")
    assert not stops.requested("a")
    stops.stop("a")
    stops.end("a")
    stops.begin("a")
    assert not stops.requested("a")
