"""The simulation of docs/scale.md: what must hold of it whatever the figures are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.scale import FULL_SIZE, Cluster, Costs, Prices, check, dollars_for_1000_hours, recordings, simulate, waiting_s

COSTS = Costs(preparing=0.01, recognizing=0.09, start_s=0.0, driver_row_s=0.0, driver_hour_s=0.0)
FREE = Cluster(nodes=1, cores=1, bytes_a_second=0.0)


def test_one_core_takes_what_the_work_takes():
    outcome = simulate([100.0] * 10, FREE, COSTS)
    assert outcome.elapsed_s == pytest.approx(100.0)
    assert outcome.busy == pytest.approx(1.0)
    assert outcome.limit == "cores"


def test_one_long_recording_is_shared_out_after_vad():
    outcome = simulate([6000.0], replace(FREE, cores=20), COSTS)
    assert outcome.elapsed_s == pytest.approx(6000 * 0.01 + 6000 * 0.09 / 20)


def test_two_cores_take_half_the_time_where_there_is_enough_to_do():
    lengths = recordings(20)
    one, two = (simulate(lengths, replace(FREE, cores=cores), COSTS).elapsed_s for cores in (1, 2))
    assert one / two == pytest.approx(2.0, rel=0.01)


@pytest.mark.parametrize(
    ("cluster", "costs", "limit"),
    [
        (Cluster(nodes=4, cores=16, store_mb_s=1.0), COSTS, "storage"),
        (Cluster(nodes=4, cores=16, node_mb_s=0.5), COSTS, "network"),
        (Cluster(nodes=4, cores=16), replace(COSTS, driver_hour_s=60.0), "driver"),
    ],
)
def test_what_is_scarce_is_named_and_cores_wait_for_it(cluster, costs, limit):
    outcome = simulate(recordings(100), cluster, costs)
    assert outcome.limit == limit
    assert outcome.busy < 0.9


def test_more_jobs_take_a_driver_each():
    costs = replace(COSTS, driver_hour_s=60.0)
    one, four = (simulate(recordings(100), Cluster(nodes=4, cores=16, jobs=jobs), costs) for jobs in (1, 4))
    assert four.elapsed_s < one.elapsed_s / 2


def test_the_archive_is_as_long_as_it_was_asked_for():
    assert sum(recordings(50)) == pytest.approx(50 * 3600)


def test_a_queue_waits_longer_the_fuller_it_is_and_the_smaller_the_cluster():
    half, full = (waiting_s(4, load=load, costs=COSTS, requests=8_000)[1] for load in (0.5, 0.95))
    large = waiting_s(64, load=0.95, costs=COSTS, requests=8_000)[1]
    assert half < full
    assert large < full


def test_int8_costs_less_by_what_it_computes_less():
    prices = Prices(read_request=0.0)
    fp32, int8 = (dollars_for_1000_hours(FULL_SIZE[name], FREE, prices, busy=0.8) for name in ("fp32", "int8"))
    assert int8 / fp32 == pytest.approx(0.0246 / 0.0519)


def test_a_check_takes_nothing_from_the_run_that_it_checks():
    run = {"workers": 1, "working_s": 110.0, "driver_cpu_s": 10.0}
    figures = {
        "audio_s": 1000.0,
        "lengths_s": [100.0] * 10,
        "one_machine_s": 100.0,
        "preparing_share": 0.5,
        "runs": [run, {"workers": 2, "working_s": 60.0, "driver_cpu_s": 99.0}],
    }
    one, two = check(figures)
    assert one["simulated_s"] == pytest.approx(110.0)
    assert two["simulated_s"] == pytest.approx(55.0)
    assert two["off"] == pytest.approx(55 / 60 - 1)
