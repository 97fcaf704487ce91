"""The peers' benchmark: processes measured and failed, ratios within rounds, bars, and the three ways it is written down."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.peers import child, measuring
from benchmarks.peers.contenders import OURS_FP32, OURS_INT8, SHERPA_PUBLISHED, THE_PEERS, Contender, contenders
from benchmarks.peers.measuring import Plan, measure
from benchmarks.peers.report import plot, to_json, to_markdown
from benchmarks.peers.result import Row, check_bars, fastest_fp32_peer, ratio

PINNED = Path(child.__file__).resolve().parents[1] / "requirements.txt"


def row(name: str, *, precision: str = "fp32", size_mb: float = 100.0, error: str | None = None, **figures: list[float]) -> Row:
    rounds = [dict(zip(figures, values, strict=True)) for values in zip(*figures.values(), strict=True)]
    return Row(name=name, precision=precision, size_mb=size_mb, rounds=tuple(rounds), error=error)


FP32 = row(OURS_FP32, size_mb=940, latency_ms_10s=[400, 900, 410], rss_mb=[1000] * 3, cold_start_s=[3.0] * 3)
INT8 = row(
    OURS_INT8,
    precision="int8",
    size_mb=241,
    latency_ms_10s=[100, 225, 100],
    rss_mb=[360] * 3,
    cold_start_s=[1.0] * 3,
    callers_p95_ms=[850] * 3,
)
SHERPA = row(SHERPA_PUBLISHED, precision="int8", latency_ms_10s=[390, 900, 380], rss_mb=[500] * 3, cold_start_s=[2.0] * 3)
FAST, SLOW = (row(name, latency_ms_10s=[ms] * 3, rss_mb=[1500] * 3, cold_start_s=[6.0] * 3) for name, ms in (("fast", 500), ("slow", 600)))
BROKEN = Row(name="onnx-asr", precision="fp32", size_mb=1.0, rounds=(), error="Model 'x' | not supported")
ROWS = [FP32, INT8, SHERPA, SLOW, FAST, BROKEN]


def test_a_ratio_is_taken_within_rounds() -> None:
    assert ratio(INT8, FP32, "latency_ms_10s") == pytest.approx(0.25)
    assert ratio(INT8, FP32, "size_mb") == pytest.approx(241 / 940)
    assert ratio(INT8, None, "rss_mb") is None
    assert ratio(INT8, FP32, "never_measured") is None
    assert ratio(INT8, BROKEN, "size_mb") is None


def test_the_fastest_fp32_peer_is_neither_ours_nor_int8_nor_broken() -> None:
    assert fastest_fp32_peer(ROWS) is FAST
    assert fastest_fp32_peer([FP32, INT8, BROKEN]) is None


def test_bars_are_met_missed_or_not_measured() -> None:
    met = {verdict.what: verdict.met for verdict in check_bars(ROWS)}
    assert met["ours INT8 / ours FP32: time, 10 s"] is True
    assert met["ours INT8 / ours FP32: RSS"] is False
    assert met["sherpa-onnx as published / ours INT8: time, 10 s"] is True  # a large ratio meets this one
    assert met["ours FP32 / fast: time, 10 s"] is True
    assert met["ours FP32 / fast: cold start"] is True
    assert met["sherpa-onnx QInt8 / ours INT8: time, 10 s"] is None
    assert met["ours INT8: RTF of the long file"] is None
    assert met["ours INT8: p95 of 8 callers / one caller, 10 s"] is True
    assert met["ours INT8 / sherpa-onnx as published: 8 callers' audio a second"] is None
    assert len(met) == 12


def test_markdown_has_every_row_and_says_why_one_is_missing() -> None:
    text = to_markdown(ROWS, conditions={"machine": "a box", "threads": 2})
    assert "machine a box; threads 2" in text
    assert "| ours int8 | 241 | 1.00 (1.00–1.00) | – | 100 (100–225) |" in text
    assert "- onnx-asr could not be measured: Model 'x' | not supported" in text
    assert "| ours INT8 / ours FP32: RSS | ≤ 0.35 | 0.360 | missed |" in text
    assert "| sherpa-onnx as published / ours INT8: time, 10 s | ≥ 3.7 | 3.900 | met |" in text


def test_json_keeps_every_round_and_verdict() -> None:
    read = json.loads(to_json(ROWS, conditions={"threads": 2}))
    assert read["conditions"] == {"threads": 2}
    assert [one["name"] for one in read["rows"]] == [one.name for one in ROWS]
    assert [found["latency_ms_10s"] for found in read["rows"][0]["rounds"]] == [400, 900, 410]
    assert {bar["met"] for bar in read["bars"]} == {True, False, None}


def test_the_plot_is_a_picture(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot(ROWS, tmp_path / "made" / "peers.png")
    assert (tmp_path / "made" / "peers.png").read_bytes().startswith(b"\x89PNG")


# ---- processes ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    (tmp_path / "audio").mkdir()
    rng = np.random.default_rng(0)
    for duration_s in (3, 10, 30, 40):
        soundfile.write(tmp_path / "audio" / f"{duration_s}s.wav", rng.normal(0, 0.1, duration_s * 16_000), 16_000, subtype="PCM_16")
    return Plan(
        folder=tmp_path,
        file=tmp_path / "audio" / "40s.wav",
        peers_python=tmp_path / "no python",
        threads=1,
        rounds=2,
        whole_rounds=1,
        repeats=2,
        callers=3,
    )


@pytest.fixture
def bundle_in_place(plan: Plan, tiny_bundle: Path) -> Path:
    (plan.folder / "bundle").symlink_to(tiny_bundle)
    return plan.folder


def test_every_variant_of_ours_and_every_peer_takes_part(bundle_in_place: Path) -> None:
    found = contenders(bundle_in_place)
    assert [one.name for one in found[:2]] == [OURS_FP32, OURS_INT8]
    assert found[2:] == THE_PEERS
    assert found[0].size_mb(bundle_in_place) > 0
    assert THE_PEERS[0].size_mb(bundle_in_place) is None


def test_ours_is_measured_and_a_peer_that_cannot_start_is_a_row_that_says_why(bundle_in_place: Path, plan: Plan) -> None:
    ours = contenders(bundle_in_place)[1]
    wrong = Contender(name="ours lost", adapter="ours", model="int3", precision="int8", files=(), python="ours")
    rows = measure([ours, THE_PEERS[0], wrong], plan)
    assert [len(one.rounds) for one in rows] == [2, 0, 0]
    assert rows[1].error == "its Python cannot be started (No such file or directory)"
    assert "UnknownPrecisionError" in rows[2].error
    first, second = rows[0].rounds
    assert set(first) - set(second) == {"file_rtf", "file_segments", "callers_audio_s_per_s", "callers_p95_ms"}
    assert first["cold_start_s"] > 0
    assert 0 < first["rss_mb"] <= first["rss_peak_mb"]
    assert first["callers_audio_s_per_s"] > 0


def test_a_process_that_dies_says_how(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measuring.subprocess, "run", lambda *_, **__: measuring.subprocess.CompletedProcess([], -9, "", ""))
    (only,) = measure([THE_PEERS[0]], plan)
    assert only.error == "its process ended by signal 9: it said nothing"


def test_rounds_turn_the_order_about(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, bool]] = []

    def run(contender: Contender, _: Plan, *, whole: bool) -> tuple[dict[str, float], None]:
        seen.append((contender.name, whole))
        return {"rss_mb": 1.0}, None

    monkeypatch.setattr(measuring, "_run", run)
    told: list[list[int]] = []
    measure(THE_PEERS[:2], plan, after_round=lambda rows: told.append([len(row.rounds) for row in rows]))
    assert told == [[1, 1], [2, 2]]
    first, second = (one.name for one in THE_PEERS[:2])
    assert seen == [(first, True), (second, True), (second, False), (first, False)]


def test_the_process_of_ours_loads_no_other_runtime(bundle_in_place: Path, plan: Plan) -> None:
    task = child.Task(
        folder=str(bundle_in_place),
        adapter="ours",
        model="fp32",
        threads=1,
        repeats=1,
        callers=0,
        file="",
        result=str(plan.folder / "figures.json"),
        started_s=0.0,
    )
    code = "import json, sys; from benchmarks.peers import child; child.main(); print(json.dumps([*sys.modules]))"
    done = measuring.subprocess.run(
        [sys.executable, "-c", code, task.to_json()], cwd=measuring.ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert {"engine", "onnxruntime"} <= loaded
    assert loaded.isdisjoint({"torch", "funasr", "openvino", "models", "matplotlib", "gradio"})


def test_a_callers_failure_is_the_rows_reason() -> None:
    class Breaks:
        def recognize(self, samples: np.ndarray) -> str:
            raise RuntimeError("not thread-safe")

    with pytest.raises(RuntimeError, match="not thread-safe"):
        child.run_callers(lambda: Breaks().recognize(np.zeros(10, np.float32)), callers=2, calls=3)


def test_every_peer_is_pinned() -> None:
    pinned = {line.split("==")[0].replace("-", "_") for line in PINNED.read_text(encoding="utf-8").splitlines() if "==" in line}
    assert {"funasr", "torch", "funasr_onnx", "sherpa_onnx", "onnx_asr", "onnxruntime", "openvino", "nncf"} <= pinned
