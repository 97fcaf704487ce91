"""Sentences as sound: (N,) float32 at 16 kHz, peak 0.7, spoken by a synthesizer that runs here without a network."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.audio.waveform import SAMPLE_RATE_HZ

PEAK = 0.7
PAUSE_S = 0.9  # longer than the 800 ms end silence, so that the segments show
#: A chord progression in C, as frequencies in Hz, each for half a second.
_CHORDS = ((261.6, 329.6, 392.0), (220.0, 261.6, 329.6), (174.6, 220.0, 261.6), (196.0, 246.9, 293.7))
_CHORD_S = 0.5
_OVERTONES = 5


@dataclass(frozen=True, kw_only=True)
class Rendering:
    """Sentences with a pause between them; ``voice`` is ``program:voice``, or one a sentence with commas between."""

    voice: str
    sentences: tuple[str, ...]
    #: What is to be read, where that is written otherwise than spoken.
    written: str = ""
    #: How loud the music below it is, beside the voice; 0 is none.
    music: float = 0.0
    pitch: int = 50
    words_a_minute: int = 150

    @property
    def text(self) -> str:
        """All that is spoken."""
        return " ".join(self.sentences)

    def command(self, number: int, target: Path) -> list[str]:
        """The synthesizer's command line for one sentence."""
        voices = self.voice.split(",")
        program, _, name = voices[number % len(voices)].partition(":")
        if program == "kokoro":
            language, _, number_of = name.partition("-")
            say = [sys.executable, "-m", "models.starter", "say", self.sentences[number]]
            return [*say, "--language", language, "--voice", number_of, "--output", str(target)]
        if program == "flite":
            return ["flite", "-voice", name, "-t", self.sentences[number], "-o", str(target)]
        options = ["-v", name, "-s", str(self.words_a_minute), "-p", str(self.pitch), "-w", str(target)]
        return ["espeak-ng", *options, self.sentences[number]]


def rendered(rendering: Rendering) -> NDArray[np.float32]:
    """The sound; needs Debian's ``flite`` and ``espeak-ng``, and for Mandarin Kokoro's packages (models/starter/requirements.txt)."""
    samples = np.concatenate(list(_spoken(rendering)))
    samples = samples / np.abs(samples).max()
    if rendering.music:
        below = np.resize(music(), samples.shape)
        samples = samples + rendering.music * below / np.abs(below).max()
    return np.asarray(samples * (PEAK / np.abs(samples).max()), dtype=np.float32)


def music() -> NDArray[np.float32]:
    """Plucked chords, their overtones dying away: (N,) float32."""
    times_s = np.arange(int(_CHORD_S * SAMPLE_RATE_HZ)) / SAMPLE_RATE_HZ
    chords = []
    for chord in _CHORDS:
        tones = [
            np.sin(2 * np.pi * tone * n * times_s) * np.exp(-(2 + n) * times_s) / n for tone in chord for n in range(1, _OVERTONES + 1)
        ]
        chords.append(np.sum(tones, axis=0))
    return np.asarray(np.concatenate(chords), dtype=np.float32)


def _spoken(rendering: Rendering) -> Iterator[NDArray[np.float32]]:
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    yield pause[: pause.size // 3]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(len(rendering.sentences)):
            wav = Path(folder) / f"{number}.wav"
            subprocess.run(rendering.command(number, wav), check=True)  # noqa: S603 - our own argument list, no shell
            samples, rate_hz = soundfile.read(wav, dtype="float32")
            yield soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ).astype(np.float32)
            yield pause
