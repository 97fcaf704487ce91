"""Errors as toasts of the page and as answers of its endpoints; what they mean to a person is said by ui/text/failures.py."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import gradio as gr

from engine.errors import LightVoiceError
from ui.text.failures import Failure, failure_of
from ui.text.texts import Texts
from ui.widgets.render import render

TOAST_S = 12
#: Of files that were not taken, the toast names this many.
MOST_NAMED = 3


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


def files_refused(refused: Sequence[tuple[str, Failure]], *, of: int, texts: Texts) -> gr.Error:
    """The toast for files, each with its failure, that were not taken among ``of`` that came together."""
    title, reason = refused[0][1].words(texts)
    if of == 1:
        return _toast(reason, title=title, for_page=True)
    names = ", ".join(name for name, _ in refused[:MOST_NAMED]) + (", …" if len(refused) > MOST_NAMED else "")
    message = texts("error.files_refused", count=len(refused), of=of, names=names, reason=reason)
    return _toast(message, title=title, for_page=True)


@contextmanager
def _translated(texts: Texts, *, for_page: bool) -> Iterator[None]:
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:  # the page's last line: whatever it is, it is said or logged with a number, and the server goes on
        title, message = failure_of(error).words(texts)
        if isinstance(error, LightVoiceError) and not for_page:
            message = str(error)
        raise _toast(message, title=title, for_page=for_page) from error


def _toast(message: str, *, title: str, for_page: bool) -> gr.Error:
    # The page renders a toast as HTML. Gradio groups toasts under one word ("Error") and drops their titles, so ours opens the
    # message. Programs get the plain words.
    body = render("widgets/messages", "toast", title, message) if for_page else message
    return gr.Error(body, title=title, duration=TOAST_S, print_exception=False)
