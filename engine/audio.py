"""A file or an array → samples: float32, mono, 16 kHz, whatever the container, rate, channel count or sample type.

libsndfile reads wav, flac, ogg, opus and mp3; PyAV (FFmpeg's libraries) the rest: m4a, mp4, webm and other video. Both
are read block by block; each block is mixed down and resampled before the next one is touched. An AudioStream gives the blocks
as they are read, so that an hour never lies in memory whole; a Waveform has them all.

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

SAMPLE_RATE_HZ = 16_000
LOWEST_RATE_HZ = 2_000  # speech keeps its first formants above 2 kHz sampling; below there is nothing to recognize
HIGHEST_RATE_HZ = 768_000
_NEVER_COMPLETED = 1 << 31
BLOCK_SAMPLES = 1 << 20  # over all channels: 4 MB of float32 a block
#: What a recording is worked on in: long enough that no stage notices the seams, short enough that the first words come soon.
BLOCK_S = 30
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

    def blocks(self) -> Iterator[Floats]:
        """The samples in blocks of half a minute."""
        size = BLOCK_S * SAMPLE_RATE_HZ
        for start in range(0, len(self.samples), size):
            yield self.samples[start : start + size]

    def cut(self, start_ms: int, end_ms: int) -> Floats:
        """The samples between two times, clipped to the recording."""
        per_ms = SAMPLE_RATE_HZ // 1000
        return self.samples[max(0, start_ms) * per_ms : max(0, end_ms) * per_ms]


class _Mixer:
    """Mixes blocks down, checks and resamples them."""

    def __init__(self, *, path: str | Path, sample_rate_hz: int, max_duration_s: float | None) -> None:
        if not LOWEST_RATE_HZ <= sample_rate_hz <= HIGHEST_RATE_HZ:
            raise SampleRateError(path=path, sample_rate=sample_rate_hz, lowest=LOWEST_RATE_HZ, highest=HIGHEST_RATE_HZ)
        self.path, self.max_duration_s = path, max_duration_s
        self.rate = sample_rate_hz
        self.stream = (
            None if sample_rate_hz == SAMPLE_RATE_HZ else soxr.ResampleStream(sample_rate_hz, SAMPLE_RATE_HZ, 1, "float32", QUALITY)
        )
        self.read_samples = 0

    def add(self, block: NDArray[Any]) -> Floats:
        """Take a block (n, channels) of float32: the samples (m,) at 16 kHz that are complete with it."""
        mono = np.ascontiguousarray(block.mean(axis=1, dtype=np.float32))
        wrong = int(np.count_nonzero(~np.isfinite(mono)))
        if wrong:
            raise NonFiniteAudioError(path=self.path, count=wrong)
        self.read_samples += len(mono)
        self.check_length(self.read_samples / self.rate)
        return mono if self.stream is None else self.stream.resample_chunk(mono)

    def check_length(self, seconds: float) -> None:
        """AudioTooLongError for more than was allowed."""
        if self.max_duration_s is not None and seconds > self.max_duration_s:
            raise AudioTooLongError(path=self.path, duration_s=seconds, limit_s=self.max_duration_s)

    def flush(self) -> Floats:
        """What the resampler still held back."""
        held: Floats = np.zeros(0, np.float32)
        return held if self.stream is None else self.stream.resample_chunk(held, last=True)


class AudioStream:
    """A recording that is read while it is worked on; may be read once.

    ``read_samples`` and ``decode_s`` grow with it; ``expected_s`` is what its header promises, None before it is read and where it
    promises nothing. ``watch`` is told every block. Making one raises AudioNotFoundError, AudioDecodeError and EmptyAudioError for
    what is no file; reading it AudioDecodeError, EmptyAudioError, NonFiniteAudioError, SampleRateError, and AudioTooLongError as
    soon as the header or the blocks say that it is longer than ``max_duration_s``.
    """

    def __init__(self, source: str | Path, *, max_duration_s: float | None = None, watch: Callable[[Floats], None] | None = None) -> None:
        self._path, self._max_duration_s, self._watch = _readable(Path(source)), max_duration_s, watch
        self.name = self._path.name
        self.read_samples = 0
        self.decode_s = 0.0
        self.expected_s: float | None = None

    @property
    def duration_s(self) -> float:
        """Length of what was read in seconds."""
        return self.read_samples / SAMPLE_RATE_HZ

    @property
    def duration_ms(self) -> int:
        """Length of what was read in whole milliseconds."""
        return self.read_samples * 1000 // SAMPLE_RATE_HZ

    def blocks(self) -> Iterator[Floats]:
        """The samples in blocks of half a minute."""
        blocks = _of_equal_length(self._decoded(), BLOCK_S * SAMPLE_RATE_HZ)
        while True:
            started = time.perf_counter()
            block = next(blocks, None)
            self.decode_s += time.perf_counter() - started
            if block is None:
                break
            self.read_samples += len(block)
            if self._watch is not None:
                self._watch(block)
            yield block
        if not self.read_samples:
            raise EmptyAudioError(path=self._path)

    def _decoded(self) -> Iterator[Floats]:
        given = 0
        try:
            for samples in self._by_soundfile():
                given += len(samples)
                yield samples
        except soundfile.LibsndfileError as error:
            # Not one of its formats, or a place in it that FFmpeg may get past: what was given already is not given again.
            for samples in self._by_av(first_reason=str(error)):
                skipped, given = samples[:given], given - len(samples[:given])
                if len(samples) > len(skipped):
                    yield samples[len(skipped) :]

    def _mixer(self, *, sample_rate_hz: int, expected_s: float | None) -> _Mixer:
        mixer = _Mixer(path=self._path, sample_rate_hz=sample_rate_hz, max_duration_s=self._max_duration_s)
        self.expected_s = expected_s
        if expected_s is not None:
            mixer.check_length(expected_s)
        return mixer

    def _by_soundfile(self) -> Iterator[Floats]:
        with soundfile.SoundFile(str(self._path)) as handle:
            # A header that was never completed counts to the largest number it can write.
            expected_s = handle.frames / handle.samplerate if 0 < handle.frames < _NEVER_COMPLETED else None
            mixer = self._mixer(sample_rate_hz=handle.samplerate, expected_s=expected_s)
            frames = max(1, BLOCK_SAMPLES // handle.channels)
            while len(block := handle.read(frames, dtype="float32", always_2d=True)):
                yield mixer.add(block)
            yield mixer.flush()

    def _by_av(self, *, first_reason: str) -> Iterator[Floats]:
        import av  # noqa: PLC0415 - 20 MB of libraries that most recordings never need
        import av.error  # noqa: PLC0415

        try:
            with av.open(str(self._path), metadata_errors="ignore") as container:
                if not container.streams.audio:
                    raise AudioDecodeError(path=self._path, reason="it holds no audio track")
                stream = container.streams.audio[0]
                expected_s = None if container.duration is None else container.duration / av.time_base
                mixer = self._mixer(sample_rate_hz=int(stream.rate or 0), expected_s=expected_s)
                for block in _av_blocks(container, stream, av.AudioResampler(format="fltp")):
                    yield mixer.add(block)
                yield mixer.flush()
        except (av.error.FFmpegError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            reason = str(getattr(error, "strerror", "") or error or first_reason).strip().rstrip(".")
            raise AudioDecodeError(path=self._path, reason=reason) from error


def _of_equal_length(parts: Iterator[Floats], size: int) -> Iterator[Floats]:
    """The same samples in blocks of ``size``, the last one shorter; none that is empty."""
    held: list[Floats] = []
    count = 0
    for part in parts:
        held.append(part)
        count += len(part)
        if count >= size:
            joined = np.concatenate(held)
            for start in range(0, count - size + 1, size):
                yield joined[start : start + size]
            held = [joined[count - count % size :].copy()]
            count %= size
    if count:
        yield np.concatenate(held)


def _readable(path: Path) -> Path:
    """The path of a file with something in it, or an error that says what is wrong with it."""
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
    return path


def load_audio(source: str | Path, *, max_duration_s: float | None = None) -> Waveform:
    """Read a recording from a file whole; raises what making and reading an :class:`AudioStream` raise."""
    started = time.perf_counter()
    stream = AudioStream(source, max_duration_s=max_duration_s)
    samples = np.concatenate(list(stream.blocks()))
    return Waveform(samples, name=stream.name, decode_s=time.perf_counter() - started)


def header_duration_s(source: str | Path) -> float | None:
    """Seconds that a file says it lasts, from its header alone; None where it does not say, or is no recording."""
    try:
        return float(soundfile.info(str(source)).duration)
    except soundfile.LibsndfileError:
        pass  # not one of its formats: FFmpeg may know it
    import av  # noqa: PLC0415 - as above
    import av.error  # noqa: PLC0415

    try:
        with av.open(str(source), metadata_errors="ignore") as container:
            return None if container.duration is None or not container.streams.audio else container.duration / av.time_base
    except (av.error.FFmpegError, ValueError):
        return None


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
    mixer = _Mixer(path=name, sample_rate_hz=int(sample_rate_hz), max_duration_s=None)
    columns = array[:, None] if array.ndim == 1 else array
    frames = max(1, BLOCK_SAMPLES // max(1, columns.shape[1]))
    parts = [mixer.add(scaled(columns[start : start + frames])) for start in range(0, len(columns), frames)]
    samples = np.concatenate([*parts, mixer.flush()])
    if not len(samples):
        raise EmptyAudioError(path=name)
    return Waveform(samples, name=name, decode_s=time.perf_counter() - started)


def scaled(block: NDArray[Any]) -> NDArray[Any]:
    """Samples as float32, integers by the range of their own type: to [-1, 1)."""
    if block.dtype.kind == "f":
        return block.astype(np.float32)
    limits = np.iinfo(block.dtype)
    middle = (limits.max + 1) // 2 if block.dtype.kind == "u" else 0
    reach = limits.max + 1 - middle
    return ((block.astype(np.float64) - middle) / reach).astype(np.float32)
