"""What a decode worker answers, message by message: a byte that says what it is, the length of what follows, and that.

Numbers and text alone, nothing that could be executed: the worker has read a stranger's file and is not trusted.
"""

from __future__ import annotations

import struct
from enum import Enum

HEADER = struct.Struct("<cI")
#: No message is longer; a worker that says otherwise has lost its mind.
MOST_BYTES = 1 << 20


class Kind(Enum):
    """The messages."""

    BLOCK = b"B"  # samples: float32, mono, 16 kHz, in this machine's byte order
    START_OVER = b"O"  # the blocks so far are void
    DONE = b"D"  # JSON: the answer, which ends the request: a probe, or after samples {"warnings": […]}, null for none
    REFUSED = b"R"  # JSON: {"type", "message", "values"} of an AudioError, which ends the request


def packed(kind: Kind, content: bytes) -> bytes:
    """A message as bytes."""
    return HEADER.pack(kind.value, len(content)) + content
