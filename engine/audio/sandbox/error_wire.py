"""Our errors on their way from one process to another: what they are called, what they say, and what that was made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import engine.errors
from engine.errors import LightVoiceError, listed

Family = TypeVar("Family", bound=LightVoiceError)


def error_to_wire(error: LightVoiceError) -> dict[str, Any]:
    """``{"type", "message", "values"}`` for JSON; a value that is no number goes as text, several as a list in words."""
    values = {name: value if isinstance(value, int | float) else str(listed(value)) for name, value in error.values.items()}
    return {"type": type(error).__name__, "message": str(error), "values": values}


def error_from_wire(said: Mapping[str, Any], family: type[Family]) -> Family | None:
    """The error that was sent; None where its name is none of ``family``. Nothing but numbers and text becomes part of it.

    Raises KeyError, TypeError or ValueError for what :func:`error_to_wire` does not make.
    """
    named = getattr(engine.errors, str(said["type"]), None)
    if not (isinstance(named, type) and issubclass(named, family)):
        return None
    error = named.__new__(named, str(said["message"]))  # the message is complete: the constructor would make another one
    error.args = (str(said["message"]),)
    error.values = {str(name): value for name, value in dict(said["values"]).items() if isinstance(value, int | float | str)}
    return error
