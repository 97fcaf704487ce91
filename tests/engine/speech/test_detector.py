"""Speech detection: windows equal one pass, and the real weights give the reference's segments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine.speech.detector as vad_module
from engine.audio.waveform import Waveform, load_audio
from engine.errors import GraphContractError
from engine.runtime.session import Session
from engine.speech.detector import SpeechDetector
from engine.speech.endpointing import VadOptions
from engine.speech.features import Cmvn, FrameStack, Frontend, fbank


class CountingSession:
    """Passes runs on to a real session and remembers how long each was."""

    def __init__(self, session: Session) -> None:
        self.session, self.lengths = session, []
        self.input_names, self.output_names = session.input_names, session.output_names

    def run(self, output_names: Sequence[str] | None, feeds: Mapping[str, Any]) -> list[Any]:
        self.lengths.append(next(iter(feeds.values())).shape[1])
        return self.session.run(output_names, feeds)


def detector_of(graph: Path, mvn: Path) -> tuple[SpeechDetector, CountingSession]:
    session = CountingSession(Session.open(graph, model="vad", precision="fp32"))
    stack = FrameStack(lfr_m=5, lfr_n=1, cmvn=Cmvn.load(mvn, expected_dim=400))
    return SpeechDetector(session, Frontend(asr=stack, vad=stack)), session


@pytest.mark.parametrize("window", [100, 251, 999])
def test_windows_give_the_frames_of_one_pass(starter_bundle: Path, monkeypatch: pytest.MonkeyPatch, window: int) -> None:
    frames = np.random.default_rng(0).normal(8, 3, (1_000, 80)).astype(np.float32)
    detector, session = detector_of(starter_bundle / "vad.fp32.onnx", starter_bundle / "vad.mvn")
    whole = detector.silence_probabilities(frames)
    assert session.lengths == [1_000]
    monkeypatch.setattr(vad_module, "WINDOW_FRAMES", window)
    seen: list[float] = []
    np.testing.assert_allclose(detector.silence_probabilities(frames, progress=seen.append), whole, atol=1e-5)
    assert max(session.lengths[1:]) <= window + vad_module.CONTEXT_FRAMES
    assert seen == sorted(seen)
    assert seen[-1] == 1.0


def test_a_graph_that_answers_something_else_is_refused() -> None:
    class Wrong:
        input_names, output_names = ("speech",), ("probs",)

        def run(self, output_names: Any, feeds: Any) -> list[Any]:
            return [np.zeros((1, 3, 2), np.float32)]

    stack = FrameStack(lfr_m=5, lfr_n=1, cmvn=Cmvn(np.zeros(400, np.float32), np.ones(400, np.float32)))
    with pytest.raises(GraphContractError, match="for 9 frames"):
        SpeechDetector(Wrong(), Frontend(asr=stack, vad=stack)).silence_probabilities(np.zeros((9, 80), np.float32))


def test_silence_is_no_speech(starter_bundle: Path) -> None:
    detector, _ = detector_of(starter_bundle / "vad.fp32.onnx", starter_bundle / "vad.mvn")
    for samples in (np.zeros(100, np.float32), np.zeros(48_000, np.float32)):
        assert detector.detect(Waveform(samples), fbank(samples), VadOptions()) == ()


@pytest.mark.weights
def test_the_real_weights_give_the_golden_segments(data_dir: Path) -> None:
    folder = data_dir / "fsmn-vad"
    detector, _ = detector_of(folder / "model.onnx", folder / "am.mvn")
    waveform = load_audio(folder / "vad_example.wav")
    spans = detector.detect(waveform, fbank(waveform.samples), VadOptions(max_segment_ms=60_000))
    golden = json.loads((folder / "golden_segments_ms.json").read_text(encoding="utf-8"))
    assert len(spans) == len(golden)
    for span, (start_ms, end_ms) in zip(spans, golden, strict=True):
        assert abs(span.start_ms - start_ms) <= 10
        # The file's last end, 70 660 ms, lies 190 ms behind the recording's last sample; FunASR 1.4.16 answers 70 450 itself.
        assert abs(span.end_ms - min(end_ms, waveform.duration_ms)) <= 10
