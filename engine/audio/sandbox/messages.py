"""What a decode worker is asked, one request a line, and what it answers: messages of a byte for their kind, their length, their content.

Numbers and text alone, nothing that could be executed: the worker has read an untrusted file (:mod:`engine.wire`).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from engine.audio.read_options import ReadOptions

HEADER = struct.Struct("<cI")
#: No message is longer: a worker that says otherwise is broken.
MOST_BYTES = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a worker is to do with the file at ``path``; ``cpu_s`` is the processor time that it may take for it."""

    task: Literal["decode", "probe"]
    path: str
    max_duration_s: float
    cpu_s: float
    read: ReadOptions = field(default_factory=ReadOptions)
    columns: int = 1


class Kind(Enum):
    """The messages."""

    BLOCK = b"B"  # samples: float32, mono, 16 kHz, in this machine's byte order
    START_OVER = b"O"  # the blocks so far are void
    DONE = b"D"  # JSON: the answer, which ends the request: a Probe or null; after samples the warnings of their reading
    REFUSED = b"R"  # JSON: the SentError of an AudioError, which ends the request


def packed(kind: Kind, content: bytes) -> bytes:
    """A message as bytes."""
    return HEADER.pack(kind.value, len(content)) + content
