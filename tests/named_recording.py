"""A recording that says a name not quite clearly, and a bundle that recognizes it: wrong as it is, right with the name as a hotword.

The bundle's pieces are tones, each in a band of its own. Where 好 begins, "s" is a little louder for a frame: the text is 你s好, and 你好
with the hotword. All the time the blank's tone is there, and where somebody speaks another one, which the VAD graph hears.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import soundfile

from engine.audio.waveform import SAMPLE_RATE_HZ
from engine.speech.features import FBANK_BINS, fbank
from tests.tiny_graphs import ASR_FEATURES, PIECES, VAD_FEATURES, asr_model, vad_model, write_cmvn, write_manifest, write_tiny_bundle

NAME, WRONG, RIGHT = "你好", "你s好", "你好"
#: The band of each piece, far enough from its neighbours, and that of speech.
BANDS = tuple(range(8, 8 + 4 * len(PIECES), 4))
SPEECH_BAND = 76
#: Log-mel energies: of what is said, of the blank, and how far below "s" 好 lies.
LEVEL, BLANK_LEVEL, UNCLEAR = 24.0, 20.0, 0.3
#: Puts zero between the tones and the noise.
SHIFT, SCALE = -16.0, 0.3
TOKEN_S, PAUSE_S, SPEECH_FROM_S, LENGTH_S = 0.18, 0.2, 0.5, 3.0
#: As long as a frame: wherever frames begin, not more than one of them has more of "s".
UNCLEAR_S = 0.06
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 8_000.0


def write_bundle(folder: Path, *, searches: bool = True, kind: str = "starter") -> Path:
    """A bundle that recognizes such recordings; without ``searches`` its graphs are as they were before hotwords."""
    write_tiny_bundle(folder, asr=asr_model(searches=searches, places=BANDS), vad=vad_model(place=SPEECH_BAND))
    write_cmvn(folder / "asr.mvn", dim=ASR_FEATURES, shift=SHIFT, scale=SCALE)
    write_cmvn(folder / "vad.mvn", dim=VAD_FEATURES, shift=SHIFT, scale=SCALE)
    write_manifest(folder, name="tones", kind=kind)
    return folder


def name_said() -> np.ndarray:
    """Three seconds (48000,) float32 at 16 kHz, the name between half a second and a second and a half."""
    samples = np.random.default_rng(5).normal(0, 1e-4, round(LENGTH_S * SAMPLE_RATE_HZ))
    _add(samples, BANDS[0], BLANK_LEVEL, from_s=0.0, for_s=LENGTH_S)
    _add(samples, SPEECH_BAND, LEVEL, from_s=SPEECH_FROM_S, for_s=1.0)
    first_s, second_s = SPEECH_FROM_S + PAUSE_S, SPEECH_FROM_S + 2 * PAUSE_S + TOKEN_S
    _add(samples, BANDS[PIECES.index("你")], LEVEL, from_s=first_s, for_s=TOKEN_S)
    _add(samples, BANDS[PIECES.index("s")], LEVEL, from_s=second_s, for_s=UNCLEAR_S)
    _add(samples, BANDS[PIECES.index("好")], LEVEL - UNCLEAR, from_s=second_s, for_s=TOKEN_S)
    return samples.astype(np.float32)


def write_recording(path: Path) -> Path:
    """The name as a WAV file."""
    soundfile.write(path, name_said(), SAMPLE_RATE_HZ, subtype="PCM_16")
    return path


def _add(samples: np.ndarray, band: int, level: float, *, from_s: float, for_s: float) -> None:
    first, count = round(from_s * SAMPLE_RATE_HZ), round(for_s * SAMPLE_RATE_HZ)
    tone = _tone(band)
    measured = float(fbank(tone)[:, band].mean())
    samples[first : first + count] += np.resize(tone, count) * np.exp((level - measured) / 2)


def _tone(band: int) -> np.ndarray:
    """A second of a tone in the middle of a mel band, (16000,) float32."""
    lowest, highest = (1127 * np.log(1 + hz / 700) for hz in (_LOWEST_HZ, _HIGHEST_HZ))
    mel = lowest + (band + 1) * (highest - lowest) / (FBANK_BINS + 1)
    hz = 700 * (np.exp(mel / 1127) - 1)
    return (0.1 * np.sin(2 * np.pi * hz * np.arange(SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ)).astype(np.float32)
