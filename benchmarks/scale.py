"""A cluster on paper: nodes × cores × queue, from figures that were measured, toward a million hours a day.

``python -m benchmarks.scale [--check FIGURES.json] [--markdown FILE]``

An event simulation of the pipeline of engine.cluster: recordings are fetched from storage (a node's share of the network, and the
store's own limit), decoded and searched for speech by a core, and cut into pieces; any free core recognizes a piece, and one driver for
each job takes the rows. What a stage costs is an input (:class:`Costs`), as are prices. ``--check`` simulates the runs that
``benchmarks.cluster`` has measured, with nothing fitted to the two-worker run, and says how far off it is. Not simulated: failures, and
other users of the network.
"""

from __future__ import annotations

import argparse
import heapq
import json
import math
import random
import statistics
import sys
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.command_line import markdown_table

SEED = 8
HOURS_A_DAY = 1_000_000
DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Costs:
    """What one worker (a core) takes, in seconds for each second of audio where the name says nothing else."""

    #: Decoding, features and VAD: done for a recording as a whole.
    preparing: float
    #: Recognition: done for each piece.
    recognizing: float
    #: Opening the models in a new worker, after its process has started.
    start_s: float = 2.0
    #: The driver's work for a row, and for each hour of audio in it (joining, writing JSON).
    driver_row_s: float = 0.002
    driver_hour_s: float = 0.25
    piece_s: float = 300.0


#: SenseVoice-Small at full size, from models/README.md (2026-11-21, 2 cores of an AMD EPYC with AVX512-VNNI, no AMX): CPU seconds for
#: each second of audio over the whole path, of which features and VAD take 0.0033 (facts of the real FSMN-VAD, one thread); cold start.
FULL_SIZE = {
    "fp32": Costs(preparing=0.0033, recognizing=0.0519 - 0.0033, start_s=2.04),
    "int8": Costs(preparing=0.0033, recognizing=0.0246 - 0.0033, start_s=1.05),
}


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Machines, network and store; bytes a second of audio as the recordings are stored."""

    nodes: int
    cores: int
    #: Each node's network, and what the store gives to all of them, in MB (10⁶ bytes) a second.
    node_mb_s: float = 1_000.0
    store_mb_s: float = 10_000.0
    bytes_a_second: float = 16_000.0  # FLAC of 16 kHz speech, about
    #: Jobs beside each other, each with a driver and a share of the recordings.
    jobs: int = 1


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a simulated run came to; ``busy`` is the share of the core time that was work, ``driver_busy`` the busiest driver's."""

    elapsed_s: float
    audio_s: float
    busy: float
    driver_busy: float
    network_busy: float
    store_busy: float

    @property
    def speed(self) -> float:
        """Seconds of audio in a second."""
        return self.audio_s / self.elapsed_s

    @property
    def limit(self) -> str:
        """What the run waited for most."""
        shares = {"cores": self.busy, "driver": self.driver_busy, "network": self.network_busy, "storage": self.store_busy}
        return max(shares, key=lambda name: shares[name])


class _Line:
    """One server that works off what comes, in order: a network, a store, a driver."""

    def __init__(self) -> None:
        self.free_s = self.worked_s = 0.0

    def take(self, now_s: float, work_s: float) -> float:
        """When work that comes now is done."""
        self.free_s = max(self.free_s, now_s) + work_s
        self.worked_s += work_s
        return self.free_s


def simulate(lengths_s: Sequence[float], cluster: Cluster, costs: Costs) -> Outcome:
    """One archive on one cluster, from the start of its workers to the last row; the longest recordings first, as a job has them."""
    cores = [(costs.start_s, number % cluster.nodes) for number in range(cluster.nodes * cluster.cores)]
    heapq.heapify(cores)
    networks, store, drivers = [_Line() for _ in range(cluster.nodes)], _Line(), [_Line() for _ in range(cluster.jobs)]
    worked_s = last_s = 0.0
    ready: list[tuple[float, float, int]] = []  # pieces: when they can be recognized, their length, their job
    waiting = deque(enumerate(sorted(lengths_s, reverse=True)))
    while waiting or ready:
        free_s, node = heapq.heappop(cores)
        # Pieces that are there go first: they hold memory, and recordings that are not begun hold none.
        if ready and (not waiting or ready[0][0] <= free_s):
            ready_s, length_s, job = heapq.heappop(ready)
            work_s = costs.recognizing * length_s
            end_s = max(free_s, ready_s) + work_s
            last_s = max(last_s, drivers[job].take(end_s, costs.driver_row_s + costs.driver_hour_s * length_s / 3600))
        else:
            number, length_s = waiting.popleft()
            size_mb = length_s * cluster.bytes_a_second / 1e6
            fetched_s = max(networks[node].take(free_s, size_mb / cluster.node_mb_s), store.take(free_s, size_mb / cluster.store_mb_s))
            work_s = costs.preparing * length_s
            end_s = fetched_s + work_s
            count = max(1, round(length_s / costs.piece_s))
            for _ in range(count):
                heapq.heappush(ready, (end_s, length_s / count, number % cluster.jobs))
        worked_s += work_s
        heapq.heappush(cores, (end_s, node))
    elapsed_s = max(last_s, *(free_s for free_s, _ in cores))
    return Outcome(
        elapsed_s=elapsed_s,
        audio_s=sum(lengths_s),
        busy=worked_s / (elapsed_s * cluster.nodes * cluster.cores),
        driver_busy=max(driver.worked_s for driver in drivers) / elapsed_s,
        network_busy=max(network.worked_s for network in networks) / elapsed_s,
        store_busy=store.worked_s / elapsed_s,
    )


