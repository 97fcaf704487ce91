"""What a client and a served engine say to each other, over HTTP.

``GET engine``: ``{"bundle": bundle.json, "precisions": […]}``, the first one for requests that name none. ``POST transcribe?options=…``
with a recording as the body answers one :class:`Answer` a line: progress, segments, and at the end the transcript or an error.
``options`` is a JSON object: those of :class:`TranscribeOptions`, the recording's name (``file``), and what the body is.
Hotwords are too long for an address: ``hotwords_bytes`` of the body, before the recording, are their text in UTF-8.
A recording is a file as it is, or the samples of one that is decoded already: float32, little-endian, 16 kHz, mono, or with
``columns`` a channel each that are recognized apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from engine.audio.reading.reading_warnings import ReadingWarning, received_warnings
from engine.audio.sandbox.decoder import Decoder
from engine.audio.waveform import SAMPLE_RATE_HZ, AudioStream, Recording, Waveform
from engine.errors import ClusterError, LightVoiceError
from engine.options import TranscribeOptions
from engine.transcript import Segment, Transcript
from engine.wire import SentError, encoded, received_error

DESCRIBE, TRANSCRIBE = "engine", "transcribe"
MEDIA_TYPE = "application/x-ndjson"
SAMPLE_BYTES = 4
#: The option that travels in the body, and how many bytes of it.
IN_BODY, IN_BODY_BYTES = "hotwords", "hotwords_bytes"


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


def split_options(options: TranscribeOptions) -> tuple[dict[str, Any], bytes]:
    """Options as a request has them: those of its address, and the beginning of its body."""
    values = options.to_dict()
    text = values.pop(IN_BODY).encode()
    text += b"\n" * (-len(text) % SAMPLE_BYTES)  # so that samples after it lie where processors want them
    return (values | {IN_BODY_BYTES: len(text)} if text else values), text


def error_line(error: Exception) -> str:
    """An error as the last line of an answer."""
    return Answer(error=SentError.of(error)).line()


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
    in_body = max(0, int(values.get(IN_BODY_BYTES, 0)))
    own = {**values, IN_BODY: content[:in_body].decode()} if in_body else values
    options, file, decode_s = TranscribeOptions.parse(own), str(values["file"]), float(values.get("decode_s", 0.0))
    sound = memoryview(content)[in_body:]
    warnings, columns = received_warnings(values.get("warnings", ())), values.get("columns")
    with ExitStack() as lasting:
        recording: Recording
        if values.get("samples") and columns is not None:
            apart = np.frombuffer(sound, "<f4").reshape(-1, int(columns))
            recording = _apart(apart, name=file, decode_s=decode_s, warnings=warnings)
        elif values.get("samples"):
            recording = Waveform(np.frombuffer(sound, "<f4"), name=file, decode_s=decode_s, warnings=warnings)
        else:
            path = Path(lasting.enter_context(TemporaryDirectory(prefix="lightvoice-"))) / (Path(file).name or "recording")
            path.write_bytes(sound)
            recording = decoder.open(path)
        yield ReceivedRequest(recording=recording, options=options, file=file)


def _apart(samples: NDArray[np.float32], *, name: str, decode_s: float, warnings: tuple[ReadingWarning, ...]) -> AudioStream:
    """Samples (N, columns) as a recording whose channels are kept apart; ``decode_s`` is what decoding them took elsewhere."""
    duration_s, columns = len(samples) / SAMPLE_RATE_HZ, samples.shape[1]
    stream = AudioStream((part for part in (samples,)), name=name, expected_s=duration_s, columns=columns, warnings=warnings)
    stream.decode_s = decode_s
    return stream
