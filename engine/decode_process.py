"""One decode worker as its server sees it: a process that answers requests, is watched while it does, and is ended when it fails."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import engine.errors
from engine.decode_messages import HEADER, MOST_BYTES, Kind
from engine.errors import AudioDecodeError, AudioError, AudioTooLongError, DecoderCrashedError, DecoderLimitError, DecoderUnavailableError
from engine.mixdown import SAMPLE_RATE_HZ

ROOT = Path(__file__).resolve().parent.parent
BYTES_PER_SAMPLE = 4
#: All that a worker is told of the server's environment, which may hold keys.
PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "LANG", "LC_ALL", "SYSTEMROOT", "TEMP")
#: One thread decodes; more arenas and BLAS buffers would be address space that the memory limit counts.
LEAN = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"}


class DecodeProcess:
    """One process; used by one thread at a time."""

    def __init__(self, command: Sequence[str]) -> None:
        environment = {name: os.environ[name] for name in PASSED_ON if name in os.environ} | LEAN
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

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """Kill the process and wait until it is gone."""
        self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()

    def ask(self, request: dict[str, Any], samples: bytearray, *, path: Path, stall_s: float, total_s: float) -> Any:
        """The answer to a request, its blocks appended to ``samples``; a worker that does not answer is ended."""
        watch = _Watch(self._process, stall_s=stall_s, total_s=total_s)
        self.requests += 1
        try:
            try:
                self._write(json.dumps(request).encode() + b"\n")
                return self._read(
                    samples, watch, path=path, most_bytes=int((request["max_duration_s"] + 1) * SAMPLE_RATE_HZ) * BYTES_PER_SAMPLE
                )
            finally:
                watch.stop()
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            if isinstance(error, AudioError):
                raise
            # Gone, or out of its mind, which an exploited library would look like.
            self.end()
            if watch.expired or self._process.returncode == -getattr(signal, "SIGXCPU", 0):
                raise DecoderLimitError(path=path, limit="more time than a recording needs") from error
            raise DecoderCrashedError(path=path, how=_how(self._process.returncode)) from error

    def _write(self, line: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, see above
        self._process.stdin.write(line)

    def _read(self, samples: bytearray, watch: _Watch, *, path: Path, most_bytes: int) -> Any:
        while True:
            code, length = HEADER.unpack(self._exactly(HEADER.size))
            kind = Kind(code)
            if length > MOST_BYTES or (kind is Kind.BLOCK and length % BYTES_PER_SAMPLE):
                raise ValueError(f"a message of {length} bytes")
            content = self._exactly(length)
            watch.progress()
            if kind is Kind.BLOCK:
                samples += content
                if len(samples) > most_bytes:  # it was told to stop before
                    self.end()
                    raise AudioTooLongError(
                        path=path,
                        duration_s=len(samples) / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ,
                        limit_s=most_bytes / BYTES_PER_SAMPLE / SAMPLE_RATE_HZ,
                    )
            elif kind is Kind.START_OVER:
                samples.clear()
            elif kind is Kind.DONE:
                return json.loads(content)
            else:
                raise _refusal(kind, json.loads(content), path)

    def _exactly(self, count: int) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, see above
        got = self._process.stdout.read(count) if count else b""
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
        threading.Thread(target=self._look, name="lightvoice-decoder", daemon=True).start()

    def progress(self) -> None:
        """Something came."""
        self._last_s = time.monotonic()

    def stop(self) -> None:
        """The request is over; the process is not touched after this."""
        with self._lock:
            self._stopped.set()

    def _look(self) -> None:
        while True:
            left_s = min(self._last_s + self._stall_s, self._end_s) - time.monotonic()
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


def _refusal(kind: Kind, said: Any, path: Path) -> AudioError:
    """A worker's refusal as the error that it stands for: one of ours by name, with the message that the worker made."""
    if kind is Kind.FAILED:
        return AudioDecodeError(path=path, reason=f"the decoder failed with {str(said['type'])[:80]}")
    named = getattr(engine.errors, str(said["type"]), None)
    if isinstance(named, type) and issubclass(named, AudioError):
        return named.__new__(named, str(said["message"]))  # the message is complete: the constructor would make another one
    raise ValueError("a refusal that we do not know")
