"""Errors as a person reads them: a typed error gives its message and what it means, any other a number and a logged traceback."""

from __future__ import annotations

import errno
import logging
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import AudioNotFoundError, LightVoiceError, StorageFullError, listed
from ui.text.texts import ENGLISH, Texts, read_locale

_log = logging.getLogger(__name__)

_ID_DIGITS = 8


@dataclass(frozen=True)
class Failure:
    """Why something failed, kept until it is shown: a typed error's line, or the number under which the log has the rest."""

    kind: type[LightVoiceError] | None
    message: str
    #: What a typed error's line was made of, by name.
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """One plain line for programs and logs."""
        return self.message if self.kind else f"unexpected error; the server's log has it under {self.message}"

    def words(self, texts: Texts) -> tuple[str, str]:
        """What it means to a person, and the reason with the remedy."""
        if self.kind is None:
            return texts("error.title"), texts("error.unexpected", id=self.message)
        return title_of(self.kind, texts), self._reason(self.kind, texts)

    def _reason(self, kind: type[LightVoiceError], texts: Texts) -> str:
        if issubclass(kind, AudioNotFoundError):  # a path of the server tells a person nothing
            return texts("error.gone")
        # English is the engine's own; other languages say of an error without words of its own what they say of its family.
        families = [kind] if texts.language == ENGLISH else kind.__mro__
        key = next((f"reason.{one.__name__}" for one in families if f"reason.{one.__name__}" in texts), None)
        if key is None:
            return self.message
        try:
            return texts(key, **{**self.values, **_cause(self.values, texts)})
        except (KeyError, ValueError):  # an error from another process may not bring all that it was made of
            return self.message


def failure_of(error: Exception) -> Failure:
    """An error as what is said of it later, to whoever asks; the unexpected is logged with its traceback."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.error("no room: %s", error)
        return Failure(StorageFullError, str(StorageFullError(reason="its disk is full")))
    if isinstance(error, LightVoiceError):
        _log.info("refused: %s", error)
        return Failure(type(error), str(error), _said(error.values))
    number = uuid.uuid4().hex[:_ID_DIGITS]
    _log.error("unexpected error %s", number, exc_info=error)
    return Failure(None, number)


def _cause(values: dict[str, Any], texts: Texts) -> dict[str, str]:
    """The reason among an error's values in a person's language: one of ours; what the system says in English is left to the log."""
    if texts.language == ENGLISH:
        return {}
    known = {english: key for key, english in read_locale(ENGLISH).items() if key.startswith("cause.")}
    return {"reason": texts(known.get(str(values.get("reason")), "error.cause_in_log"))}


def _said(values: dict[str, Any]) -> dict[str, Any]:
    """Values as a person reads them: of a path its name, of several choices a list."""
    return {name: Path(value).name if name == "path" else listed(value) for name, value in values.items()}


def title_of(kind: type[LightVoiceError], texts: Texts) -> str:
    """The toast's title: what the nearest named class of the error tree means to a person."""
    for family in kind.__mro__:
        if f"error.{family.__name__}" in texts:
            return texts(f"error.{family.__name__}")
    return texts("error.title")
