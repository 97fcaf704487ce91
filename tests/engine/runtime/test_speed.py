"""Speed is what was measured, by variant, and forgets old runs."""

from __future__ import annotations

import pytest

from engine.audio.waveform import load_audio
from engine.bundle import Bundle
from engine.options import TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.speed import RUNS_KEPT, Speed, SpeedLog
from tests.starter_facts import DIGITS


def test_the_median_of_the_latest_runs_counts() -> None:
    log = SpeedLog()
    assert log.read("starter") == {}
    for _ in range(RUNS_KEPT):
        log.add("starter", "fp32", compute_s=50.0, duration_s=10.0)
    for _ in range(RUNS_KEPT - 1):
        log.add("starter", "fp32", compute_s=1.0, duration_s=10.0)
    log.add("starter", "int8", compute_s=0.2, duration_s=10.0)
    log.add("other", "int8", compute_s=7.0, duration_s=10.0)
    assert log.read("starter") == {
        "fp32": Speed(rtf=0.1, runs=RUNS_KEPT, low=0.1, high=0.1),
        "int8": Speed(rtf=0.02, runs=1, low=0.02, high=0.02),
    }


def test_the_engine_notes_runs_that_recognized_something(starter_bundle) -> None:
    engine = Engine(Bundle.load(starter_bundle))
    spoken = load_audio(DIGITS)
    silence = type(spoken)(spoken.samples * 0, name="silence")
    assert engine.transcribe(silence).segments == ()
    assert engine.speeds() == {}
    timing = engine.transcribe(spoken, TranscribeOptions(precision="int8")).timing
    speed = engine.speeds()["int8"]
    assert speed.runs == 1
    assert 0 < speed.rtf <= timing.rtf  # opening the sessions is in the timing, not in the speed
    engine.close()


def test_the_middle_half_of_the_runs_is_the_spread() -> None:
    log = SpeedLog()
    for rtf in (0.1, 0.2, 0.3, 0.4, 0.5):
        log.add("starter", "fp32", compute_s=rtf, duration_s=1.0)
    speed = log.read("starter")["fp32"]
    assert (speed.low, speed.rtf, speed.high) == pytest.approx((0.2, 0.3, 0.4))


def test_how_many_times_as_fast_has_a_spread_too() -> None:
    full, light = Speed(rtf=0.4, runs=5, low=0.3, high=0.5), Speed(rtf=0.1, runs=5, low=0.1, high=0.2)
    assert light.times_as_fast(full) == pytest.approx((4.0, 1.5, 5.0))
