"""What the contenders' processes found: medians, spreads, ratios within rounds, and the bars that ours is held to."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.peers.contenders import OURS_FP32, OURS_INT8, SHERPA_PUBLISHED, SHERPA_QINT8

LATENCY, RSS, COLD, FILE_RTF, SIZE = "latency_ms_10s", "rss_mb", "cold_start_s", "file_rtf", "size_mb"
CALLERS = "callers_audio_s_per_s"
MS_PER_S = 1000
CLIP_S = 10


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender: the figures of each round, or why there are none."""

    name: str
    precision: str
    size_mb: float | None
    rounds: tuple[Mapping[str, float], ...]
    error: str | None = None

    def values(self, figure: str) -> list[float]:
        """A figure in every round that has it."""
        if figure == SIZE:
            return [] if self.size_mb is None or self.error else [self.size_mb]
        return [found[figure] for found in self.rounds if figure in found]

    def median(self, figure: str) -> float | None:
        """The median over the rounds; None where it was not measured."""
        values = self.values(figure)
        return statistics.median(values) if values else None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One bar: what is compared, the limit, what was measured (None where it was not), whether a small or a large value meets it."""

    what: str
    limit: float
    measured: float | None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where it was not measured."""
        if self.measured is None:
            return None
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def ratio(above: Row | None, below: Row | None, figure: str) -> float | None:
    """The median of the rounds' own ratios: what made a round slow made both sides slow."""
    if above is None or below is None:
        return None
    pairs = list(zip(above.values(figure), below.values(figure), strict=False))
    return statistics.median(one / other for one, other in pairs) if pairs else None


def fastest_fp32_peer(rows: Sequence[Row]) -> Row | None:
    """The peer in FP32 that needs least time for ten seconds."""
    peers = [row for row in rows if row.precision == "fp32" and row.name != OURS_FP32 and row.median(LATENCY) is not None]
    return min(peers, key=lambda row: row.median(LATENCY) or 0.0, default=None)


def check_bars(rows: Sequence[Row]) -> list[Verdict]:
    """The bars of this project against its peers, at full size on two cores."""
    named = {row.name: row for row in rows}
    int8, fp32 = named.get(OURS_INT8), named.get(OURS_FP32)
    peer = fastest_fp32_peer(rows)
    beside = f"ours FP32 / {peer.name if peer else 'the fastest FP32 peer'}"
    callers = int8.median("callers_p95_ms") if int8 else None
    alone = int8.median(LATENCY) if int8 else None
    return [
        Verdict(what="ours INT8 / ours FP32: time, 10 s", limit=0.30, measured=ratio(int8, fp32, LATENCY)),
        Verdict(what="ours INT8 / ours FP32: RSS", limit=0.35, measured=ratio(int8, fp32, RSS)),
        Verdict(what="ours INT8 / ours FP32: cold start", limit=0.40, measured=ratio(int8, fp32, COLD)),
        Verdict(what="ours INT8 / ours FP32: size", limit=0.26, measured=ratio(int8, fp32, SIZE)),
        _faster(named.get(SHERPA_PUBLISHED), int8, "sherpa-onnx as published / ours INT8: time, 10 s", 3.7),
        _faster(named.get(SHERPA_QINT8), int8, "sherpa-onnx QInt8 / ours INT8: time, 10 s", 1.8),
        Verdict(what=f"{beside}: time, 10 s", limit=1.0, measured=ratio(fp32, peer, LATENCY)),
        Verdict(what=f"{beside}: RSS", limit=0.7, measured=ratio(fp32, peer, RSS)),
        Verdict(what=f"{beside}: cold start", limit=0.6, measured=ratio(fp32, peer, COLD)),
        Verdict(what="ours INT8: RTF of the long file", limit=0.018, measured=int8.median(FILE_RTF) if int8 else None),
        Verdict(
            what="ours INT8 / sherpa-onnx as published: 8 callers' audio a second",
            limit=3.3,
            measured=ratio(int8, named.get(SHERPA_PUBLISHED), CALLERS),
            at_least=True,
        ),
        Verdict(what="ours INT8: p95 of 8 callers / one caller, 10 s", limit=8.8, measured=callers / alone if callers and alone else None),
    ]


def _faster(peer: Row | None, ours: Row | None, what: str, limit: float) -> Verdict:
    return Verdict(what=what, limit=limit, measured=ratio(peer, ours, LATENCY), at_least=True)
