"""One decode worker: a process that answers requests, is watched meanwhile, and is killed when it fails."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from engine.audio.sandbox.messages import HEADER, MOST_BYTES, Kind, Request
from engine.bundle_roots import ROOT
from engine.errors import AudioError, DecoderCrashedError, DecoderLimitError, DecoderUnavailableError
from engine.runtime.telemetry import SILENCE
from engine.wire import SentError, decoded, encoded, received_error

BYTES_PER_SAMPLE = 4
#: All that a worker gets of the server's environment, which may hold keys.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP")
#: One thread decodes; more arenas and BLAS buffers would be address space that the memory limit counts.
LEAN = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class _NoAnswerError(Exception):
    """The worker ended, or its answer is none of the messages."""


class DecodeProcess:
    """One process; used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | LEAN | dict(SILENCE)
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, our own code
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                bufsize=0,
                cwd=ROOT,
                env=environment,
                start_new_session=True,  # Ctrl+C in a terminal is for the server, which ends its workers itself
            )
        except OSError as error:
            raise DecoderUnavailableError(reason=error.strerror or type(error).__name__) from error
        self.requests = 0
        self._answering = False

    @property
    def is_ready(self) -> bool:
        """Whether the process runs and has answered whatever it was asked."""
        return not self._answering and self._process.poll() is None

    def end(self) -> None:
        """Kill the process and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def ask(self, request: Request, kind_of_answer: Any, *, path: Path, stall_s: float) -> Iterator[tuple[Kind, Any]]:
        """The messages of an answer as they come: BLOCK with its samples as bytes, START_OVER, and DONE with the answer at the end.

        Raises the worker's refusal. A worker that does not answer is ended: DecoderCrashedError or DecoderLimitError.
        """
        watch = _Watch(self._process, stall_s=stall_s, total_s=request.cpu_s)
        self.requests += 1
        self._answering = True
        try:
            self._write(encoded(request).encode() + b"\n")
            while True:
                try:
                    kind, content = self._message(kind_of_answer)
                except (OSError, EOFError, ValueError) as error:
                    raise _NoAnswerError from error
                watch.progress()
                self._answering = kind in (Kind.BLOCK, Kind.START_OVER)
                if isinstance(content, AudioError):
                    raise content
                with watch.resting():  # the receiver of the samples may be slow
                    yield kind, content
                if not self._answering:
                    return
        except (_NoAnswerError, BrokenPipeError) as error:
            watch.stop()
            # It is gone, or says what no worker says, which an exploited library would look like.
            self.end()
            if watch.expired or self._process.returncode == -getattr(signal, "SIGXCPU", 0):
                raise DecoderLimitError(path=path, limit="more time than a recording needs") from error
            raise DecoderCrashedError(path=path, how=_how(self._process.returncode)) from error
        finally:
            watch.stop()

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, see above
        self._process.stdin.write(line)

    def _message(self, kind_of_answer: Any) -> tuple[Kind, Any]:
        code, length = HEADER.unpack(self._exactly(HEADER.size))
        kind = Kind(code)
        if length > MOST_BYTES or (kind is Kind.BLOCK and length % BYTES_PER_SAMPLE):
            raise ValueError(f"a message of {length} bytes")
        content = self._exactly(length)
        if kind in (Kind.BLOCK, Kind.START_OVER):
            return kind, content
        if kind is Kind.DONE:
            return kind, decoded(content, kind_of_answer)
        refusal = received_error(decoded(content, SentError), AudioError)
        if refusal is None:
            raise ValueError("a refusal that is no AudioError")
        return kind, refusal

    def _exactly(self, count: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, see above
        got = b""
        while len(got) < count:
            piece = self._process.stdout.read(count - len(got))
            if not piece:
                raise EOFError
            got += piece
        return got


class _Watch:
    """Ends a process from which nothing came for ``stall_s``, or which is not done after ``total_s``."""

    def __init__(self, process: subprocess.Popen[bytes], *, stall_s: float, total_s: float) -> None:
        self._process, self._stall_s = process, stall_s
        self.expired = False
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        now_s = time.monotonic()
        self._last_s, self._end_s = now_s, now_s + total_s
        self._rests = False
        threading.Thread(target=self._look, name="lightvoice-decoder", daemon=True).start()

    def progress(self) -> None:
        """Something came."""
        self._last_s = time.monotonic()

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Meanwhile nothing is expected, and no time counts."""
        began_s = time.monotonic()
        self._rests = True
        try:
            yield
        finally:
            self._last_s = time.monotonic()
            self._end_s += self._last_s - began_s
            self._rests = False

    def stop(self) -> None:
        """The request is over; the process is not touched after this."""
        with self._lock:
            self._stopped.set()

    def _look(self) -> None:
        while True:
            left_s = self._stall_s if self._rests else min(self._last_s + self._stall_s, self._end_s) - time.monotonic()
            if self._stopped.wait(max(left_s, 0.0)):
                return
            if left_s <= 0:
                break
        with self._lock:
            if not self._stopped.is_set():
                self.expired = True
                self._process.kill()


def _how(returncode: int) -> str:
    """The end of a process in a word: the signal's name, or its exit status."""
    if returncode < 0:
        with suppress(ValueError):
            return signal.Signals(-returncode).name
    return f"exit status {returncode}"
