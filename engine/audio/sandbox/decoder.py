"""Untrusted recordings → Waveforms, decoded in worker processes, which a crashing library cannot leave.

A worker that crashes, hangs or takes too much memory is ended, the file is refused with a typed error, and the next file
gets a new one. Workers are started when needed, stay for a while, and are used again: starting one costs more than most files.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from engine.audio.containers import Probe
from engine.audio.read_options import Channel, ReadOptions
from engine.audio.reading.reading_warnings import TEXTS, ReadingWarning
from engine.audio.resampling import SAMPLE_RATE_HZ
from engine.audio.sandbox.messages import Kind, Request
from engine.audio.sandbox.process import BYTES_PER_SAMPLE, DecodeProcess
from engine.audio.tracks import Track
from engine.audio.waveform import AudioStream, CancelCheck, Waveform, existing_file
from engine.errors import AudioDecodeError, AudioError, AudioTooLongError, DecoderCrashedError, OptionRangeError
from engine.files.file_names import printable

Floats = NDArray[np.float32]

#: Recordings that are read at the same time unless told; another one waits.
MOST_WORKERS = 4
#: Then a worker is replaced: what a library forgets to free must not become the next file's lack of memory.
REQUESTS_PER_WORKER = 1000
#: Channels that are recognized on their own; each takes as long as a recording.
MOST_SPEAKERS = 32


@dataclass(frozen=True, kw_only=True)
class DecodeLimits:
    """What one recording may take."""

    #: Longer ones are refused, where a caller sets no limit of its own: 2.8 GB of samples.
    duration_s: float = 12 * 3600.0
    #: A worker from which nothing comes for so long has hung; blocks of a minute of sound take some milliseconds.
    stall_s: float = 8.0
    #: Address space; a worker takes 0.2 GB of it by being there.
    memory_mb: int = 1024
    #: A worker without a request for so long ends.
    idle_s: float = 600.0

    def total_s(self, duration_s: float) -> float:
        """What a recording that may last so long may take altogether: an hour decodes in some ten seconds."""
        return 60.0 + duration_s / 10


class Decoder:
    """Decodes in worker processes; safe to use from many threads."""

    def __init__(
        self,
        *,
        limits: DecodeLimits | None = None,
        at_once: int = MOST_WORKERS,
        command: Sequence[str] = (sys.executable, "-m", "engine.audio.sandbox.worker"),
    ) -> None:
        """``at_once`` recordings are read at the same time."""
        self.limits = limits or DecodeLimits()
        self._command = (*command, str(self.limits.idle_s), str(self.limits.memory_mb))
        self._places = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._idle: list[DecodeProcess] = []
        self._closed = False
        weakref.finalize(self, _end_all, self._idle)

    def warm_up(self) -> None:
        """Start a worker without waiting for it, so that the first recording finds it ready."""
        with self._lock:
            if not self._idle:
                self._idle.append(self._start())

    def load(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        cancel_check: CancelCheck | None = None,
        read: ReadOptions | None = None,
    ) -> Waveform:
        """Read a recording from a file; ``cancel_check`` is called with each part of it that arrives, and what it raises ends the reading.

        A Waveform is mono: a recording whose channels are to be kept apart is mixed. Raises AudioNotFoundError, UnknownTrackError,
        AudioDecodeError (DecoderCrashedError and DecoderLimitError among them), EmptyAudioError, NonFiniteAudioError,
        SampleRateError, AudioTooLongError, and DecoderUnavailableError.
        """
        started = time.perf_counter()
        path = existing_file(source)
        samples, warnings = bytearray(), list[ReadingWarning]()
        for part in self._parts(path, max_duration_s, cancel_check, warnings, read or ReadOptions()):
            samples += part
        # A view of what arrived: a copy of a long recording would be hundreds of megabytes more for a moment.
        view = np.frombuffer(samples, np.float32)
        return Waveform(view, name=printable(path.name), decode_s=time.perf_counter() - started, warnings=tuple(warnings))

    def open(
        self,
        source: str | Path,
        *,
        max_duration_s: float | None = None,
        cancel_check: CancelCheck | None = None,
        watch: Callable[[Floats], None] | None = None,
        read: ReadOptions | None = None,
    ) -> AudioStream:
        """A recording that is decoded while it is worked on; its worker waits meanwhile.

        ``cancel_check`` and the errors as for :meth:`load`: what is no file is refused at once, the rest as it is read. With
        Channel.SPLIT its channels are kept apart.
        """
        path, read = existing_file(source), read or ReadOptions()
        said = self.probe(path)
        columns = said.channels(read.track) if said is not None and read.channel is Channel.SPLIT else 1
        if columns > MOST_SPEAKERS:
            raise OptionRangeError(name="the number of channels to be recognized apart", value=columns, lowest=1, highest=MOST_SPEAKERS)
        warnings: list[ReadingWarning] = []
        parts = _in_columns(self._parts(path, max_duration_s, cancel_check, warnings, read, columns), columns)
        return AudioStream(
            parts,
            name=printable(path.name),
            expected_s=None if said is None else said.duration_s,
            watch=watch,
            warnings=warnings,
            columns=columns if read.channel is Channel.SPLIT else None,
            tracks=() if said is None else said.tracks,
            path=path if read == ReadOptions() and max_duration_s is None and cancel_check is None and watch is None else None,
        )

    def probe(self, source: str | Path) -> Probe | None:
        """What a recording's header says, without decoding it; None for what is no recording or breaks the decoder."""
        most_s = self.limits.duration_s
        try:
            path = existing_file(source).absolute()
            request = Request(task="probe", path=str(path), max_duration_s=most_s, cpu_s=self.limits.total_s(most_s))
            *_, (_, found) = self._messages(request, Probe | None)
        except AudioError:
            return None
        return cast("Probe | None", found)

    def tracks(self, source: str | Path) -> tuple[Track, ...]:
        """A recording's audio tracks; AudioNotFoundError, EmptyAudioError, and AudioDecodeError for what has none."""
        path = existing_file(source)
        found = self.probe(path)
        if found is None:
            raise AudioDecodeError(path=path, reason="no audio track was found in it")
        return found.tracks

    def close(self) -> None:
        """End the workers; one that is decoding ends after its file."""
        with self._lock:
            self._closed = True
            _end_all(self._idle)

    def _parts(
        self,
        path: Path,
        max_duration_s: float | None,
        cancel_check: CancelCheck | None,
        warnings: list[ReadingWarning],
        read: ReadOptions,
        columns: int = 1,
    ) -> Iterator[bytes]:
        """The samples of a recording as they come, float32; at their end ``warnings`` is filled.

        What is read once more from the beginning is not given once more.
        """
        most_s = self.limits.duration_s if max_duration_s is None else max_duration_s
        second_bytes = SAMPLE_RATE_HZ * columns * BYTES_PER_SAMPLE
        most_bytes = int((most_s + 1) * second_bytes)
        given = skipped = 0
        cpu_s = self.limits.total_s(most_s)
        request = Request(task="decode", path=str(path.absolute()), max_duration_s=most_s, cpu_s=cpu_s, read=read, columns=columns)
        for kind, content in self._messages(request, tuple[ReadingWarning, ...]):
            if cancel_check is not None:
                cancel_check()
            if kind is Kind.DONE:
                warnings += (one for one in content if one.type not in TEXTS)  # a worker, which may have been taken over, tells no text
            elif kind is Kind.START_OVER:
                skipped = given
            elif kind is Kind.BLOCK:
                new = content[min(skipped, len(content)) :]
                skipped -= len(content) - len(new)
                given += len(new)
                if given > most_bytes:
                    # The worker has the same limit; it is not relied on.
                    raise AudioTooLongError(path=path, duration_s=given / second_bytes, limit_s=most_s)
                if new:
                    yield new

    def _messages(self, request: Request, kind_of_answer: Any) -> Iterator[tuple[Kind, Any]]:
        """A worker's messages; START_OVER also where a worker that had answered others ended, and a new one begins again."""
        with self._places:
            while True:
                with self._worker() as worker:
                    was_used = worker.requests > 0
                    try:
                        yield from worker.ask(request, kind_of_answer, path=Path(request.path), stall_s=self.limits.stall_s)
                    except DecoderCrashedError:
                        # An earlier file may have left this worker broken, or it had just ended: a new one decides.
                        if not was_used:
                            raise
                    else:
                        return
                yield Kind.START_OVER, b""

    @contextmanager
    def _worker(self) -> Iterator[DecodeProcess]:
        with self._lock:
            while self._idle and not self._idle[-1].is_ready:
                self._idle.pop().end()
            worker = self._idle.pop() if self._idle else self._start()
        try:
            yield worker
        finally:
            with self._lock:
                if worker.is_ready and not self._closed and worker.requests < REQUESTS_PER_WORKER:
                    self._idle.append(worker)
                else:
                    worker.end()

    def _start(self) -> DecodeProcess:
        return DecodeProcess(self._command)


def _in_columns(parts: Iterator[bytes], columns: int) -> Generator[Floats, None, None]:
    """Samples as they come, (n,) or, of several columns, (n, columns): a message may end within a row."""
    row_bytes, rest = columns * BYTES_PER_SAMPLE, b""
    for part in parts:
        if columns == 1:
            yield np.frombuffer(part, np.float32)
            continue
        rest += part
        whole = len(rest) - len(rest) % row_bytes
        yield np.frombuffer(rest[:whole], np.float32).reshape(-1, columns)
        rest = rest[whole:]


def _end_all(workers: list[DecodeProcess]) -> None:
    while workers:
        workers.pop().end()
