"""What happens to a recording on its way to a listener: codecs, telephone bands, rooms, other voices, clipping.

Each kind keeps the times of the samples, so that a spoilt recording can be taught what a teacher said of the clean one. Codecs are
those of FFmpeg, by PyAV; their delay is found by correlation and taken out.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import av
import numpy as np
import soxr
from numpy.typing import NDArray
from scipy.signal import butter, fftconvolve, sosfilt

from engine.audio.waveform import SAMPLE_RATE_HZ, load_audio
from models.starter.room import reverberate

Samples = NDArray[np.float32]

#: Codec -> container, sample rates in Hz, bit rates in kbit/s.
CODECS: dict[str, tuple[str, tuple[int, ...], tuple[int, ...]]] = {
    "libmp3lame": ("mp3", (16_000, 22_050, 44_100), (16, 24, 32, 48, 64, 96, 128)),
    "aac": ("adts", (16_000, 44_100), (16, 24, 32, 48, 64, 128)),
    "libopus": ("ogg", (16_000, 48_000), (8, 12, 16, 24, 32, 64)),
}
_MOST_DELAY = 6_000  # samples; LAME's and AAC's are below 3 000
_BABBLE_VOICES = (2, 6)


def through_codec(samples: Samples, *, codec: str, rate_hz: int, kbit_s: int) -> Samples:
    """Encode and decode: (N,) at 16 kHz -> (N,) at 16 kHz, its times kept."""
    container = CODECS[codec][0]
    played = samples if rate_hz == SAMPLE_RATE_HZ else np.asarray(soxr.resample(samples, SAMPLE_RATE_HZ, rate_hz), np.float32)
    encoded = io.BytesIO()
    with av.open(encoded, "w", format=container) as output:
        stream = cast("av.AudioStream", output.add_stream(codec, rate=rate_hz, layout="mono"))
        stream.bit_rate = 1000 * kbit_s
        frame = av.AudioFrame.from_ndarray(np.clip(played, -1, 1)[None], format="fltp", layout="mono")
        frame.sample_rate = rate_hz
        resampler = av.AudioResampler(format=stream.format, layout="mono", rate=rate_hz, frame_size=stream.codec_context.frame_size or 960)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            output.mux(stream.encode(part))
        output.mux(stream.encode(None))
    encoded.seek(0)
    with av.open(encoded, "r") as source:
        resampler = av.AudioResampler(format="fltp", layout="mono", rate=SAMPLE_RATE_HZ)
        frames = [part for frame in source.decode(audio=0) for part in resampler.resample(frame)] + resampler.resample(None)
    decoded = np.concatenate([frame.to_ndarray()[0] for frame in frames]) if frames else np.zeros(0, np.float32)
    return aligned(decoded.astype(np.float32), samples)


def aligned(late: Samples, original: Samples) -> Samples:
    """Take a delay of up to 6 000 samples out of ``late``: -> (N,), as long as ``original`` (N,)."""
    padded = np.pad(late, (0, max(0, len(original) + _MOST_DELAY - len(late))))
    span = min(len(original), 4 * SAMPLE_RATE_HZ)
    likeness = fftconvolve(padded[: span + _MOST_DELAY], original[:span][::-1], mode="valid")
    delay = int(likeness[:_MOST_DELAY].argmax()) if len(likeness) else 0
    return np.ascontiguousarray(padded[delay : delay + len(original)])


def _codec(samples: Samples, rng: np.random.Generator, _: Sequence[Path]) -> Samples:
    codec = str(rng.choice(list(CODECS)))
    rates, speeds = CODECS[codec][1:]
    return through_codec(samples, codec=codec, rate_hz=int(rng.choice(rates)), kbit_s=int(rng.choice(speeds)))


def _telephone(samples: Samples, rng: np.random.Generator, _: Sequence[Path]) -> Samples:
    """300–3 400 Hz, quantized as G.711's μ-law does (ITU-T G.711)."""
    band = butter(4, [rng.uniform(200, 350), rng.uniform(3_000, 3_600)], btype="bandpass", fs=SAMPLE_RATE_HZ, output="sos")
    narrow = sosfilt(band, samples)
    scale = max(float(np.abs(narrow).max(initial=0.0)), 1e-6)
    compressed = np.sign(narrow) * np.log1p(255 * np.abs(narrow) / scale) / np.log(256)
    steps = np.round(compressed * 127) / 127
    return np.asarray(np.sign(steps) * (256 ** np.abs(steps) - 1) / 255 * scale, np.float32)


def _babble(samples: Samples, rng: np.random.Generator, company: Sequence[Path]) -> Samples:
    """Two to six other voices, 5 to 20 dB below."""
    count = int(rng.integers(*_BABBLE_VOICES, endpoint=True))
    mixed = np.zeros_like(samples)
    for index in rng.integers(0, len(company), count):
        mixed += np.resize(load_audio(company[int(index)]).samples, samples.shape)
    level = float(np.sqrt(np.mean(samples**2))) / max(float(np.sqrt(np.mean(mixed**2))), 1e-6)
    return np.asarray(samples + mixed * level * 10 ** (-rng.uniform(5, 20) / 20), np.float32)


def _clipped(samples: Samples, rng: np.random.Generator, _: Sequence[Path]) -> Samples:
    """Recorded too loud: 0.2 to 5 % of the samples lie beyond the converter's range."""
    limit = max(float(np.quantile(np.abs(samples), 1 - rng.uniform(0.002, 0.05))), 1e-6)
    return np.asarray(np.clip(samples, -limit, limit) * (rng.uniform(0.3, 1.0) / limit), np.float32)


def _room(samples: Samples, rng: np.random.Generator, _: Sequence[Path]) -> Samples:
    return reverberate(samples, rng)


#: Kind -> how it spoils (N,) samples; the last argument are other recordings of speech.
KINDS: dict[str, Callable[[Samples, np.random.Generator, Sequence[Path]], Samples]] = {
    "codec": _codec,
    "telephone": _telephone,
    "room": _room,
    "babble": _babble,
    "clipped": _clipped,
}


def spoil(samples: Samples, *, kind: str, rng: np.random.Generator, company: Sequence[Path]) -> Samples:
    """Spoil a recording, (N,) -> (N,); now and then what a room or a crowd left goes through a codec as well."""
    if not len(samples):
        return samples
    spoilt = KINDS[kind](samples, rng, company)
    if kind in ("room", "babble") and rng.random() < 0.3:
        spoilt = _codec(spoilt, rng, company)
    return spoilt
