"""The one place where errors meet a person: typed errors become toasts, the rest a toast with a number and a logged traceback."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape

import gradio as gr

from engine.errors import LightVoiceError
from ui.texts import TEXTS, Texts

_log = logging.getLogger(__name__)

TOAST_S = 12
_ID_DIGITS = 8


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
    except LightVoiceError as error:
        _log.info("refused: %s", error)
        raise _toast(str(error), title=title_of(type(error), texts), for_page=for_page) from error
    except gr.Error:
        raise
    except Exception as error:  # the page's last line: whatever it is, it is logged with a number and the server goes on
        number = uuid.uuid4().hex[:_ID_DIGITS]
        _log.exception("unexpected error %s", number)
        raise _toast(texts("error.unexpected", id=number), title=texts("error.title"), for_page=for_page) from error


def _toast(message: str, *, title: str, for_page: bool) -> gr.Error:
    # The page renders a toast as HTML, and a message may carry a file's name: escape it. Gradio groups toasts under one word
    # ("Error") and drops their titles, so ours opens the message. Programs get the plain words.
    body = f"<strong>{escape(title)}</strong><br>{escape(message)}" if for_page else message
    return gr.Error(body, title=title, duration=TOAST_S, print_exception=False)
