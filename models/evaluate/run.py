"""Recordings → how each precision of a bundle hears them, through the engine: decoded once, one segment at a time, as deployed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform, load_audio
from engine.bundle import Bundle
from engine.errors import AudioError
from engine.options import DEFAULT_OPTIONS, TranscribeOptions
from engine.pipeline import Engine
from engine.runtime.session_pool import Precision
from engine.speech.endpointing import SpeechSpan, find_speech, frame_decibels, speech_frames
from engine.speech.features import fbank
from engine.speech.parts import Parts
from engine.tags import Emotion, Event, Language
from engine.transcript import Segment, Transcript
from models.evaluate.datasets import Recording
from models.evaluate.metrics import frames_in
from models.starter.corpus import ESC10_EVENTS, RAVDESS_EMOTIONS
from models.starter.meetings import turns

#: Logits are compared on this many recordings, cut to the length of the longest segment: 56 MB of features.
FRAME_CLIPS = 50
FRAME_CLIP_S = 30

Progress = Callable[[float, str], None]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Heard:
    """One recording in one precision: text, segments, and which 10 ms frames (T,) are speech before and after the state machine."""

    text: str
    segments: tuple[Segment, ...]
    decisions: Bools
    spans: tuple[SpeechSpan, ...]

    @property
    def detected(self) -> Bools:
        """Frames inside the detected spans: (T,) bool."""
        return frames_in(self.spans, len(self.decisions))


@dataclass(frozen=True, kw_only=True)
class Item:
    """One test recording, what its labels say, and how each precision heard it."""

    recording: Recording
    tags: Mapping[str, str]
    turns: Bools | None
    heard: Mapping[str, Heard]
    #: (T, 560) for the recordings whose logits are compared.
    features: Floats | None


def listen(
    bundle: Bundle, recordings: Sequence[Recording], names: Sequence[str], *, data: Path, device: str, tell: Progress
) -> tuple[list[Item], list[str]]:
    """Transcribe recordings in each precision: -> the readable ones, and a line for each that is not.

    ``data`` is the folder above them, in which RTTM files are looked for.
    """
    # Not started in INT8: lightweight mode would close every other precision's sessions after each recording.
    start = next((name for name in names if name != Precision.INT8), names[0])
    engine, frontend = Engine(bundle, precision=start, device=device), Parts.load(bundle).frontend
    items: list[Item] = []
    unreadable: list[str] = []
    try:
        for index, recording in enumerate(recordings):
            tell(index / len(recordings), "recognize")
            try:
                waveform = load_audio(recording.path)
            except AudioError as error:
                unreadable.append(str(error))
                continue
            transcripts = {name: engine.transcribe(waveform, TranscribeOptions(precision=name, itn=False)) for name in names}
            heard = {name: _heard(waveform, transcript) for name, transcript in transcripts.items()}
            turns = _turns(recording, data, frames=len(heard[names[0]].decisions))
            features = None
            if len(items) < FRAME_CLIPS:
                features = frontend.asr_features(fbank(waveform.samples[: FRAME_CLIP_S * SAMPLE_RATE_HZ]))
            items.append(
                Item(
                    recording=recording,
                    tags=expected_tags(recording, languages=bundle.languages),
                    turns=turns,
                    heard=heard,
                    features=features,
                )
            )
    finally:
        engine.close()
    return items, unreadable


def _heard(waveform: Waveform, transcript: Transcript) -> Heard:
    silence = np.asarray(1.0 - transcript.speech_track, np.float32)
    decibels = frame_decibels(waveform.samples, frames=len(silence))
    return Heard(
        text=transcript.text,
        segments=transcript.segments,
        decisions=speech_frames(silence, decibels, DEFAULT_OPTIONS.vad),
        spans=find_speech(silence, decibels, DEFAULT_OPTIONS.vad),
    )


def expected_tags(recording: Recording, *, languages: Sequence[str]) -> dict[str, str]:
    """What the labels say of a recording's language (if it is one of ``languages``), emotion and event, in the model's words.

    Families that nobody labelled are not in it.
    """
    label = (recording.label or "").lower()
    expected: dict[str, str] = {}
    if recording.language in languages and recording.language in set(Language):
        expected["language"] = recording.language
    emotion = RAVDESS_EMOTIONS.get(label) or next((tag for tag in Emotion if tag.value.lower() == label), None)
    event = ESC10_EVENTS.get(label) or next((tag for tag in Event if tag.value.lower() == label), None)
    if emotion is not None:
        expected["emotion"] = emotion.value
    if event is not None:
        expected["event"] = event.value
    return expected


def _turns(recording: Recording, data: Path, *, frames: int) -> Bools | None:
    """Who speaks when, from the RTTM files of the recording's set: (frames,) bool; None where it has none."""
    root = Path(data).resolve()
    for parent in recording.path.resolve().parents:
        for rttm in sorted((parent / "rttm").glob("*.rttm")):
            if any(line.split()[1:2] == [recording.path.stem] for line in rttm.read_text(encoding="utf-8").splitlines()):
                return turns(rttm, recording.path.stem, frames)
        if parent == root:
            break
    return None
