"""Recordings of tone bursts in any container, made for a test: late, with gaps, with several tracks."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from engine.audio.waveform import SAMPLE_RATE_HZ, Waveform

#: Ending → video codec, audio codec, rate of its audio.
VIDEO = {
    "mkv": ("mpeg4", "aac", 48_000),
    "mp4": ("mpeg4", "aac", 48_000),
    "mov": ("mpeg4", "aac", 48_000),
    "ts": ("mpeg2video", "mp2", 48_000),
    "webm": ("libvpx", "libopus", 48_000),
    "flv": ("flv", "aac", 44_100),
    "wmv": ("wmv2", "wmav2", 44_100),
    "mpg": ("mpeg2video", "mp2", 48_000),
}
FRAMES_A_SECOND = 25


def bursts(seconds: float, rate: int, *, every_s: float = 1.0, pitch_hz: float = 440.0) -> np.ndarray:
    """A tone in the first half of each ``every_s``: (N,) float32."""
    at = np.arange(round(seconds * rate)) / rate
    return np.where(at % every_s < every_s / 2, 0.4 * np.sin(2 * np.pi * pitch_hz * at), 0).astype(np.float32)


def stretches(waveform: Waveform, *, pause_s: float = 0.1) -> list[tuple[float, float]]:
    """Where there is sound, to a hundredth of a second."""
    size = SAMPLE_RATE_HZ // 100
    whole = waveform.samples[: len(waveform.samples) // size * size].reshape(-1, size)
    loud = np.flatnonzero(np.abs(whole).max(axis=1) > 0.05) / 100
    edges = np.flatnonzero(np.diff(loud) > pause_s)
    starts, ends = np.concatenate([[0], edges + 1]), np.concatenate([edges, [len(loud) - 1]])
    return [(float(loud[first]), float(loud[last]) + 0.01) for first, last in zip(starts, ends, strict=True)] if len(loud) else []


def write(
    path: Path,
    tracks: Sequence[np.ndarray],
    *,
    codec: str,
    rate: int,
    audio_at_s: float = 0.0,
    gap: tuple[float, float] | None = None,
    video: tuple[str, float] | None = None,
    default: int | None = None,
    options: dict[str, str] | None = None,
    codec_options: dict[str, str] | None = None,
) -> Path:
    """Write mono tracks (N,) float32; ``gap`` is (from, length) in seconds, ``video`` its codec and length, ``default`` a track."""
    with av.open(str(path), "w", options=options or {}) as container:
        packets: list[Any] = []
        if video is not None:
            packets += _pictures(container, *video)
        for number, samples in enumerate(tracks):
            stream = container.add_stream(codec, rate=rate, layout="mono")
            stream.codec_context.options = codec_options or {}
            if not codec.startswith("libopencore"):
                stream.codec_context.bit_rate = 128_000
            if default is not None:
                stream.disposition = av.stream.Disposition.default if number == default else av.stream.Disposition.comment
            packets += _sound(stream, samples, rate=rate, at_s=audio_at_s, gap=gap)
        packets.sort(key=lambda packet: float(packet.dts * packet.time_base))
        for packet in packets:
            container.mux(packet)
    return path


def _pictures(container: Any, codec: str, seconds: float) -> list[Any]:
    stream = container.add_stream(codec, rate=FRAMES_A_SECOND)
    stream.width, stream.height, stream.pix_fmt = 64, 64, "yuv420p"
    packets = []
    for number in range(round(seconds * FRAMES_A_SECOND)):
        frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), number % 200, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, FRAMES_A_SECOND)
        packets += stream.encode(frame)
    return packets + list(stream.encode(None))


def _sound(stream: Any, samples: np.ndarray, *, rate: int, at_s: float, gap: tuple[float, float] | None) -> list[Any]:
    context = stream.codec_context
    frame = av.AudioFrame.from_ndarray(samples[None], format="fltp", layout="mono")
    frame.sample_rate = rate
    converter = av.AudioResampler(format=context.format, layout="mono", rate=rate, frame_size=context.frame_size or 1024)
    packets, count = [], 0
    for part in [*converter.resample(frame), *converter.resample(None)]:
        later_s = gap[1] if gap is not None and count / rate >= gap[0] else 0.0
        part.pts, part.time_base = count + round((at_s + later_s) * rate), Fraction(1, rate)
        count += part.samples
        packets += stream.encode(part)
    return packets + list(stream.encode(None))
