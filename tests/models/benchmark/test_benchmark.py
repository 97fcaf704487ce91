"""Figures come from fresh processes, are divided round by round, and stand beside claims without anything made up."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import msgspec
import numpy as np
import psutil
import pytest

from engine.audio.waveform import Waveform
from engine.bundle import Bundle
from engine.errors import AudioNotFoundError, BundleFileMissingError, OptionRangeError, ProviderUnavailableError, UnknownPrecisionError
from engine.pipeline import Engine
from engine.runtime.session import rss_mb
from models.benchmark import benchmark as benchmark_module
from models.benchmark import child as benchmark_child
from models.benchmark import process_meter
from models.benchmark.benchmark import NO_SENSOR, NothingToMeasureError, benchmark
from models.benchmark.child import Measure, Task, percentiles, time_ms
from models.benchmark.clip import PAUSE_S, PHRASE_S, clip_samples, synthetic_speech
from models.benchmark.machine import this_machine
from models.benchmark.process_meter import package_temperature_c, peak_rss_mb
from models.benchmark.report import plots, to_json, to_markdown
from models.benchmark.result import BARS, BenchmarkResult, Row, check_bars
from models.benchmark.tutorial_claims import Change, Tutorial, beside_ours, published_claims
from models.bundle.manifest import read_manifest, write_manifest
from tests.starter_facts import DIGITS, STARTER

ROOT = Path(__file__).resolve().parents[3]
BROKEN = "int8-broken"


@pytest.fixture(scope="module")
def bundle_with_a_broken_variant(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark") / "bundle"
    shutil.copytree(STARTER, folder)
    (folder / "asr.broken.onnx").write_bytes(b"no graph at all")
    manifest = read_manifest(folder)
    manifest["variants"][BROKEN] = {"asr": "asr.broken.onnx", "vad": manifest["variants"]["int8"]["vad"]}
    del manifest["files"], manifest["format"]
    write_manifest(folder, manifest)
    return folder


@pytest.fixture(scope="module")
def measured(bundle_with_a_broken_variant, tmp_path_factory) -> BenchmarkResult:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return benchmark([bundle_with_a_broken_variant], durations_s=(1, 10), repeats=2, threads=1, audio=DIGITS)


# ---- a real run ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_precision_has_every_figure_in_every_round(measured, precision):
    [row] = [row for row in measured.rows if row.precision == precision]
    assert row.error is None and len(row.rounds) == measured.rounds == 2
    for figures in row.rounds:
        assert all(math.isfinite(value) and value >= 0 for value in figures.values())
        stages = figures["import_s"] + figures["open_s"] + figures["first_s"]
        assert figures["cold_start_s"] == pytest.approx(stages) and min(figures["import_s"], figures["open_s"]) > 0
        assert 0 < figures["asr_p50_ms_1s"] <= figures["asr_p95_ms_1s"]
        assert figures["asr_p50_ms_1s"] < figures["asr_p50_ms_10s"]
        assert figures["rss_base_mb"] < figures["rss_open_mb"] <= figures["rss_peak_mb"]
        assert figures["rss_used_mb"] <= figures["rss_peak_mb"]
        assert figures["vad_rss_peak_mb"] < figures["rss_peak_mb"]
        assert 0 < figures["vad_p50_ms_10s"] <= figures["vad_p95_ms_10s"]
        assert 0 < figures["rtf"] < 1 and 0 < figures["cpu_s_per_audio_s"] < 1 and 0 < figures["vad_rtf"] < 1
        assert 0.2 < figures["speech_share"] < 1
        assert "gpu_memory_mb" not in figures


def test_sizes_are_those_of_the_files_with_their_external_weights(measured, bundle_with_a_broken_variant):
    for row in measured.rows[:2]:
        asr, vad = (
            sum(path.stat().st_size for path in bundle_with_a_broken_variant.glob(f"{model}.{row.precision}.onnx*"))
            for model in ("asr", "vad")
        )
        assert (row.figures["asr_mb"], row.figures["vad_mb"]) == (asr / 1e6, vad / 1e6)
        assert row.figures["both_mb"] == pytest.approx((asr + vad) / 1e6)
        assert sum(row.files.values()) == asr + vad
        assert f"asr.{row.precision}.onnx.data" in row.files


def test_a_precision_that_cannot_be_opened_carries_its_error_and_the_others_go_on(measured):
    assert [row.precision for row in measured.rows] == ["fp32", "int8", BROKEN]
    broken = measured.rows[2]
    assert "asr.broken.onnx" in broken.error and broken.rounds == ()
    assert measured.ratios(broken) == {}
    assert f"{BROKEN} was not measured: asr.broken.onnx" in to_markdown(measured)


def test_the_run_says_how_and_where_it_was_taken(measured):
    assert (measured.threads, measured.repeats, measured.durations_s, measured.clip) == (1, 2, (1.0, 10.0), DIGITS.name)
    assert replace(measured.machine, when="") == replace(this_machine(), when="")
    assert measured.machine.cpu and measured.machine.when.startswith("20") and "onnxruntime" in measured.machine.onnxruntime


def test_the_json_holds_every_round_and_is_strict(measured):
    read = json.loads(to_json(measured), parse_constant=pytest.fail)
    int8 = read["rows"][1]
    assert int8["rounds"] == [dict(figures) for figures in measured.rows[1].rounds]
    assert int8["figures"] == measured.rows[1].figures
    assert int8["ratios_to_fp32"]["both_mb"] == pytest.approx(int8["figures"]["both_mb"] / read["rows"][0]["figures"]["both_mb"])
    assert read["machine"]["cpu"] and read["bars"] == []
    assert len(read["claims"][read["rows"][0]["folder"]]) == len(published_claims())


def test_the_measured_process_loads_the_engine_alone():
    code = "import sys, models.benchmark.child; print({'torch', 'onnx', 'funasr', 'matplotlib', 'gradio', 'librosa'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "set()"


# ---- what a child does -----------------------------------------------------------------------------------------------


@pytest.fixture
def task(tmp_path) -> Task:
    np.save(tmp_path / "clip.npy", synthetic_speech(30))
    return Task(
        measure=Measure.VAD,
        bundle=str(STARTER),
        precision="int8",
        clip=str(tmp_path / "clip.npy"),
        result=str(tmp_path / "figures.json"),
        device="cpu",
        threads=1,
        durations_s=(1.0,),
        repeats=1,
        soak_s=0.05,
        started_s=0.0,
    )


def test_a_task_survives_the_command_line(task):
    assert msgspec.json.decode(msgspec.json.encode(task), type=Task) == task


def test_vad_is_measured_with_no_other_graph_open(task, monkeypatch):
    opened = []
    open_session = benchmark_child.open_session

    def noting(bundle, *, model, **options):
        opened.append(model)
        return open_session(bundle, model=model, **options)

    monkeypatch.setattr(benchmark_child, "open_session", noting)
    assert benchmark_child.measure_vad(task)["vad_p50_ms_10s"] > 0
    assert opened == ["vad"]


def test_a_soak_keeps_the_first_the_last_and_the_highest_temperature(task, monkeypatch):
    readings = iter([50.0, 80.0])
    monkeypatch.setattr(benchmark_child, "package_temperature_c", lambda: next(readings, 70.0))
    monkeypatch.setattr(benchmark_child, "_Opened", lambda task: SimpleNamespace(engine=lambda task: slow_engine()))
    now_s = [100.0]
    monkeypatch.setattr(benchmark_child, "time", SimpleNamespace(monotonic=lambda: now_s[0]))

    def slow_engine():
        def transcribe(waveform, options):
            assert waveform.duration_s == 30 and options.precision == "int8"
            now_s[0] += 0.02
            return SimpleNamespace(timing=SimpleNamespace(rtf=0.25))

        return SimpleNamespace(transcribe=transcribe)

    figures = benchmark_child.measure_soak(task)
    assert (figures["temperature_before_c"], figures["temperature_after_c"], figures["temperature_max_c"]) == (50.0, 70.0, 80.0)
    assert figures["soak_s"] >= task.soak_s and figures["soak_rtf"] == 0.25


def test_an_error_of_the_engine_is_written_for_the_parent(task, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["child", msgspec.json.encode(msgspec.structs.replace(task, precision="nope")).decode()])
    assert benchmark_child.main() == 1
    assert "nope" in json.loads((tmp_path / "figures.json").read_text())["error"]


def test_the_first_run_is_not_counted():
    calls = []
    assert len(time_ms(lambda: calls.append(1), repeats=3)) == 3
    assert len(calls) == 4


def test_percentiles_lie_between_the_runs():
    assert percentiles("asr", [10.0, 20.0, 30.0, 40.0, 50.0], "3s") == {"asr_p50_ms_3s": 30.0, "asr_p95_ms_3s": pytest.approx(48.0)}


def test_the_peak_is_at_least_what_is_resident_now():
    held = np.ones(30_000_000, np.uint8)
    peak = peak_rss_mb()
    assert peak >= 0.95 * rss_mb()
    del held
    assert peak_rss_mb() >= peak - 1  # the kernel counts pages in batches


@pytest.mark.parametrize(
    ("sensors", "expected"),
    [
        ({}, None),
        ({"nvme": [("", 40.0)]}, None),
        ({"coretemp": [("Core 0", 90.0), ("Package id 0", 71.0)]}, 71.0),
        ({"acpitz": [("", 20.0)], "k10temp": [("Tctl", 65.5), ("Tccd1", 80.0)]}, 65.5),
        ({"cpu_thermal": [("", 55.0), ("", 57.0)]}, 57.0),
    ],
)
def test_the_package_is_preferred_among_temperatures(monkeypatch, sensors, expected):
    entries = {name: [SimpleNamespace(label=label, current=value) for label, value in rows] for name, rows in sensors.items()}
    monkeypatch.setattr(process_meter.psutil, "sensors_temperatures", lambda: entries, raising=False)
    assert package_temperature_c() == expected


def test_a_system_without_temperatures_has_none(monkeypatch):
    monkeypatch.delattr(psutil, "sensors_temperatures", raising=False)
    assert package_temperature_c() is None


# ---- the clip --------------------------------------------------------------------------------------------------------


def test_synthetic_speech_is_the_same_each_time_with_pauses():
    first = synthetic_speech(6.0)
    assert len(first) == 96_000 and first.dtype == np.float32 and np.abs(first).max() <= 0.25
    assert np.array_equal(first, synthetic_speech(6.0))
    pause = first[int((PHRASE_S + 0.1) * 16_000) : int((PHRASE_S + PAUSE_S) * 16_000)]
    assert np.abs(pause).max() < 0.01 < np.abs(first).max()


def test_vad_takes_synthetic_speech_for_speech():
    engine = Engine(Bundle.load(STARTER))
    heard = engine.transcribe(Waveform(synthetic_speech(6.0)))
    engine.close()
    assert (heard.speech_track >= 0.5).mean() > 0.5


def test_a_recording_is_repeated_until_it_is_long_enough():
    short = clip_samples(DIGITS, duration_s=0.5)
    long = clip_samples(DIGITS, duration_s=60)
    assert len(short) == 8_000 and len(long) == 960_000
    assert np.array_equal(long[:8_000], short)
    tail = long[-16_000 * 5 :]
    assert np.abs(tail).max() > 0.05  # repeated, not padded with silence


# ---- what is refused before anything runs ----------------------------------------------------------------------------


@pytest.fixture
def no_process(monkeypatch):
    monkeypatch.setattr(benchmark_module.subprocess, "run", lambda *_, **__: pytest.fail("a process was started"))


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"precisions": ["int8", "int4"]}, UnknownPrecisionError),
        ({"audio": Path("nowhere.wav")}, AudioNotFoundError),
        ({"repeats": 0}, OptionRangeError),
        ({"rounds": 1}, OptionRangeError),
        ({"durations_s": (10, 0)}, OptionRangeError),
        ({"durations_s": (10, 600)}, OptionRangeError),
        ({"durations_s": (math.nan,)}, OptionRangeError),
        ({"durations_s": ()}, NothingToMeasureError),
        ({"soak_s": -1}, OptionRangeError),
        ({"threads": -1}, OptionRangeError),
        ({"precisions": []}, NothingToMeasureError),
        ({"device": "tpu"}, ProviderUnavailableError),
    ],
)
def test_a_wrong_option_is_an_error_before_anything_runs(no_process, options, error):
    with pytest.raises(error):
        benchmark([STARTER], **options)


def test_a_missing_bundle_is_an_error_before_anything_runs(no_process, tmp_path):
    with pytest.raises(BundleFileMissingError, match="nothing"):
        benchmark([STARTER, tmp_path / "nothing"])
    with pytest.raises(NothingToMeasureError, match="name at least one"):
        benchmark([])


# ---- the order of processes, and what becomes of their ends ------------------------------------------------------------


@pytest.fixture
def runs(monkeypatch):
    """Stands in for the processes: notes each and answers with figures, or as a test says."""
    seen = []
    answers = {}

    def run(command, **options):
        task = msgspec.json.decode(command[-1], type=Task)
        seen.append((task.precision, task.measure.value))
        answer = answers.get((task.precision, task.measure.value))
        if isinstance(answer, Exception):
            raise answer
        if answer is not None:
            return answer
        Path(task.result).write_text(json.dumps({"figures": {f"{task.measure.value}_s": float(len(seen))}}))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(benchmark_module.subprocess, "run", run)
    return SimpleNamespace(seen=seen, answers=answers)


def test_precisions_are_measured_alternately(runs):
    result = benchmark([STARTER], rounds=3)
    assert runs.seen == [("fp32", "engine"), ("fp32", "vad"), ("int8", "engine"), ("int8", "vad")] * 3
    assert [figures["engine_s"] for figures in result.rows[1].rounds] == [3.0, 7.0, 11.0]
    assert result.rows[1].figures["engine_s"] == 7.0
    assert result.rows[0].soak is None and "asked" in result.rows[0].soak_note


def test_precisions_are_those_asked_for_once(runs):
    assert [row.precision for row in benchmark([STARTER, STARTER], precisions=["int8", "int8"]).rows] == ["int8"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (subprocess.CompletedProcess([], -9, "", "loading\n"), "ended by signal 9: loading"),
        (subprocess.CompletedProcess([], 1, "", "Traceback\nMemoryError: 2 GB\n\n"), "ended with 1: MemoryError: 2 GB"),
        (subprocess.CompletedProcess([], 0, "", ""), "it wrote nothing"),
        (subprocess.TimeoutExpired([], 1), "did not finish within"),
    ],
)
def test_a_process_that_dies_is_a_row_with_a_reason_and_is_not_tried_again(runs, answer, said):
    runs.answers["fp32", "engine"] = answer
    fp32, int8 = benchmark([STARTER]).rows
    assert said in fp32.error and fp32.rounds == ()
    assert int8.error is None and len(int8.rounds) == 2
    assert runs.seen.count(("fp32", "engine")) == 1 and ("fp32", "vad") not in runs.seen


def test_a_result_of_an_earlier_process_is_never_taken_for_a_later_one(runs):
    runs.answers["int8", "engine"] = subprocess.CompletedProcess([], 0, "", "")  # ends well and writes nothing
    fp32, int8 = benchmark([STARTER]).rows
    assert fp32.error is None and "it wrote nothing" in int8.error


def test_without_a_sensor_there_is_no_soak_but_a_reason(runs, monkeypatch):
    monkeypatch.setattr(benchmark_module, "package_temperature_c", lambda: None)
    result = benchmark([STARTER], soak_s=600)
    assert not any(measure == "soak" for _, measure in runs.seen)
    assert {row.soak_note for row in result.rows} == {NO_SENSOR}
    assert NO_SENSOR in to_markdown(result)


def test_with_a_sensor_the_soaks_come_last(runs, monkeypatch):
    monkeypatch.setattr(benchmark_module, "package_temperature_c", lambda: 50.0)
    runs.answers["int8", "soak"] = subprocess.CompletedProcess([], 3, "", "too hot")
    fp32, int8 = benchmark([STARTER], soak_s=600).rows
    assert runs.seen[-2:] == [("fp32", "soak"), ("int8", "soak")]
    assert fp32.figures["soak_s"] == 9.0 and fp32.soak_note == ""
    assert int8.soak is None and "too hot" in int8.soak_note and int8.error is None


# ---- ratios and bars -------------------------------------------------------------------------------------------------


def made(rows, **changes) -> BenchmarkResult:
    fields = {"device": "cpu", "threads": 2, "durations_s": (10.0,), "repeats": 7, "rounds": 2, "soak_s": 0.0, "clip": "x"}
    return BenchmarkResult(machine=this_machine(), rows=tuple(rows), **{**fields, **changes})


def row(precision, *rounds, bundle="b", folder="/b", size=1_000_000_000, **fields) -> Row:
    return Row(bundle=bundle, folder=folder, precision=precision, files={f"asr.{precision}.onnx": size}, rounds=rounds, **fields)


def test_a_ratio_is_the_median_of_the_rounds_own():
    fp32 = row("fp32", {"x_s": 100.0}, {"x_s": 400.0}, {"x_s": 100.0})
    int8 = row("int8", {"x_s": 50.0}, {"x_s": 200.0}, {"x_s": 80.0})
    result = made([fp32, int8])
    assert result.ratios(int8) == {"x_s": 0.5}  # of the medians it would be 0.8
    assert result.ratios(fp32) == {"x_s": 1.0}


def test_ratios_are_taken_within_a_bundle_and_need_its_fp32():
    rows = [row("fp32", {"x_s": 1.0}, folder="/one"), row("int8", {"x_s": 2.0}, folder="/two"), row("int8", {"x_s": 3.0}, folder="/one")]
    result = made(rows)
    assert [result.ratios(one) for one in rows] == [{"x_s": 1.0}, {}, {"x_s": 3.0}]
    assert "nothing to divide by" in to_markdown(made(rows[1:2]))


def test_a_figure_that_is_zero_in_fp32_has_no_ratio():
    rows = [row("fp32", {"x_s": 0.0, "speech_share": 1.0}), row("int8", {"x_s": 2.0, "speech_share": 1.0})]
    assert made(rows).ratios(rows[1]) == {}


FULL = {"both_mb": 940.0, "open_s": 4.0, "rss_open_mb": 1000.0, "asr_p50_ms_10s": 400.0}


def test_bars_are_judged_at_full_size():
    small = {"both_mb": 242.0, "open_s": 1.6, "rss_open_mb": 361.0}
    verdicts = {one.bar: one for one in check_bars(made([row("fp32", FULL), row("int8", small)]))}
    assert list(verdicts) == list(BARS)
    assert verdicts["size"].met is True and verdicts["size"].ratio == pytest.approx(0.2574, abs=1e-4)
    assert verdicts["load"].met is True and verdicts["load"].ratio == verdicts["load"].limit == 0.4
    assert verdicts["RSS after opening"].met is False
    assert verdicts["latency at 10 s"].met is None and verdicts["latency at 10 s"].ratio is None


def test_bars_in_words():
    text = to_markdown(made([row("fp32", FULL), row("int8", {"both_mb": 242.0, "rss_open_mb": 361.0})]))
    assert "| b: size | ≤ 0.26 | 0.257 | met |" in text
    assert "| b: RSS after opening | ≤ 0.36 | 0.361 | missed |" in text
    assert "| b: load | ≤ 0.40 | – | not measured here |" in text


def test_a_small_bundle_or_one_without_int8_is_judged_by_no_bar():
    assert check_bars(made([row("fp32", FULL, size=14_000_000), row("int8", FULL)])) == []
    assert check_bars(made([row("fp32", FULL), row("int8-static", FULL)])) == []
    assert "no such pair" in to_markdown(made([row("fp32", FULL)]))


def test_an_int8_that_failed_has_measured_nothing_and_meets_no_bar():
    verdicts = check_bars(made([row("fp32", FULL), row("int8", error="broken")]))
    assert [one.met for one in verdicts] == [None] * len(BARS)


# ---- the claims ------------------------------------------------------------------------------------------------------


def claims(result, evaluation=None) -> dict[str, object]:
    return {f"{one.claim.tutorial.name} {one.claim.row}": one for one in beside_ours(result, "/b", evaluation)}


def test_the_claims_are_those_that_were_published():
    published = {
        (one.tutorial.name, one.row): (one.before, one.after, one.unit) if one.stated is None else one.stated for one in published_claims()
    }
    assert published == {
        ("QUANTIZATION", "model size"): (1800, 460, "MB"),
        ("QUANTIZATION", "cold start"): (8.2, 3.1, "s"),
        ("QUANTIZATION", "10 s of audio"): (1.4, 0.6, "s"),
        ("QUANTIZATION", "GPU memory"): (2.1, 1.2, "GB"),
        ("QUANTIZATION", "WER"): (8.7, 9.1, "%"),
        ("VAD", "model size"): "−75.7 %",
        ("VAD", "memory"): "−62.9 %",
        ("VAD", "CPU use"): "−60 %",
        ("VAD", "10 s of audio"): (4.72, 1.18, "s"),
        ("VAD", "temperature after 10 minutes"): (72, 58, "°C"),
        ("VAD", "boundaries that moved at most 10 ms"): "all",
        ("VAD", "VAD F1"): (92.4, 92.1, "%"),
        ("VAD", "10 % L1 pruning, then INT8: size"): (None, 38.5, "MB"),
        ("VAD", "10 % L1 pruning, then INT8: F1"): (None, 91.8, "%"),
        ("VAD", "slimmer page (no microphone, WAV only)"): "−60 MB",
    }


def test_a_claim_that_a_run_measures_has_our_figures(measured):
    folder = measured.rows[0].folder
    found = {(one.claim.tutorial, one.claim.row): one for one in beside_ours(measured, folder)}
    size = found[Tutorial.QUANTIZATION, "model size"]
    assert (size.before, size.after, size.reason) == (measured.rows[0].figures["asr_mb"], measured.rows[1].figures["asr_mb"], None)
    seconds = found[Tutorial.QUANTIZATION, "10 s of audio"]
    assert seconds.before == pytest.approx(measured.rows[0].figures["asr_p50_ms_10s"] / 1000)
    for figure in (one.claim.figure for one in found.values() if one.claim.figure and not one.claim.figure.startswith(("gpu", "temp"))):
        assert figure in measured.rows[0].figures


def test_nothing_is_made_up_where_nothing_was_measured():
    result = made([row("fp32", {"asr_mb": 10.0}), row("int8", {"asr_mb": 4.0}, soak_note=NO_SENSOR)])
    found = claims(result)
    only = found.pop("QUANTIZATION model size")
    assert (only.before, only.after) == (10.0, 4.0)
    assert all(one.before is None and one.after is None and one.reason for one in found.values())
    assert "cpu" in found["QUANTIZATION GPU memory"].reason
    assert "evaluate" in found["QUANTIZATION WER"].reason
    assert found["VAD temperature after 10 minutes"].reason == NO_SENSOR
    assert "int8-pruned was not run" in found["VAD 10 % L1 pruning, then INT8: size"].reason
    assert to_markdown(result).count("not measured here: ") == len(found)


def test_a_claim_of_a_precision_that_failed_says_so():
    found = claims(made([row("fp32", {"asr_mb": 10.0}), row("int8", error="out of memory")]))["QUANTIZATION model size"]
    assert (found.before, found.after, found.reason) == (10.0, None, "int8 failed: out of memory")
    half = claims(made([row("fp32", error="out of memory"), row("int8", {"asr_mb": 4.0})]))["QUANTIZATION model size"]
    assert (half.before, half.after, half.reason) == (None, 4.0, "fp32 failed: out of memory")


EVALUATION = {
    "bundle": "b",
    "weights": "trained",
    "precisions": {
        "fp32": {"all": {"wer": {"rate": 0.05}, "vad": {"to_labels": {"f1": 0.9}, "boundaries": None}}},
        "int8": {"all": {"wer": {"rate": 0.0525}, "vad": {"to_labels": {"f1": 0.895}, "boundaries": {"within_10_ms": 0.985}}}},
    },
}


def test_accuracy_comes_from_an_evaluation_of_the_same_bundle():
    result = made([row("fp32", {}), row("int8", {})])
    found = claims(result, EVALUATION)
    wer, boundaries = found["QUANTIZATION WER"], found["VAD boundaries that moved at most 10 ms"]
    assert (wer.before, wer.after) == (pytest.approx(5.0), pytest.approx(5.25))
    assert (boundaries.before, boundaries.after, boundaries.reason) == (None, pytest.approx(98.5), None)
    assert "holds no" in found["VAD 10 % L1 pruning, then INT8: F1"].reason
    text = to_markdown(result, evaluation=EVALUATION)
    assert "| WER | 8.7 → 9.1 % | +0.4 points | 5.00 → 5.25 % | +0.25 points |" in text
    assert "| → 98.5 % |" in text


@pytest.mark.parametrize(
    ("evaluation", "said"),
    [
        ({**EVALUATION, "bundle": "another"}, "another"),
        ({**EVALUATION, "weights": "random"}, "random"),
        ({**EVALUATION, "precisions": {}}, "holds no"),
        ({"bundle": "b"}, "holds no"),
        ({**EVALUATION, "precisions": {name: {"all": {"wer": None}} for name in ("fp32", "int8")}}, "holds no"),
    ],
)
def test_an_evaluation_that_cannot_tell_leaves_the_reason(evaluation, said):
    wer = claims(made([row("fp32", {}), row("int8", {})]), evaluation)["QUANTIZATION WER"]
    assert (wer.before, wer.after) == (None, None) and said in wer.reason


def test_the_places_of_scores_are_those_an_evaluation_writes():
    pytest.importorskip("jiwer")
    pytest.importorskip("onnx")
    from models.evaluate.evaluation import ErrorRate, Evaluation, Scores
    from models.evaluate.metrics import BoundaryErrors, ErrorCounts, Interval, VadScores

    rate = ErrorRate(
        utterances=1, counts=ErrorCounts(substitutions=1, length=20), interval=Interval(estimate=0.05, low=0.0, high=0.1), difference=None
    )
    scores = Scores(
        recordings=1,
        cer=None,
        wer=rate,
        blank_rate=None,
        frames=None,
        tags_to_reference=None,
        tags_to_labels={},
        vad_to_reference=None,
        boundaries=BoundaryErrors(errors_ms=(0, 10, 20, 0)),
        vad_to_labels=VadScores(hits=9, misses=1, false_alarms=1, rejections=5),
    )
    evaluation = Evaluation(
        bundle="b",
        version="1",
        reference="fp32",
        random_weights=False,
        seed=1,
        recordings=1,
        seconds=1.0,
        left_out=(),
        scores={name: {"all": scores} for name in ("fp32", "int8", "int8-pruned")},
    )
    found = claims(made([row("fp32", {}), row("int8", {}), row("int8-pruned", {})]), evaluation.to_json())
    measured = {name: one.after for name, one in found.items() if one.claim.score is not None}
    assert measured == {
        "QUANTIZATION WER": pytest.approx(5.0),
        "VAD boundaries that moved at most 10 ms": pytest.approx(75.0),
        "VAD VAD F1": pytest.approx(90.0),
        "VAD 10 % L1 pruning, then INT8: F1": pytest.approx(90.0),
    }


def test_degrees_and_points_are_subtracted_never_divided():
    assert all((one.change is Change.DIFFERENCE) == (one.unit in ("%", "°C")) for one in published_claims())


# ---- tables and plots ------------------------------------------------------------------------------------------------


def test_several_bundles_are_told_apart_by_name_and_then_by_folder():
    one, two = row("fp32", FULL, bundle="a", folder="/x/one"), row("fp32", FULL, bundle="b", folder="/x/two")
    assert "|  | a fp32 | b fp32 |" in to_markdown(made([one, two]))
    same = row("fp32", FULL, bundle="a", folder="/x/two")
    assert "|  | one fp32 | two fp32 |" in to_markdown(made([one, same]))


def test_figures_stand_in_their_line():
    text = to_markdown(made([row("fp32", FULL), row("int8", {"both_mb": 241.732})]))
    assert "| both on disk, MB | 940.00 | 241.73 |" in text
    assert "| ASR latency, 10 s of audio, p50, ms | 400.0 | – |" in text
    assert "GPU memory taken" not in text


def test_a_message_cannot_break_a_table():
    text = to_markdown(made([row("fp32", FULL), row("int8", error="a | b\nc")]))
    [line] = [line for line in text.splitlines() if line.startswith("| model size | 1800")]
    assert "a \\| b c" in line


def test_plots_are_pictures_and_leave_no_global_state(tmp_path):
    pytest.importorskip("matplotlib")
    code = (
        "import sys; from pathlib import Path; from tests.models.benchmark.test_benchmark import FULL, made, plots, row\n"
        "plots(made([row('fp32', FULL), row('int8', FULL), row('int8-x', error='no')]), Path(sys.argv[1]) / 'new')\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, cwd=ROOT)
    written = sorted((tmp_path / "new").iterdir())
    assert [path.name for path in written] == ["latency.png", "memory.png", "size.png"]
    assert all(path.read_bytes().startswith(b"\x89PNG") and path.stat().st_size > 3000 for path in written)


def test_nothing_measured_is_nothing_drawn(tmp_path):
    assert plots(made([row("fp32", error="no")]), tmp_path / "new") == []
    assert not (tmp_path / "new").exists()
