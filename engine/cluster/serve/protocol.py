"""What a client and a served engine say to each other, over HTTP.

``GET engine``: ``{"bundle": bundle.json, "precisions": […]}``, the first one for requests that name none. ``POST transcribe?options=…``
with a recording as the body answers one JSON object a line: ``progress``, ``segment``, and at the end ``transcript`` or ``error``.
``options`` is a JSON object: those of :class:`TranscribeOptions`, the recording's name (``file``), and what the body is.
A recording is a file as it is, or the samples of one that is decoded already: float32, little-endian, 16 kHz, mono, or with
``columns`` a channel each that are recognized apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning, warnings_from_wire
from engine.audio.sandbox.decoder import Decoder
from engine.audio.sandbox.error_wire import error_from_wire, error_to_wire
from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Recording, Waveform
from engine.errors import ClusterError, LightVoiceError
from engine.options import TranscribeOptions

DESCRIBE, TRANSCRIBE = "engine", "transcribe"
MEDIA_TYPE = "application/x-ndjson"
PROGRESS, SEGMENT, TRANSCRIPT, ERROR = "progress", "segment", "transcript", "error"


def line(kind: str, value: Any) -> str:
    """One line of an answer."""
    return json.dumps({kind: value}, ensure_ascii=False) + "\n"


def error_line(error: Exception) -> str:
    """An error as the last line of an answer, with what its message was made of."""
    if isinstance(error, LightVoiceError):
        return line(ERROR, {**error_to_wire(error), "expected": True})
    return line(ERROR, {"type": type(error).__name__, "message": str(error), "expected": False, "values": {}})


def received_error(values: Mapping[str, Any]) -> Exception:
    """The error that was sent: of its own class where it is one of ours, with its own message."""
    known = error_from_wire(values, LightVoiceError) if values["expected"] else None
    return known or ClusterError(f"the engine on the cluster failed ({values['type']}: {values['message']}); see its log")


@dataclass(frozen=True, kw_only=True)
class ReceivedRequest:
    """A request as a replica has received it."""

    recording: Recording
    options: TranscribeOptions
    file: str


@contextmanager
def received(values: Mapping[str, Any], content: bytes, *, decoder: Decoder) -> Iterator[ReceivedRequest]:
    """Read a request; a file lies in a folder of its own while the block runs.

    Raises what :meth:`engine.options.TranscribeOptions.parse` and opening a file raise.
    """
    options, file, decode_s = TranscribeOptions.parse(values), str(values["file"]), float(values.get("decode_s", 0.0))
    warnings, columns = warnings_from_wire(values.get("warnings", ())), values.get("columns")
    with ExitStack() as lasting:
        recording: Recording
        if values.get("samples") and columns is not None:
            apart = np.frombuffer(content, "<f4").reshape(-1, int(columns))
            recording = _apart(apart, name=file, decode_s=decode_s, warnings=warnings)
        elif values.get("samples"):
            recording = Waveform(np.frombuffer(content, "<f4"), name=file, decode_s=decode_s, warnings=warnings)
        else:
            path = Path(lasting.enter_context(TemporaryDirectory(prefix="lightvoice-"))) / (Path(file).name or "recording")
            path.write_bytes(content)
            recording = decoder.open(path)
        yield ReceivedRequest(recording=recording, options=options, file=file)


def _apart(samples: NDArray[np.float32], *, name: str, decode_s: float, warnings: tuple[ReadingWarning, ...]) -> AudioStream:
    """Samples (N, columns) as a recording whose channels are kept apart; ``decode_s`` is what decoding them took elsewhere."""
    duration_s, columns = len(samples) / SAMPLE_RATE_HZ, samples.shape[1]
    stream = AudioStream((part for part in (samples,)), name=name, expected_s=duration_s, columns=columns, warnings=warnings)
    stream.decode_s = decode_s
    return stream
