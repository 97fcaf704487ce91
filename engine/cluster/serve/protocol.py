"""What a client and a served engine say to each other, over HTTP.

``GET engine``: ``{"bundle": bundle.json, "precisions": […]}``, the first one for requests that name none. ``POST transcribe?options=…``
with a recording as the body answers one :class:`Answer` a line: progress, segments, and at the end the transcript or an error.
A recording is a file as it is, or the samples of one that is decoded already: float32, little-endian, 16 kHz, mono, or with
``columns`` a channel each that are recognized apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning, received_warnings
from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Waveform
from engine.errors import ClusterError, LightVoiceError
from engine.recording_run import Recording
from engine.runtime.session_pool import VAD_AS_REQUEST
from engine.speech.endpointing import VadOptions
from engine.transcript import Segment, Transcript
from engine.wire import SentError, encoded, received_error

DESCRIBE, TRANSCRIBE = "engine", "transcribe"
MEDIA_TYPE = "application/x-ndjson"


class Answer(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One line of an answer: one of these, and with the transcript the MB of the sessions that it was made with."""

    segment: Segment | None = None
    progress: tuple[float, str] | None = None
    transcript: Transcript | None = None
    sessions_mb: float = 0.0
    error: SentError | None = None

    def line(self) -> str:
        """As it is sent."""
        return encoded(self) + "\n"

    @property
    def received_error(self) -> Exception:
        """The error that was sent in place of a transcript: of its own class where it is one of ours, with its own message."""
        sent = self.error or SentError(type="error", message="no transcript", values={})
        failed = f"the engine on the cluster failed ({sent.type}: {sent.message}); see its log"
        return received_error(sent, LightVoiceError) or ClusterError(failed)


def error_line(error: Exception) -> str:
    """An error as the last line of an answer."""
    return Answer(error=SentError.of(error)).line()


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
        warnings = received_warnings(options.pop("warnings", ()))
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
