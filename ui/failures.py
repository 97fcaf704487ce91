"""The one place where errors meet a person: a typed error is its line and what it means, the rest a number and a logged traceback."""

from __future__ import annotations

import errno
import logging
import uuid
from dataclasses import dataclass

from engine.errors import AudioNotFoundError, LightVoiceError, StorageFullError
from ui.texts import TEXTS, Texts

_log = logging.getLogger(__name__)

_ID_DIGITS = 8


@dataclass(frozen=True)
class Failure:
    """Why something failed, kept until it is shown: a typed error's line, or the number under which the log has the rest."""

    kind: type[LightVoiceError] | None
    message: str

    def words(self, texts: Texts) -> tuple[str, str]:
        """What it means to a person, and the reason with the remedy."""
        if self.kind is None:
            return texts("error.title"), texts("error.unexpected", id=self.message)
        # A path of the server tells a person nothing.
        message = texts("error.gone") if issubclass(self.kind, AudioNotFoundError) else self.message
        return title_of(self.kind, texts), message


def failure_of(error: Exception) -> Failure:
    """An error as what is said of it later, to whoever asks; the unexpected is logged with its traceback."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        _log.error("no room: %s", error)
        return Failure(StorageFullError, str(StorageFullError(reason="its disk is full")))
    if isinstance(error, LightVoiceError):
        _log.info("refused: %s", error)
        return Failure(type(error), str(error))
    number = uuid.uuid4().hex[:_ID_DIGITS]
    _log.error("unexpected error %s", number, exc_info=error)
    return Failure(None, number)


def title_of(kind: type[LightVoiceError], texts: Texts) -> str:
    """The toast's title: what the nearest named class of the error tree means to a person."""
    for family in kind.__mro__:
        if f"error.{family.__name__}" in TEXTS:
            return texts(f"error.{family.__name__}")
    return texts("error.title")
