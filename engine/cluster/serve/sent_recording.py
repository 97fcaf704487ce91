"""A recording as the body of a request: sent from where it lies, block by block, as often as it takes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from engine.audio.reading.reading_warnings import warnings_to_wire
from engine.audio.waveform import AudioStream, Recording, Waveform
from engine.errors import StorageFullError


@dataclass(frozen=True, kw_only=True)
class SentRecording:
    """What a replica is sent: ``size_bytes`` of a file as it is, or of samples (float32, little-endian), which ``about`` says."""

    name: str
    size_bytes: int
    #: What a replica must know beside the options (:mod:`engine.cluster.serve.protocol`).
    about: dict[str, Any]
    #: The body from its beginning, for one attempt: an open file, or the samples in memory.
    begin: Callable[[], BinaryIO | memoryview]


@contextmanager
def sent_recording(recording: Recording) -> Iterator[SentRecording]:
    """Make a recording ready to be sent, as long as the block runs. StorageFullError, and what reading it raises.

    A file of whose reading nothing was asked is sent as it is, undecoded. What is decoded while it is read goes through a file without a
    name in the temporary folder, 230 MB an hour, so that no recording lies in memory whole; nothing of it is left, however this process
    ends.
    """
    if isinstance(recording, Waveform):
        samples = np.ascontiguousarray(recording.samples, "<f4").view(np.uint8)
        yield SentRecording(name=recording.name, size_bytes=samples.nbytes, about=_about(recording), begin=lambda: samples.data)
    elif recording.path is not None:
        with recording.path.open("rb") as file:
            yield _of(file, name=recording.name, about={})
    else:
        with tempfile.TemporaryFile(prefix="lightvoice-") as file:
            with closing(recording.blocks()) as blocks:
                for block in blocks:
                    _write(file, np.ascontiguousarray(block, "<f4").view(np.uint8).data)
            yield _of(file, name=recording.name, about=_about(recording))


def _about(recording: Recording) -> dict[str, Any]:
    columns = recording.columns if isinstance(recording, AudioStream) else None
    apart = {} if columns is None else {"columns": columns}
    return {"samples": True, "decode_s": recording.decode_s, "warnings": warnings_to_wire(recording.warnings), **apart}


def _write(file: BinaryIO, block: memoryview) -> None:
    try:
        file.write(block)
        file.flush()
    except OSError as error:
        raise StorageFullError(reason=f"{tempfile.gettempdir()}: {error.strerror or type(error).__name__}") from error


def _of(file: BinaryIO, *, name: str, about: dict[str, Any]) -> SentRecording:
    def begin() -> BinaryIO:
        file.seek(0)
        return file

    return SentRecording(name=name, size_bytes=file.seek(0, os.SEEK_END), about=about, begin=begin)
