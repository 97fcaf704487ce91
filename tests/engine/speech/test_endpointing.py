"""The end-point state machine: against FunASR's own on many tracks, and its plain properties."""

from __future__ import annotations

import math
import warnings
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import OptionRangeError
from engine.speech.endpointing import FRAME_MS, SpeechSpan, VadOptions, find_speech, frame_decibels

EPSILON = 1e-6


def track(*runs: tuple[int, float]) -> np.ndarray:
    """A silence-probability track from (frames, probability) runs."""
    return np.concatenate([np.full(frames, value) for frames, value in runs]).clip(EPSILON, 1 - EPSILON)


def random_track(rng: np.random.Generator, *, frames: int, run: int) -> np.ndarray:
    """Noisy alternation of speech and silence in runs of up to ``run`` frames."""
    values: list[float] = []
    silent = rng.random() < 0.5
    while len(values) < frames:
        values.extend(rng.normal(0.95 if silent else 0.05, 0.15, int(rng.integers(1, run))))
        silent = not silent
    return np.array(values[:frames]).clip(EPSILON, 1 - EPSILON)


@pytest.fixture(scope="module")
def reference():
    """FunASR's post-processing on a silence track: -> [[start_ms, end_ms], …]."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch = pytest.importorskip("torch")
        streaming = pytest.importorskip("funasr.models.fsmn_vad_streaming.model")
        register = pytest.importorskip("funasr.register")

    class Echo(torch.nn.Module):
        """An encoder whose scores are its features."""

        def forward(self, feats: Any, cache: Any = None) -> Any:
            return feats

    register.tables.encoder_classes["EchoEncoder"] = Echo

    def run(silence: np.ndarray, samples: np.ndarray, **options: Any) -> list[list[int]]:
        model = streaming.FsmnVADStreaming(encoder="EchoEncoder", encoder_conf={}, **options)
        cache: dict[str, Any] = {}
        model.init_cache(cache)
        scores = torch.tensor(np.stack([silence, 1 - silence], -1)[None], dtype=torch.float64)
        answer = model.forward(scores, torch.tensor(samples)[None], cache=cache, is_final=True, is_streaming_input=False)
        return [segment for part in answer for segment in part]

    return run


OPTION_SETS = [
    {},
    {"max_segment_ms": 3_000},
    {"max_segment_ms": 60_000, "max_end_silence_ms": 300},
    {"max_segment_ms": 500, "speech_noise_threshold": 0.2},
    {"max_end_silence_ms": 160, "lookback_ms": 0, "lookahead_ms": 0},
    {"max_end_silence_ms": 1500, "lookahead_ms": 300, "lookback_ms": 400},
    {"max_end_silence_ms": 995, "speech_noise_threshold": 0.9, "lookahead_ms": 50},
]
THEIR_NAMES = {
    "max_segment_ms": "max_single_segment_time",
    "max_end_silence_ms": "max_end_silence_time",
    "speech_noise_threshold": "speech_noise_thres",
    "lookback_ms": "lookback_time_start_point",
    "lookahead_ms": "lookahead_time_end_point",
    "min_decibel": "decibel_thres",
}
EDGE_TRACKS = {
    "one silent frame": track((1, 0.99)),
    "one spoken frame": track((1, 0.01)),
    "all silence": track((700, 1.0)),
    "all speech": track((700, 0.0)),
    "far too long": track((4000, 0.0)),
    "ends in speech": track((200, 1.0), (300, 0.0)),
    "begins in speech": track((300, 0.0), (300, 1.0)),
    "a click": track((200, 1.0), (3, 0.0), (400, 1.0)),
    "just long enough": track((200, 1.0), (15, 0.0), (400, 1.0)),
    "pause of exactly the patience": track((100, 1.0), (200, 0.0), (80, 1.0), (200, 0.0), (100, 1.0)),
    "flutter": track(*[(7, 0.0), (7, 1.0)] * 60),
    "undecided": track((500, 0.5)),
    "turns on at the last frame": track((100, 1.0), (15, 0.0)),
}


def compare_with(reference: Any, silence: np.ndarray, options: dict[str, Any], *, level: float = 0.1) -> None:
    samples = np.full((len(silence) - 1) * 160 + 400, level, np.float32)
    theirs = {"max_single_segment_time": 30_000, **{THEIR_NAMES[name]: value for name, value in options.items()}}
    expected = reference(silence, samples, **theirs)
    spans = find_speech(silence, frame_decibels(samples, frames=len(silence)), VadOptions(**options))
    assert [[span.start_ms, span.end_ms] for span in spans] == expected


@pytest.mark.parametrize("options", OPTION_SETS, ids=str)
@pytest.mark.parametrize("name", EDGE_TRACKS)
def test_edge_cases_equal_funasr(reference: Any, name: str, options: dict[str, Any]) -> None:
    compare_with(reference, EDGE_TRACKS[name], options)


@pytest.mark.parametrize("seed", range(40))
def test_random_tracks_equal_funasr(reference: Any, seed: int) -> None:
    rng = np.random.default_rng(seed)
    silence = random_track(rng, frames=int(rng.integers(1, 1500)), run=(5, 30, 100, 400)[seed % 4])
    compare_with(reference, silence, OPTION_SETS[seed % len(OPTION_SETS)])


def test_the_loudness_gate_equals_funasr(reference: Any) -> None:
    silence = track((100, 1.0), (200, 0.0), (200, 1.0))
    compare_with(reference, silence, {"min_decibel": 0.0}, level=0.1)
    compare_with(reference, silence, {"min_decibel": 10.0}, level=0.1)
    samples = np.full(499 * 160 + 400, 0.1, np.float32)
    decibels = frame_decibels(samples, frames=500)
    assert len(find_speech(silence, decibels, VadOptions(min_decibel=0.0))) == 1
    assert find_speech(silence, decibels, VadOptions(min_decibel=10.0)) == ()


def test_energy_is_measured_per_frame() -> None:
    samples = np.concatenate([np.zeros(1600), np.full(1600, 0.5)]).astype(np.float32)
    decibels = frame_decibels(samples, frames=18)
    expected = [10 * math.log10(float(np.sum(np.square(samples[i * 160 : i * 160 + 400], dtype=np.float64))) + 1e-6) for i in range(18)]
    np.testing.assert_allclose(decibels, expected, atol=1e-4)


@settings(max_examples=200, deadline=None)
@given(
    values=st.lists(st.floats(0, 1), max_size=400),
    max_segment_ms=st.sampled_from([500, 1_000, 30_000]),
    max_end_silence_ms=st.sampled_from([160, 800]),
)
def test_spans_are_ordered_apart_and_bounded(values: list[float], max_segment_ms: int, max_end_silence_ms: int) -> None:
    silence = np.repeat(values, 5)
    spans = find_speech(silence, None, VadOptions(max_segment_ms=max_segment_ms, max_end_silence_ms=max_end_silence_ms))
    for span in spans:
        assert 0 <= span.start_ms < span.end_ms <= len(silence) * FRAME_MS
        assert span.end_ms - span.start_ms <= max_segment_ms + FRAME_MS
    for before, after in pairwise(spans):
        assert before.end_ms <= after.start_ms


def test_a_span_never_exceeds_thirty_seconds_unless_asked() -> None:
    spans = find_speech(track((7000, 0.0)), None, VadOptions())
    assert len(spans) == 3
    assert max(span.end_ms - span.start_ms for span in spans) <= 30_010


def test_silence_is_no_span() -> None:
    assert find_speech(track((500, 1.0)), None, VadOptions()) == ()
    assert find_speech(np.zeros(0), None, VadOptions()) == ()


def test_a_word_between_silences_gets_its_margins() -> None:
    assert find_speech(track((100, 1.0), (100, 0.0), (200, 1.0)), None, VadOptions()) == (SpeechSpan(740, 2_160),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("speech_noise_threshold", 2.0),
        ("max_segment_ms", 100),
        ("max_segment_ms", 10**9),
        ("max_end_silence_ms", float("nan")),
        ("window_ms", "200"),
        ("lookback_ms", True),
        ("silence_to_speech_ms", 400),
        ("max_end_silence_ms", 150),
    ],
)
def test_options_out_of_range_are_named(name: str, value: Any) -> None:
    with pytest.raises(OptionRangeError, match=name):
        VadOptions(**{name: value})
