"""Recordings with two audio tracks, made by the tests that need them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

RATE = 48_000


def write_two_tracks(path: Path, first: np.ndarray, second: np.ndarray, *, default: int | None, codec: str = "aac") -> Path:
    """Two mono tracks (n,) float32 at 48 kHz in one container; ``default`` is the number of the one that is marked."""
    import av
    from av.stream import Disposition

    with av.open(str(path), "w") as container:
        streams = [container.add_stream(codec, rate=RATE, layout="mono") for _ in range(2)]
        for number, stream in enumerate(streams, start=1):
            stream.disposition = Disposition.default if number == default else Disposition(0)
            stream.metadata["language"] = ("eng", "chi")[number - 1]
            stream.metadata["title"] = ("A <comment>", "The talk")[number - 1]
        packets = []
        for stream, samples in zip(streams, (first, second), strict=True):
            frame = av.AudioFrame.from_ndarray(samples[None].astype(np.float32), format="fltp", layout="mono")
            frame.sample_rate = RATE
            context = stream.codec_context
            resampler = av.AudioResampler(format=context.format, layout="mono", rate=RATE, frame_size=context.frame_size)
            for part in [*resampler.resample(frame), *resampler.resample(None), None]:
                packets += stream.encode(part)
        for packet in sorted(packets, key=lambda one: float((one.dts or 0) * one.time_base)):
            container.mux(packet)
    return path


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    """A sine (n,) float32 at 48 kHz."""
    return (0.4 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)
