"""A recording as the body of a request: sent from where it lies, block by block, as often as it takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO

import numpy as np

from engine.audio.waveform import AudioStream, Recording, Waveform
from engine.errors import StorageFullError

BLOCK_BYTES = 1 << 18


@dataclass(frozen=True, kw_only=True)
class SentRecording:
    """What a replica is sent: ``size_bytes`` of a file as it is, or of samples (float32, little-endian), which ``about`` says."""

    name: str
    size_bytes: int
    #: What a replica must know beside the options (:mod:`engine.cluster.serve.protocol`).
    about: dict[str, Any]
    #: The body from its beginning, for one attempt.
    blocks: Callable[[], Iterator[bytes]]

    def after(self, head: bytes) -> SentRecording:
        """The same body behind these bytes."""
        if not head:
            return self
        return replace(self, size_bytes=len(head) + self.size_bytes, blocks=lambda: chain([head], self.blocks()))


@contextmanager
def sent_recording(recording: Recording) -> Iterator[SentRecording]:
    """Make a recording ready to be sent, as long as the block runs. StorageFullError, and what reading it raises.

    A file of whose reading nothing was asked is sent as it is, undecoded. What is decoded while it is read goes through a file without a
    name in the temporary folder, 230 MB an hour, so that no recording lies in memory whole; nothing of it is left, however this process
    ends.
    """
    if isinstance(recording, Waveform):
        samples = np.ascontiguousarray(recording.samples, "<f4").view(np.uint8)

        def of_samples() -> Iterator[bytes]:
            return (samples[start : start + BLOCK_BYTES].tobytes() for start in range(0, samples.nbytes, BLOCK_BYTES))

        yield SentRecording(name=recording.name, size_bytes=samples.nbytes, about=_about(recording), blocks=of_samples)
    elif recording.path is not None:
        with recording.path.open("rb") as stored:
            yield _of(stored, name=recording.name, about={})
    else:
        with tempfile.TemporaryFile(prefix="lightvoice-") as file:
            with closing(recording.blocks()) as blocks:
                for block in blocks:
                    _write(file, np.ascontiguousarray(block, "<f4").view(np.uint8).data)
            yield _of(file, name=recording.name, about=_about(recording))


def _about(recording: Recording) -> dict[str, Any]:
    columns = recording.columns if isinstance(recording, AudioStream) else None
    apart = {} if columns is None else {"columns": columns}
    warnings = [warning.to_dict() for warning in recording.warnings]
    return {"samples": True, "decode_s": recording.decode_s, "warnings": warnings, **apart}


def _write(file: BinaryIO, block: memoryview) -> None:
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        raise StorageFullError(reason=f"{tempfile.gettempdir()}: {error.strerror or type(error).__name__}") from error


def _of(file: BinaryIO, *, name: str, about: dict[str, Any]) -> SentRecording:
    def blocks() -> Iterator[bytes]:
        file.seek(0)
        while block := file.read(BLOCK_BYTES):
            yield block

    return SentRecording(name=name, size_bytes=file.seek(0, os.SEEK_END), about=about, blocks=blocks)