def recordings(hours: float, *, mean_s: float = 360.0, seed: int = SEED) -> list[float]:
    """Lengths of an archive in seconds: log-normal, most of them short and a few of an hour."""
    source, left_s, lengths = random.Random(seed), hours * 3600, []  # noqa: S311 - an archive, no secret
    spread = 1.2
    while left_s > 0:
        length_s = min(left_s, max(2.0, source.lognormvariate(math.log(mean_s) - spread**2 / 2, spread)))
        lengths.append(length_s)
        left_s -= length_s
    return lengths


def waiting_s(
    cores: int, *, load: float, costs: Costs, length_s: float = 10.0, requests: int = 40_000, seed: int = SEED
) -> tuple[float, float]:
    """Median and 95th percentile of the seconds that a request waits online: Poisson arrivals, lengths between half and twice ``length_s``.

    ``load`` is the share of the cores' time that is asked for. One queue for all replicas, as Serve's front keeps it.
    """
    source, now_s = random.Random(seed), 0.0  # noqa: S311 - likewise
    rtf, free = costs.preparing + costs.recognizing, [0.0] * cores
    heapq.heapify(free)
    between_s = rtf * length_s * 1.25 / (load * cores)  # 1.25: the mean of lengths between a half and two
    waits = []
    for _ in range(requests):
        now_s += source.expovariate(1 / between_s)
        begins_s = max(now_s, heapq.heappop(free))
        heapq.heappush(free, begins_s + rtf * length_s * source.uniform(0.5, 2.0))
        waits.append(begins_s - now_s)
    waits = waits[requests // 10 :]  # the first ones found everything empty
    return statistics.median(waits), statistics.quantiles(waits, n=20)[-1]


@dataclass(frozen=True, kw_only=True)
class Prices:
    """Assumptions in US dollars, to be replaced by one's own contract."""

    core_hour: float = 0.04
    #: Reading one recording (a request), and moving a GB from the store to the workers (0 in the store's own region).
    read_request: float = 4e-7
    moved_gb: float = 0.0


def dollars_for_1000_hours(costs: Costs, cluster: Cluster, prices: Prices, *, busy: float, mean_s: float = 360.0) -> float:
    """Cores, requests and traffic of 1 000 hours of audio where the cores are busy for this share of the time that is paid."""
    audio_s = 1_000 * 3600.0
    core_hours = (costs.preparing + costs.recognizing) * audio_s / 3600 / busy
    moved_gb = audio_s * cluster.bytes_a_second / 1e9
    return core_hours * prices.core_hour + audio_s / mean_s * prices.read_request + moved_gb * prices.moved_gb


def check(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """The measured runs beside simulated ones: costs from the one-machine run and from the one-worker run's driver, nothing else."""
    audio_s, lengths_s = figures["audio_s"], figures["lengths_s"]
    rtf = figures["one_machine_s"] / audio_s
    single = next(run for run in figures["runs"] if run["workers"] == 1)
    preparing = rtf * figures["preparing_share"]
    costs = Costs(
        preparing=preparing,
        recognizing=rtf - preparing,
        start_s=0.0,  # working_s begins when the first worker is ready
        driver_row_s=0.0,
        driver_hour_s=single["driver_cpu_s"] / (audio_s / 3600),
    )
    rows = []
    for run in figures["runs"]:
        # The driver runs on the workers' own cores here: its share is work that they do not do.
        shared = replace(costs, recognizing=costs.recognizing + costs.driver_hour_s / 3600, driver_hour_s=0.0)
        cluster = Cluster(nodes=1, cores=run["workers"], bytes_a_second=0.0)
        simulated_s = simulate(lengths_s, cluster, shared).elapsed_s
        rows.append(
            {
                "workers": run["workers"],
                "measured_s": run["working_s"],
                "simulated_s": simulated_s,
                "off": simulated_s / run["working_s"] - 1,
            }
        )
    return rows


def tables(prices: Prices) -> str:
    """The tables of docs/scale.md."""
    return "\n\n".join([_archive_table(), _limit_table(), _queue_table(), _price_table(prices)])


def _archive_table() -> str:
    rows = []
    for precision, costs in FULL_SIZE.items():
        for nodes in (1, 4, 16, 32, 64, 128):
            cluster = Cluster(nodes=nodes, cores=16)
            # An hour's work of the cluster, so that start and tail weigh as they do in a job of that length.
            hours = nodes * 16 / (costs.preparing + costs.recognizing)
            outcome = simulate(recordings(hours), cluster, costs)
            a_day = outcome.speed * 24
            rows.append(
                (precision.upper(), nodes, nodes * 16, f"{a_day:,.0f}", f"{outcome.busy:.0%}", f"{outcome.driver_busy:.0%}", outcome.limit)
            )
    return markdown_table(("precision", "nodes", "cores", "hours a day", "cores busy", "driver busy", "limit"), rows)


def _limit_table() -> str:
    """A million hours a day in INT8, and what happens where one thing is scarcer."""
    costs = FULL_SIZE["int8"]
    nodes = math.ceil(HOURS_A_DAY * 3600 / DAY_S * (costs.preparing + costs.recognizing) / 16 * 1.08)
    usual = Cluster(nodes=nodes, cores=16, jobs=16)
    cases = {
        "16 jobs, 10 GB/s of storage, 1 GB/s a node": (usual, costs),
        "one job, one driver": (replace(usual, jobs=1), costs),
        "storage gives 0.5 GB/s": (replace(usual, store_mb_s=500.0), costs),
        "uncompressed 48 kHz stereo (192 kB/s), 5 GB/s of storage": (replace(usual, bytes_a_second=192_000.0, store_mb_s=5_000.0), costs),
        "a node's network gives 10 MB/s": (replace(usual, node_mb_s=10.0), costs),
        "workers take 5 minutes to start (image, bundle)": (usual, replace(costs, start_s=300.0)),
    }
    lengths_s = recordings(HOURS_A_DAY / 24)
    rows = []
    for name, (cluster, own) in cases.items():
        outcome = simulate(lengths_s, cluster, own)
        rows.append((name, f"{outcome.speed * 24:,.0f}", f"{outcome.busy:.0%}", outcome.limit))
    return markdown_table((f"{nodes} nodes × 16 cores, INT8, an hour of 10⁶ hours a day", "hours a day", "cores busy", "limit"), rows)


def _queue_table() -> str:
    rows = []
    for cores in (2, 16, 128):
        for load in (0.5, 0.7, 0.9, 0.97):
            waits = [waiting_s(cores, load=load, costs=costs) for costs in FULL_SIZE.values()]
            rows.append((cores, f"{load:.0%}", *(f"{1000 * median:.0f} / {1000 * high:.0f}" for median, high in waits)))
    return markdown_table(("replicas (a core each)", "load", "FP32 waits, ms: p50 / p95", "INT8 waits, ms: p50 / p95"), rows)


def _price_table(prices: Prices) -> str:
    rows = []
    for precision, costs in FULL_SIZE.items():
        rtf = costs.preparing + costs.recognizing
        dollars = [dollars_for_1000_hours(costs, Cluster(nodes=1, cores=16), prices, busy=busy) for busy in (0.95, 0.7, 0.4)]
        cores = HOURS_A_DAY * 3600 * rtf / DAY_S
        rows.append((precision.upper(), f"{1000 * rtf:.1f}", *(f"{one:.2f}" for one in dollars), f"{cores:,.0f}"))
    head = ("precision", "core hours for 1 000 h", "USD, busy 95 %", "USD, 70 %", "USD, 40 %", "cores for 10⁶ h a day")
    return markdown_table(head, rows)


def main() -> int:
    """Print the tables, and the check where figures are given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", type=Path, metavar="FIGURES.json", help="what `python -m benchmarks.cluster --json` wrote")
    parser.add_argument("--core-hour", type=float, default=Prices.core_hour, help="USD for an hour of one core (default: %(default)s)")
    parser.add_argument("--moved-gb", type=float, default=Prices.moved_gb, help="USD for a GB from store to worker (default: %(default)s)")
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    if arguments.check is not None:
        rows = [list(row.values()) for row in check(json.loads(arguments.check.read_text(encoding="utf-8")))]
        text = markdown_table(
            ("workers", "measured, s", "simulated, s", "off"), [(w, f"{m:.1f}", f"{s:.1f}", f"{off:+.1%}") for w, m, s, off in rows]
        )
    else:
        text = tables(Prices(core_hour=arguments.core_hour, moved_gb=arguments.moved_gb))
    print(text)
    if arguments.markdown is not None:
        arguments.markdown.write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
