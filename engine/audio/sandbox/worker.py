"""The process that decodes for a server: ``python -m engine.audio.sandbox.worker``, started and watched by
:mod:`engine.audio.sandbox.decoder`.

Reads one request a line on standard input and answers on standard output (:mod:`engine.audio.sandbox.messages`). It loads nothing but
the decoders, holds itself to limits where the system has them, and ends when nobody has asked for a while or its parent has gone.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import select
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from engine.audio.containers import decode, probe
from engine.audio.read_options import ReadOptions
from engine.audio.reading.reading_warnings import warnings_to_wire
from engine.audio.sandbox.error_wire import error_to_wire
from engine.audio.sandbox.messages import MOST_BYTES, Kind, packed
from engine.errors import AudioDecodeError, AudioError, DecoderLimitError
from engine.option_fields import parse_fields

#: Blocks are sent together: a frame of AAC is 4 kB, and each message costs two switches between processes.
SEND_BYTES = 1 << 18
SEND_EVERY_S = 1.0
MOST_OPEN_FILES = 64


class _Replies:
    """Sends blocks (as a Sink) and everything else."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._pending, self._sent_at_s = stream, bytearray(), time.monotonic()

    def take(self, block: NDArray[np.float32]) -> None:
        self._pending += np.ascontiguousarray(block, np.float32).tobytes()
        if len(self._pending) >= SEND_BYTES or time.monotonic() - self._sent_at_s > SEND_EVERY_S:
            self._send_blocks()

    def start_over(self) -> None:
        self._pending.clear()
        self._send(Kind.START_OVER)

    def done(self, answer: Any) -> None:
        """The end of a request."""
        self._send_blocks()
        self._send(Kind.DONE, json.dumps(answer).encode())

    def refuse(self, error: AudioError) -> None:
        """The other end of a request; it makes the blocks before it worthless."""
        self._pending.clear()
        self._send(Kind.REFUSED, json.dumps(error_to_wire(error)).encode())

    def _send_blocks(self) -> None:
        for start in range(0, len(self._pending), MOST_BYTES):
            self._send(Kind.BLOCK, bytes(self._pending[start : start + MOST_BYTES]))
        self._pending.clear()

    def _send(self, kind: Kind, content: bytes = b"") -> None:
        self._stream.write(packed(kind, content))
        self._stream.flush()
        self._sent_at_s = time.monotonic()


class _ProcessLimits:
    """What the system takes from this process when it asks for too much; nothing on a system that cannot."""

    def __init__(self, memory_mb: int) -> None:
        try:
            self._resource: Any = importlib.import_module("resource")
        except ImportError:  # Windows
            self._resource = None
            return
        self._lower("RLIMIT_AS", memory_mb << 20)
        self._lower("RLIMIT_CORE", 0)
        self._lower("RLIMIT_FSIZE", 0)  # it has nothing to write
        self._lower("RLIMIT_NOFILE", MOST_OPEN_FILES)

    def allow_cpu_s(self, seconds: float) -> None:
        """So much processor time from now on; the system then ends this process, whoever watches it."""
        if self._resource is not None:
            self._lower("RLIMIT_CPU", math.ceil(time.process_time() + seconds))

    def _lower(self, name: str, wanted: int) -> None:
        kind = getattr(self._resource, name)
        _, hard = self._resource.getrlimit(kind)
        most = wanted if hard == self._resource.RLIM_INFINITY else min(wanted, hard)
        self._resource.setrlimit(kind, (most, hard))


def answer(request: dict[str, Any], replies: _Replies) -> None:
    """One request: ``{"task": "decode" | "probe", "path", "max_duration_s"}``; to decode, also ``"read"`` and ``"columns"``."""
    path = Path(request["path"])
    try:
        if request["task"] == "probe":
            found = probe(path)
            tracks = [] if found is None else [track.to_dict() for track in found.tracks]
            replies.done(found and {"container": found.container, "duration_s": found.duration_s, "tracks": tracks})
        else:
            read = parse_fields(ReadOptions, request["read"])
            warnings = decode(path, replies, max_duration_s=request["max_duration_s"], read=read, columns=request["columns"])
            replies.done({"warnings": warnings_to_wire(warnings)} if warnings else None)
    except MemoryError:
        replies.refuse(DecoderLimitError(path=path, limit="more memory than a recording needs"))
    except AudioError as error:
        replies.refuse(error)
    except BrokenPipeError:
        raise  # the parent has gone: nobody could be answered
    except Exception as error:  # noqa: BLE001 - whatever the libraries come up with, its name is reported and the next file is read
        replies.refuse(AudioDecodeError(path=path, reason=f"the decoder failed with {type(error).__name__}"))


def main(idle_s: float, memory_mb: int) -> None:
    """Answer requests until the parent closes its end or asks nothing for ``idle_s``."""
    requests, replies = os.fdopen(os.dup(0), "rb", buffering=0), _Replies(os.fdopen(os.dup(1), "wb"))
    # The libraries print warnings about files to both: none may come between the messages, or fill the server's log.
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    limits = _ProcessLimits(memory_mb)
    while True:
        # Windows cannot wait for a pipe with a time limit: there a worker stays as long as its parent.
        if os.name == "posix" and not select.select([requests], [], [], idle_s)[0]:
            return
        line = requests.readline()
        if not line:
            return
        request = json.loads(line)
        limits.allow_cpu_s(request["cpu_s"])
        answer(request, replies)


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
