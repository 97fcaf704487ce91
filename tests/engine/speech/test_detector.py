"""Speech detection: windows equal one pass, and the real weights give the reference's segments."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.audio.waveform import BLOCK_S, Waveform, load_audio
from engine.errors import GraphContractError
from engine.runtime.session import Session
from engine.speech.detector import CONTEXT_FRAMES, SpeechDetector
from engine.speech.endpointing import VadOptions
from engine.speech.features import Cmvn, FrameStack, Frontend
from engine.speech.frame_stream import FrameStream, NewFrames
from engine.speech.speech_stream import SpeechStream, find_spans, spans_in

EXAMPLES = Path(__file__).resolve().parents[3] / "ui" / "examples"


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


@pytest.mark.parametrize("size", [100, 251, 999])
def test_a_stream_scores_the_frames_of_one_pass(starter_bundle: Path, size: int) -> None:
    frames = np.random.default_rng(0).normal(8, 3, (1_000, 80)).astype(np.float32)
    detector, session = detector_of(starter_bundle / "vad.fp32.onnx", starter_bundle / "vad.mvn")
    whole = detector.silence_between(frames, 0, len(frames))
    assert session.lengths == [1_000]
    scored: list[np.ndarray] = []
    stream = SpeechStream(VadOptions(), on_scored=scored.append)
    for start in range(0, len(frames), size):
        part = frames[start : start + size]
        stream.add(NewFrames(part, np.zeros(len(part), np.float32)), detector)
    stream.finish(detector, duration_ms=10_015)
    np.testing.assert_allclose(np.concatenate(scored), whole, atol=1e-5)
    assert max(session.lengths[1:]) <= size + CONTEXT_FRAMES + detector.frames_ahead


def test_a_graph_that_answers_something_else_is_refused() -> None:
    class Wrong:
        input_names, output_names = ("speech",), ("probs",)

        def run(self, output_names: Any, feeds: Any) -> list[Any]:
            return [np.zeros((1, 3, 2), np.float32)]

    stack = FrameStack(lfr_m=5, lfr_n=1, cmvn=Cmvn(np.zeros(400, np.float32), np.ones(400, np.float32)))
    with pytest.raises(GraphContractError, match="for 9 frames"):
        SpeechDetector(Wrong(), Frontend(asr=stack, vad=stack)).silence_between(np.zeros((9, 80), np.float32), 0, 9)


def test_silence_is_no_speech(starter_bundle: Path) -> None:
    detector, _ = detector_of(starter_bundle / "vad.fp32.onnx", starter_bundle / "vad.mvn")
    for samples in (np.zeros(100, np.float32), np.zeros(48_000, np.float32)):
        assert find_spans(Waveform(samples), detector, VadOptions()) == ()


def test_frames_that_are_all_there_give_the_spans_of_a_recording_that_is_read(starter_bundle: Path) -> None:
    detector, _ = detector_of(starter_bundle / "vad.fp32.onnx", starter_bundle / "vad.mvn")
    digits = load_audio(EXAMPLES / "digits-en.flac").samples
    waveform = Waveform(np.concatenate([digits, np.zeros(20_000, np.float32)] * 8))
    assert waveform.duration_s > BLOCK_S
    spans = find_spans(waveform, detector, VadOptions())
    assert len(spans) >= 8
    new = FrameStream().add(waveform.samples)
    assert spans_in(new, detector, VadOptions(), duration_ms=waveform.duration_ms) == spans


@pytest.mark.weights
def test_the_real_weights_give_the_golden_segments(data_dir: Path) -> None:
    folder = data_dir / "fsmn-vad"
    detector, _ = detector_of(folder / "model.onnx", folder / "am.mvn")
    waveform = load_audio(folder / "vad_example.wav")
    spans = find_spans(waveform, detector, VadOptions(max_segment_ms=60_000))
    golden = json.loads((folder / "golden_segments_ms.json").read_text(encoding="utf-8"))
    assert len(spans) == len(golden)
    for span, (start_ms, end_ms) in zip(spans, golden, strict=True):
        assert abs(span.start_ms - start_ms) <= 10
        # The file's last end, 70 660 ms, lies 190 ms behind the recording's last sample; FunASR 1.4.16 answers 70 450 itself.
        assert abs(span.end_ms - min(end_ms, waveform.duration_ms)) <= 10
