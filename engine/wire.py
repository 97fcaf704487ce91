"""Values on their way between processes and machines, or into a job's folder: JSON that loses nothing and is checked where it arrives.

Nothing but numbers and text becomes part of a value, and each field must have the type that its class states: the sender may have read
an untrusted file. The page's JSON contract is another one, rounded (:meth:`engine.transcript.Transcript.to_dict`).
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

import engine.errors
from engine.errors import LightVoiceError, listed
from engine.files.typed_values import converted

Family = TypeVar("Family", bound=LightVoiceError)


def encoded(value: Any) -> str:
    """A dataclass, or values of them, as JSON on one line of ASCII; arrays as base64 of little-endian float32."""
    # Not msgspec's own JSON: it refuses file names that are no UTF-8 (PEP 383) and writes null for NaN.
    return json.dumps(msgspec.to_builtins(value, enc_hook=_bytes_of))


def decoded(content: str | bytes, kind: Any) -> Any:
    """The value of a type that :func:`encoded` wrote; ValueError for anything else. Fields that the type does not have are left out."""
    try:
        return converted(json.loads(content), kind, dec_hook=_array_of)
    except RecursionError as error:
        raise ValueError("JSON too deep to be one of our messages") from error


def _bytes_of(value: Any) -> bytes:
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{value!r} cannot be sent")
    return value.astype("<f4").tobytes()


def _array_of(_: type, value: Any) -> NDArray[np.float32]:
    try:
        return np.frombuffer(base64.b64decode(value, validate=True), "<f4").astype(np.float32)
    except (TypeError, binascii.Error) as error:
        raise ValueError("no base64 of samples") from error


@dataclass(frozen=True, kw_only=True)
class SentError:
    """An error as it is sent to another process: the name of its class, its message, and the values that the message was made of."""

    type: str
    message: str
    values: dict[str, bool | int | float | str]

    @classmethod
    def of(cls, error: Exception) -> SentError:
        """Any error; a value that is no number goes as text, several as a list in words, and only our own errors have values."""
        values = error.values if isinstance(error, LightVoiceError) else {}
        plain = {name: value if isinstance(value, int | float) else str(listed(value)) for name, value in values.items()}
        return cls(type=type(error).__name__, message=str(error), values=plain)


def received_error(sent: SentError, family: type[Family]) -> Family | None:
    """The error that was sent, of its own class and with its own message; None where its name is none of ``family``."""
    named = getattr(engine.errors, sent.type, None)
    if not (isinstance(named, type) and issubclass(named, family)):
        return None
    error = named.__new__(named, sent.message)  # the message is complete: the constructor would make another one
    error.args, error.values = (sent.message,), dict(sent.values)
    return error
