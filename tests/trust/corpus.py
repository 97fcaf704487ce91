"""One small recording in every container and codec that the decoders here can also write: what the fuzzer starts from."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile

RATE_HZ = 16_000
#: How long each of them is.
SEED_S = 0.5
#: libsndfile's (ending, format, subtype).
SNDFILE = (
    ("wav", "WAV", "PCM_16"),
    ("u8.wav", "WAV", "PCM_U8"),
    ("float.wav", "WAV", "FLOAT"),
    ("ima.wav", "WAV", "IMA_ADPCM"),
    ("ms.wav", "WAV", "MS_ADPCM"),
    ("gsm.wav", "WAV", "GSM610"),
    ("ulaw.wav", "WAV", "ULAW"),
    ("wavex.wav", "WAVEX", "PCM_24"),
    ("rf64", "RF64", "PCM_16"),
    ("w64", "W64", "PCM_16"),
    ("aiff", "AIFF", "PCM_16"),
    ("au", "AU", "ALAW"),
    ("caf", "CAF", "PCM_16"),
    ("alac.caf", "CAF", "ALAC_16"),
    ("voc", "VOC", "PCM_16"),
    ("nist", "NIST", "PCM_16"),
    ("flac", "FLAC", "PCM_16"),
    ("ogg", "OGG", "VORBIS"),
    ("opus.ogg", "OGG", "OPUS"),
    ("mp3", "MP3", "MPEG_LAYER_III"),
)
#: FFmpeg's (ending, codec, rate).
FFMPEG = (
    ("m4a", "aac", 48_000),
    ("mp4", "aac", 48_000),
    ("mov", "alac", 48_000),
    ("webm", "libopus", 48_000),
    ("mkv", "ac3", 48_000),
    ("avi", "mp2", 48_000),
    ("wma", "wmav2", 44_100),
    ("ts", "mp2", 48_000),
    ("aac", "aac", 48_000),
    ("ac3", "ac3", 48_000),
    ("flv", "aac", 44_100),
    ("tta", "tta", 44_100),
    ("wv", "wavpack", 44_100),
)


def write_corpus(folder: Path) -> list[Path]:
    """Half a second of a tone with noise in each of them; what this build cannot write is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(11)
    samples = (0.3 * np.sin(np.arange(RATE_HZ // 2) * 0.2) + rng.normal(0, 0.02, RATE_HZ // 2)).astype(np.float32)
    written = []
    for ending, name, subtype in SNDFILE:
        path = folder / f"seed.{ending}"
        if name in soundfile.available_formats() and subtype in soundfile.available_subtypes(name):
            soundfile.write(path, samples, RATE_HZ if subtype != "GSM610" else 8_000, format=name, subtype=subtype)
            written.append(path)
    for ending, codec, rate in FFMPEG:
        path = folder / f"seed.{ending}"
        if codec in av.codecs_available:
            _write_av(path, codec, rate, samples)
            written.append(path)
    return written


def _write_av(path: Path, codec: str, rate: int, samples: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate, layout="stereo")
        frame = av.AudioFrame.from_ndarray(np.repeat(np.repeat(samples, 3)[None], 2, axis=0), format="fltp", layout="stereo")
        frame.sample_rate = rate
        context = stream.codec_context
        context.bit_rate = 128_000
        converter = av.AudioResampler(format=context.format, layout="stereo", rate=rate, frame_size=context.frame_size or 1024)
        for part in [*converter.resample(frame), *converter.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
