"""The one place where errors meet a person: typed errors become toasts, the rest a toast with a number and a logged traceback."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape

import gradio as gr

from engine.errors import AudioNotFoundError, LightVoiceError
from ui.texts import TEXTS, Texts

_log = logging.getLogger(__name__)

TOAST_S = 12
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
    if isinstance(error, LightVoiceError):
        _log.info("refused: %s", error)
        return Failure(type(error), str(error))
    number = uuid.uuid4().hex[:_ID_DIGITS]
    _log.error("unexpected error %s", number, exc_info=error)
    return Failure(None, number)


@contextmanager
def toasts(texts: Texts) -> Iterator[None]:
    """Around a listener of the page: errors leave it as toasts in the page's language, the page keeps what it showed."""
    with _translated(texts, for_page=True):
        yield


@contextmanager
def api_errors() -> Iterator[None]:
    """Around an endpoint for programs: the same errors, in plain English."""
    with _translated(Texts("en"), for_page=False):
        yield


def no_recording(texts: Texts) -> gr.Error:
    """The toast for a button pressed before there is a recording."""
    return _toast(texts("error.no_audio"), title=texts("error.no_audio_title"), for_page=True)


def title_of(kind: type[LightVoiceError], texts: Texts) -> str:
    """The toast's title: what the nearest named class of the error tree means to a person."""
    for family in kind.__mro__:
        if f"error.{family.__name__}" in TEXTS:
            return texts(f"error.{family.__name__}")
    return texts("error.title")


@contextmanager
def _translated(texts: Texts, *, for_page: bool) -> Iterator[None]:
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:  # the page's last line: whatever it is, it is said or logged with a number, and the server goes on
        title, message = failure_of(error).words(texts)
        if isinstance(error, LightVoiceError):
            message = str(error)
        raise _toast(message, title=title, for_page=for_page) from error


def _toast(message: str, *, title: str, for_page: bool) -> gr.Error:
    # The page renders a toast as HTML, and a message may carry a file's name: escape it. Gradio groups toasts under one word
    # ("Error") and drops their titles, so ours opens the message. Programs get the plain words.
    body = f"<strong>{escape(title)}</strong><br>{escape(message)}" if for_page else message
    return gr.Error(body, title=title, duration=TOAST_S, print_exception=False)
