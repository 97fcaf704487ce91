"""What a client and a served engine say to each other, over HTTP.

``GET engine``: ``{"bundle": bundle.json, "precisions": […]}``, the first one for requests that name none. ``POST transcribe?options=…``
with a recording as the body answers one JSON object a line: ``progress``, ``segment``, and at the end ``transcript`` or ``error``.
A recording is a file as it is, or the samples of one that is decoded already: float32, little-endian, 16 kHz, mono, or with
``columns`` a channel each that are recognized apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning, warnings_from_wire
from engine.audio.sandbox.error_wire import error_from_wire, error_to_wire
from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Waveform
from engine.errors import ClusterError, LightVoiceError
from engine.recording_run import Recording
from engine.runtime.session_pool import VAD_AS_REQUEST
from engine.speech.endpointing import VadOptions

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
class Wanted:
    """The options of a request, beside its recording."""

    file: str
    language: str = "auto"
    itn: bool = True
    ban_emo_unknown: bool = False
    vad: VadOptions | None = None
    vad_precision: str = VAD_AS_REQUEST

    def to_dict(self) -> dict[str, Any]:
        """As the query of a request has it."""
        return asdict(self)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A request as a replica has received it."""

    audio: Path | Recording
    wanted: Wanted

    @classmethod
    @contextmanager
    def received(cls, values: Mapping[str, Any], content: bytes) -> Iterator[Asked]:
        """Read a request; a file lies in a folder of its own while the block runs. OptionRangeError for VAD options out of range."""
        options = dict(values)
        samples, decode_s = options.pop("samples", False), options.pop("decode_s", 0.0)
        columns = options.pop("columns", None)
        warnings = warnings_from_wire(options.pop("warnings", ()))
        vad = options.pop("vad", None)
        wanted = Wanted(**options, vad=None if vad is None else VadOptions(**vad))
        if samples and columns is not None:
            apart = np.frombuffer(content, "<f4").reshape(-1, int(columns))
            yield cls(audio=_apart(apart, name=wanted.file, decode_s=decode_s, warnings=warnings), wanted=wanted)
            return
        if samples:
            waveform = Waveform(np.frombuffer(content, "<f4"), name=wanted.file, decode_s=decode_s, warnings=warnings)
            yield cls(audio=waveform, wanted=wanted)
            return
        with TemporaryDirectory(prefix="lightvoice-") as folder:
            path = Path(folder) / (Path(wanted.file).name or "recording")
            path.write_bytes(content)
            yield cls(audio=path, wanted=wanted)

    def options(self) -> dict[str, Any]:
        """The keyword arguments of ``Engine.transcribe``."""
        return {name: getattr(self.wanted, name) for name in ("file", "language", "itn", "ban_emo_unknown", "vad", "vad_precision")}


def _apart(samples: NDArray[np.float32], *, name: str, decode_s: float, warnings: tuple[ReadingWarning, ...]) -> AudioStream:
    """Samples (N, columns) as a recording whose channels are kept apart; ``decode_s`` is what decoding them took elsewhere."""
    duration_s, columns = len(samples) / SAMPLE_RATE_HZ, samples.shape[1]
    stream = AudioStream((part for part in (samples,)), name=name, expected_s=duration_s, columns=columns, warnings=warnings)
    stream.decode_s = decode_s
    return stream
