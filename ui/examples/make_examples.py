"""Synthesise the example clips of the page: ``python ui/examples/make_examples.py [FOLDER]``.

Needs Debian's ``flite`` and ``espeak-ng``; both run here without a network. The clips are this project's own: written
sentences, spoken by free synthesisers, so that they can be shipped under the project's licence. 16 kHz mono FLAC.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE_HZ = 16_000
PEAK = 0.7
PAUSE_S = 0.9  # longer than the 800 ms end silence, so that the segments show


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One clip: the sentences are spoken one after the other with a pause between them."""

    name: str
    voice: str
    sentences: tuple[str, ...]


CLIPS = (
    Clip(name="digits-en", voice="flite:slt", sentences=("three one four one five", "nine two six five three")),
    Clip(
        name="sentence-en",
        voice="flite:rms",
        sentences=("please call me when you reach the station", "the train leaves at seven"),
    ),
    Clip(name="digits-zh", voice="espeak-ng:cmn", sentences=("三 一 四 一 五", "九 二 六 五 三")),
)


def command_for(voice: str, sentence: str, target: Path) -> list[str]:
    """The synthesiser's command line for one sentence; voices are ``program:voice``."""
    program, _, name = voice.partition(":")
    if program == "flite":
        return ["flite", "-voice", name, "-t", sentence, "-o", str(target)]
    return ["espeak-ng", "-v", name, "-s", "150", "-w", str(target), sentence]


def speak(clip: Clip, folder: Path) -> np.ndarray:
    """Synthesise a clip: (N,) float32 at 16 kHz, peak 0.7, sentences apart by a pause."""
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE_HZ), dtype=np.float32)
    parts = [pause[: pause.size // 3]]
    for number, sentence in enumerate(clip.sentences):
        wav = folder / f"{clip.name}-{number}.wav"
        subprocess.run(command_for(clip.voice, sentence, wav), check=True)  # noqa: S603 - our own argument list, no shell
        samples, rate_hz = soundfile.read(wav, dtype="float32")
        parts += [soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ).astype(np.float32), pause]
    joined = np.concatenate(parts)
    return np.asarray(joined * (PEAK / np.abs(joined).max()), dtype=np.float32)


def main() -> None:
    """Write every clip into the folder named on the command line, or beside this file."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    with tempfile.TemporaryDirectory() as folder:
        for clip in CLIPS:
            soundfile.write(target / f"{clip.name}.flac", speak(clip, Path(folder)), SAMPLE_RATE_HZ, subtype="PCM_16")


if __name__ == "__main__":
    main()
