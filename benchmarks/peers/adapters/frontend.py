"""What a bare runtime lacks, lent by this project: features, FSMN-VAD's windows and segments, CTC decoding.

So a bare runtime is compared by its graph alone, and with the segments that all others find.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import Waveform, load_audio
from engine.speech.detector import RunsGraph, SpeechDetector
from engine.speech.endpointing import SpeechSpan, VadOptions
from engine.speech.features import Cmvn, FrameStack, Frontend, fbank
from engine.speech.frame_stream import FrameStream
from engine.speech.speech_stream import spans_in

Floats = NDArray[np.float32]

VAD_GRAPH = Path("bundle", "vad.fp32.onnx")


def frontend_of(folder: Path) -> Frontend:
    """The bundle's features for both models."""
    asr, vad = (Cmvn.load(folder / "bundle" / f"{name}.mvn", expected_dim=size) for name, size in (("asr", 560), ("vad", 400)))
    return Frontend(asr=FrameStack(7, 6, asr), vad=FrameStack(5, 1, vad))


def find_speech(file: Path, vad: RunsGraph, frontend: Frontend) -> tuple[Waveform, Floats, tuple[SpeechSpan, ...]]:
    """Decode a file: -> its samples, its fbank (T, 80), its segments."""
    waveform = load_audio(file)
    new = FrameStream().add(waveform.samples)
    return waveform, new.fbank, spans_in(new, SpeechDetector(vad, frontend), VadOptions(), duration_ms=waveform.duration_ms)


class BareRuntime:
    """A runtime that only runs graphs: ``logits`` takes FunASR's inputs and gives (1, T, V); ``vad`` runs the bundle's FSMN-VAD."""

    def __init__(self, folder: Path, *, logits: Callable[[dict[str, NDArray[Any]]], Floats], vad: RunsGraph) -> None:
        self._logits, self._vad, self._frontend = logits, vad, frontend_of(folder)
        lines = (folder / "bundle" / "tokens.txt").read_text(encoding="utf-8").splitlines()
        self._pieces = [line.rsplit(" ", 1)[0] for line in lines]

    def recognize(self, samples: Floats) -> str:
        """As :class:`benchmarks.peers.adapters.Runtime`."""
        return self._recognize(fbank(samples))

    def transcribe(self, file: Path) -> int:
        """As :class:`benchmarks.peers.adapters.Runtime`."""
        _, frames, spans = find_speech(file, self._vad, self._frontend)
        for span in spans:
            self._recognize(frames[span.start_ms // 10 : span.end_ms // 10])
        return len(spans)

    def _recognize(self, frames: Floats) -> str:
        speech = self._frontend.asr_features(frames)
        feeds = {
            "speech": speech[None],
            "speech_lengths": np.array([len(speech)], np.int32),
            "language": np.array([0], np.int32),
            "textnorm": np.array([14], np.int32),
        }
        ids = self._logits(feeds)[0].argmax(axis=-1)
        kept = ids[np.concatenate([[True], np.diff(ids) != 0])]
        return "".join(self._pieces[index] for index in kept if index)
