"""Errors become toasts: typed ones with their own line, others with a number that the log knows."""

from __future__ import annotations

import inspect
import logging
import re

import gradio as gr
import pytest

from engine import errors
from ui.text.failures import title_of
from ui.text.texts import Texts
from ui.widgets.handlers import api_errors, no_recording, toasts

CLASSES = [cls for _, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, errors.LightVoiceError)]


@pytest.mark.parametrize("cls", CLASSES)
@pytest.mark.parametrize("language", ["en", "zh"])
def test_every_typed_error_has_a_title(cls: type[errors.LightVoiceError], language: str) -> None:
    texts = Texts(language)
    title = title_of(cls, texts)
    assert title
    general = {errors.LightVoiceError}
    assert (title == texts("error.title")) == (cls in general)


def test_the_toast_carries_the_one_line_message() -> None:
    error = errors.UnknownLanguageError(language="zn", known=("auto", "zh"))
    with pytest.raises(gr.Error) as caught, toasts(Texts("zh")):
        raise error
    assert "未知的语言" in caught.value.message and "zn" in caught.value.message
    assert Texts("zh")("error.OptionError") in caught.value.message
    assert caught.value.print_exception is False


def test_a_file_name_in_a_toast_is_no_markup_but_programs_get_it_plain() -> None:
    error = errors.AudioDecodeError(path="<b>x</b>.wav", reason="no")
    with pytest.raises(gr.Error) as on_page, toasts(Texts("en")):
        raise error
    assert "<b>" not in on_page.value.message
    with pytest.raises(gr.Error) as in_program, api_errors():
        raise error
    assert in_program.value.message == str(error)


def test_the_unexpected_gets_a_number_and_a_logged_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(gr.Error) as caught, toasts(Texts("en")):
        raise ZeroDivisionError("secret detail")
    number = re.search(r"number ([0-9a-f]{8})", caught.value.message)
    assert number is not None
    assert "secret detail" not in caught.value.message
    (record,) = caplog.records
    assert number.group(1) in record.getMessage()
    assert record.exc_info is not None
    assert record.exc_info[0] is ZeroDivisionError


def test_our_own_toasts_pass_unchanged() -> None:
    toast = no_recording(Texts("en"))
    with pytest.raises(gr.Error) as caught, toasts(Texts("en")):
        raise toast
    assert caught.value is toast
