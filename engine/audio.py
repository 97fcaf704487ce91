"""A file or an array → Waveform: float32, mono, 16 kHz, whatever the container, rate, channel count or sample type.

libsndfile reads wav, flac, ogg, opus and mp3; PyAV (FFmpeg's libraries) the rest: m4a, mp4, webm and other video. Both
are read block by block; each block is mixed down and resampled before the next one is touched, so that an hour in
eight channels at 384 kHz never lies in memory whole.

A header that promises more than the file holds (a recorder that crashed) is no error: what is there is read. A
stream that breaks while it is decoded is one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from engine.errors import (
    AudioDecodeError,
    AudioError,
    AudioNotFoundError,
    AudioTooLongError,
    EmptyAudioError,
    NonFiniteAudioError,
    SampleRateError,
)

Floats = NDArray[np.float32]
#: Called between blocks by whoever reads; raises once the recording is no longer wanted.
Look = Callable[[], None]

SAMPLE_RATE_HZ = 16_000
LOWEST_RATE_HZ = 2_000  # speech keeps its first formants above 2 kHz sampling; below there is nothing to recognize
HIGHEST_RATE_HZ = 768_000
BLOCK_SAMPLES = 1 << 20  # over all channels: 4 MB of float32 a block
QUALITY = "HQ"


@dataclass(frozen=True, eq=False)
class Waveform:
    """Samples (N,) float32 mono at 16 kHz, about [-1, 1]; ``decode_s`` is what reading them took."""

    samples: Floats
    name: str = "recording"
    decode_s: float = 0.0

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def duration_ms(self) -> int:
        """Length in whole milliseconds."""
        return len(self.samples) * 1000 // SAMPLE_RATE_HZ

    def cut(self, start_ms: int, end_ms: int) -> Floats:
        """The samples between two times, clipped to the recording."""
        per_ms = SAMPLE_RATE_HZ // 1000
        return self.samples[max(0, start_ms) * per_ms : max(0, end_ms) * per_ms]


class _Collector:
    """Mixes blocks down, checks and resamples them, and keeps the result."""

    def __init__(self, *, path: str | Path, sample_rate_hz: int, max_duration_s: float | None, look: Look | None = None) -> None:
        if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
            raise SampleRateError(path=path, sample_rate=sample_rate_hz, lowest=LOWEST_RATE_HZ, highest=HIGHEST_RATE_HZ)
        self.path, self.max_duration_s, self.look = path, max_duration_s, look
        self.rate = sample_rate_hz
        self.stream = (
            None if sample_rate_hz == SAMPLE_RATE_HZ else soxr.ResampleStream(sample_rate_hz, SAMPLE_RATE_HZ, 1, "float32", QUALITY)
        )
        self.parts: list[Floats] = []
        self.read_samples = 0

    def add(self, block: NDArray[Any], *, last: bool = False) -> None:
        """Take a block (n, channels) of float32."""
        if self.look is not None:
            self.look()
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
        wrong = int(np.count_nonzero(~np.isfinite(mono)))
        if wrong:
            raise NonFiniteAudioError(path=self.path, count=wrong)
        self.read_samples += len(mono)
        seconds = self.read_samples / self.rate
        if self.max_duration_s is not None and seconds > self.max_duration_s:
            raise AudioTooLongError(path=self.path, duration_s=seconds, limit_s=self.max_duration_s)
        if self.stream is not None:
            mono = self.stream.resample_chunk(mono, last=last)
        self.parts.append(mono)

    def samples(self) -> Floats:
        """Everything that was collected: (N,) float32 at 16 kHz; EmptyAudioError when nothing was."""
        if self.read_samples == 0:
            raise EmptyAudioError(path=self.path)
        if self.stream is not None:
            self.parts.append(self.stream.resample_chunk(np.zeros(0, np.float32), last=True))
        samples: Floats = np.concatenate(self.parts) if len(self.parts) > 1 else self.parts[0]
        if not len(samples):
            raise EmptyAudioError(path=self.path)
        return samples


def load_audio(source: str | Path, *, max_duration_s: float | None = None, look: Look | None = None) -> Waveform:
    """Read a recording from a file; ``look`` is called before each block, and what it raises ends the reading.

    Raises AudioNotFoundError, AudioDecodeError, EmptyAudioError, NonFiniteAudioError, SampleRateError, and AudioTooLongError
    when it is longer than ``max_duration_s``.
    """
    started = time.perf_counter()
    path = Path(source)
    if not path.exists():
        raise AudioNotFoundError(path=path)
    if path.is_dir():
        raise AudioDecodeError(path=path, reason="it is a folder")
    try:
        size = path.stat().st_size
        with path.open("rb"):
            pass
    except OSError as error:
        raise AudioDecodeError(path=path, reason=error.strerror or type(error).__name__) from error
    if size == 0:
        raise EmptyAudioError(path=path)
    try:
        samples = _read_soundfile(path, max_duration_s, look)
    except soundfile.LibsndfileError as error:
        samples = _read_av(path, max_duration_s, look, first_reason=str(error))
    return Waveform(samples, name=path.name, decode_s=time.perf_counter() - started)


def header_duration_s(source: str | Path) -> float | None:
    """Seconds that a file says it lasts, from its header alone; None where it does not say, or is no recording."""
    try:
        return float(soundfile.info(str(source)).duration)
    except soundfile.LibsndfileError:
        pass  # not one of its formats: FFmpeg may know it
    import av  # noqa: PLC0415 - as in _read_av
    import av.error  # noqa: PLC0415

    try:
        with av.open(str(source), metadata_errors="ignore") as container:
            return None if container.duration is None or not container.streams.audio else container.duration / av.time_base
    except (av.error.FFmpegError, ValueError):
        return None


def _read_soundfile(path: Path, max_duration_s: float | None, look: Look | None) -> Floats:
    with soundfile.SoundFile(str(path)) as handle:
        collector = _Collector(path=path, sample_rate_hz=handle.samplerate, max_duration_s=max_duration_s, look=look)
        frames = max(1, BLOCK_SAMPLES // handle.channels)
        while True:
            block = handle.read(frames, dtype="float32", always_2d=True)
            if not len(block):
                return collector.samples()
            collector.add(block)


def _read_av(path: Path, max_duration_s: float | None, look: Look | None, *, first_reason: str) -> Floats:
    import av  # noqa: PLC0415 - 20 MB of libraries that most recordings never need
    import av.error  # noqa: PLC0415

    try:
        with av.open(str(path), metadata_errors="ignore") as container:
            if not container.streams.audio:
                raise AudioDecodeError(path=path, reason="it holds no audio track")
            stream = container.streams.audio[0]
            collector = _Collector(path=path, sample_rate_hz=int(stream.rate or 0), max_duration_s=max_duration_s, look=look)
            for block in _av_blocks(container, stream, av.AudioResampler(format="fltp")):
                collector.add(block)
    except (av.error.FFmpegError, ValueError) as error:
        if isinstance(error, AudioError):
            raise
        reason = str(getattr(error, "strerror", "") or error or first_reason).strip().rstrip(".")
        raise AudioDecodeError(path=path, reason=reason) from error
    return collector.samples()


def _av_blocks(container: Any, stream: Any, converter: Any) -> Iterator[Floats]:
    """Decoded blocks (n, channels) float32; the converter changes the sample format alone."""
    for frame in container.decode(stream):
        for converted in converter.resample(frame):
            yield converted.to_ndarray().T
    for converted in converter.resample(None):
        yield converted.to_ndarray().T


def from_array(samples: NDArray[Any], sample_rate_hz: int, *, name: str = "recording") -> Waveform:
    """A Waveform from samples in memory: (N,) or (N, channels), unsigned 8 bit, 16 or 32 bit integers, or float.

    Integers are scaled by their own type (dividing 32 bits by the 16-bit maximum is a bug of other pages); floats are taken as they are.
    """
    started = time.perf_counter()
    array = np.asarray(samples)
    if array.ndim not in (1, 2):
        raise AudioDecodeError(path=name, reason=f"an array of {array.ndim} dimensions is not (samples,) or (samples, channels)")
    if array.dtype.kind not in "iuf":
        raise AudioDecodeError(path=name, reason=f"samples of type {array.dtype} are not numbers")
    collector = _Collector(path=name, sample_rate_hz=int(sample_rate_hz), max_duration_s=None)
    columns = array[:, None] if array.ndim == 1 else array
    frames = max(1, BLOCK_SAMPLES // max(1, columns.shape[1]))
    for start in range(0, len(columns), frames):
        collector.add(scaled(columns[start : start + frames]))
    return Waveform(collector.samples(), name=name, decode_s=time.perf_counter() - started)


def scaled(block: NDArray[Any]) -> NDArray[Any]:
    """Samples as float32, integers by the range of their own type: to [-1, 1)."""
    if block.dtype.kind == "f":
        return block.astype(np.float32)
    limits = np.iinfo(block.dtype)
    middle = (limits.max + 1) // 2 if block.dtype.kind == "u" else 0
    reach = limits.max + 1 - middle
    return ((block.astype(np.float64) - middle) / reach).astype(np.float32)
