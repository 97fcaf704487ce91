"""A file or an array → samples: float32, mono, 16 kHz, whatever the container, rate, channel count or sample type.

Recordings are read block by block (:mod:`engine.audio.containers`); each block is mixed down and resampled before the next one is
touched. An AudioStream gives the blocks as they are read, so that an hour never lies in memory whole; a Waveform has them all.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.containers import BLOCK_SAMPLES, decode
from engine.audio.read_options import ReadOptions
from engine.audio.reading.reading_report import ReadingReport
from engine.audio.reading.reading_warnings import ReadingWarning
from engine.audio.resampling import HIGHEST_RATE_HZ, LOWEST_RATE_HZ, QUALITY, SAMPLE_RATE_HZ, CancelCheck, Mixdown, check_rate
from engine.audio.tracks import Track
from engine.errors import AudioDecodeError, AudioNotFoundError, EmptyAudioError
from engine.files.file_names import printable

__all__ = [
    "HIGHEST_RATE_HZ",
    "LOWEST_RATE_HZ",
    "QUALITY",
    "SAMPLE_RATE_HZ",
    "AudioStream",
    "CancelCheck",
    "Recording",
    "Waveform",
    "existing_file",
    "from_array",
    "load_audio",
    "scaled",
]

Floats = NDArray[np.float32]

#: What a recording is worked on in: long enough that no stage notices the seams, short enough that the first words come soon.
BLOCK_S = 30


@dataclass(frozen=True, eq=False)
class Waveform:
    """Samples (N,) float32 mono at 16 kHz, about [-1, 1]; ``decode_s`` is what reading them took."""

    samples: Floats
    name: str = "recording"
    decode_s: float = 0.0
    #: What of the recording could not be read as it was meant.
    warnings: tuple[ReadingWarning, ...] = ()

    @property
    def duration_s(self) -> float:
        """Length in seconds."""
        return len(self.samples) / SAMPLE_RATE_HZ

    @property
    def duration_ms(self) -> int:
        """Length in whole milliseconds."""
        return len(self.samples) * 1000 // SAMPLE_RATE_HZ

    def blocks(self) -> Generator[Floats, None, None]:
        """The samples in blocks of half a minute."""
        size = BLOCK_S * SAMPLE_RATE_HZ
        for start in range(0, len(self.samples), size):
            yield self.samples[start : start + size]

    def cut(self, start_ms: int, end_ms: int) -> Floats:
        """The samples between two times, clipped to the recording."""
        per_ms = SAMPLE_RATE_HZ // 1000
        return self.samples[max(0, start_ms) * per_ms : max(0, end_ms) * per_ms]


class AudioStream:
    """A recording that is read while it is worked on; may be read once. :meth:`engine.audio.sandbox.decoder.Decoder.open` makes one of a
    file.

    ``read_samples`` and ``decode_s`` grow with it; ``expected_s`` is what its header promises, None where it promises nothing.
    ``warnings`` is complete once it has been read.
    ``watch`` gets every block, mono. With several ``columns`` the channels are kept apart: parts and blocks are (N, columns);
    None is a recording that is mixed down. ``tracks`` are the file's audio tracks, as far as they are known, whichever is read. ``path`` is
    the file itself where nothing was asked of its reading: an engine elsewhere may be sent it as it is. What reading ``parts`` raises,
    reading the stream raises.
    """

    def __init__(
        self,
        parts: Generator[Floats, None, None],
        *,
        name: str,
        expected_s: float | None = None,
        watch: Callable[[Floats], None] | None = None,
        columns: int | None = None,
        warnings: Sequence[ReadingWarning] = (),
        tracks: Sequence[Track] = (),
        path: Path | None = None,
    ) -> None:
        self.name, self.expected_s, self.columns, self.tracks, self.path = name, expected_s, columns, tuple(tracks), path
        self._warnings = warnings
        self._parts, self._watch = parts, watch
        self.read_samples = 0
        self.decode_s = 0.0

    @property
    def warnings(self) -> tuple[ReadingWarning, ...]:
        """What of the recording could not be read as it was meant, as far as that is known."""
        return tuple(self._warnings)

    @property
    def duration_s(self) -> float:
        """Length of what was read in seconds."""
        return self.read_samples / SAMPLE_RATE_HZ

    @property
    def duration_ms(self) -> int:
        """Length of what was read in whole milliseconds."""
        return self.read_samples * 1000 // SAMPLE_RATE_HZ

    def blocks(self) -> Generator[Floats, None, None]:
        """The samples in blocks of half a minute; closing them closes ``parts``."""
        with closing(self._parts) as parts:
            blocks = _of_equal_length(parts, BLOCK_S * SAMPLE_RATE_HZ)
            while True:
                started = time.perf_counter()
                block = next(blocks, None)
                self.decode_s += time.perf_counter() - started
                if block is None:
                    return
                self.read_samples += len(block)
                if self._watch is not None:
                    self._watch(block if block.ndim == 1 else block.mean(axis=1, dtype=np.float32))
                yield block


#: What is transcribed: samples that are all there, or that come as they are read.
Recording = Waveform | AudioStream


def _of_equal_length(parts: Iterable[Floats], size: int) -> Iterator[Floats]:
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


class _Parts:
    """Keeps what comes."""

    def __init__(self, cancel_check: CancelCheck | None = None) -> None:
        self.parts: list[Floats] = []
        self._cancel_check = cancel_check

    def take(self, block: Floats) -> None:
        if self._cancel_check is not None:
            self._cancel_check()
        self.parts.append(block)

    def start_over(self) -> None:
        self.parts.clear()

    def joined(self) -> Floats:
        samples: Floats = np.concatenate(self.parts) if len(self.parts) > 1 else self.parts[0]
        return samples


def existing_file(source: str | Path) -> Path:
    """The path of a file that can be opened and is not empty; AudioNotFoundError, AudioDecodeError or EmptyAudioError."""
    path = Path(source)
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode):
            with path.open("rb"):
                pass
    except (FileNotFoundError, NotADirectoryError, ValueError) as error:  # a path with a zero in it is a ValueError
        raise AudioNotFoundError(path=path) from error
    except OSError as error:
        raise AudioDecodeError(path=path, reason=error.strerror or type(error).__name__) from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioDecodeError(path=path, reason="it is a folder")
    if not stat.S_ISREG(status.st_mode):
        raise AudioDecodeError(path=path, reason="it is no file, but a pipe or a device")
    if status.st_size == 0:
        raise EmptyAudioError(path=path)
    return path


def load_audio(
    source: str | Path, *, max_duration_s: float | None = None, cancel_check: CancelCheck | None = None, read: ReadOptions | None = None
) -> Waveform:
    """Read a recording from a file in this process: for recordings of one's own; a server has
    :class:`engine.audio.sandbox.decoder.Decoder`.

    ``cancel_check`` is called with each block, and what it raises ends the reading.
    Raises AudioNotFoundError and what :func:`engine.audio.containers.decode` raises.
    """
    started = time.perf_counter()
    path = existing_file(source)
    parts = _Parts(cancel_check)
    warnings = decode(path, parts, max_duration_s=max_duration_s, read=read)
    return Waveform(parts.joined(), name=printable(path.name), decode_s=time.perf_counter() - started, warnings=warnings)


def from_array(samples: NDArray[Any], sample_rate_hz: int, *, name: str = "recording", read: ReadOptions | None = None) -> Waveform:
    """A Waveform from samples in memory: (N,) or (N, channels), unsigned 8 bit, 16 or 32 bit integers, or float.

    Integers are scaled by their own type (dividing 32 bits by the 16-bit maximum is a bug of other pages); floats are taken as they are.
    """
    started = time.perf_counter()
    array = np.asarray(samples)
    if array.ndim not in (1, 2):
        raise AudioDecodeError(path=name, reason=f"an array of {array.ndim} dimensions is not (samples,) or (samples, channels)")
    if array.dtype.kind not in "iuf":
        raise AudioDecodeError(path=name, reason=f"samples of type {array.dtype} are not numbers")
    parts = _Parts()
    check_rate(int(sample_rate_hz), path=name)
    mixdown = Mixdown(parts, path=name, max_duration_s=None, read=read)
    columns = array[:, None] if array.ndim == 1 else array
    frames = max(1, BLOCK_SAMPLES // max(1, columns.shape[1]))
    for start in range(0, len(columns), frames):
        mixdown.add(scaled(columns[start : start + frames]), int(sample_rate_hz))
    mixdown.finish()
    warnings = ReadingReport().warnings(mixdown)
    return Waveform(parts.joined(), name=name, decode_s=time.perf_counter() - started, warnings=warnings)


def scaled(block: NDArray[Any]) -> NDArray[Any]:
    """Samples as float32, integers by the range of their own type: to [-1, 1)."""
    if block.dtype.kind == "f":
        return block.astype(np.float32)
    limits = np.iinfo(block.dtype)
    middle = (limits.max + 1) // 2 if block.dtype.kind == "u" else 0
    reach = limits.max + 1 - middle
    return ((block.astype(np.float64) - middle) / reach).astype(np.float32)
