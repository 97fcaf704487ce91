"""Errors of the HTTP API, in the JSON shape and with the statuses that OpenAI's clients understand."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse

from engine.errors import (
    AudioError,
    EngineBusyError,
    LightVoiceError,
    OptionError,
    StorageFullError,
    UnknownLanguageError,
    UnknownPrecisionError,
)
from ui.scheduling.run_slots import LineFullError, StoppingError
from ui.text.failures import failure_of

#: When a client whose server is being stopped may find it back.
STOPPED_FOR_S = 10
_INVALID, _SERVER = "invalid_request_error", "server_error"


class ApiError(LightVoiceError):
    """A request that cannot be met: the HTTP status, the parameter that is to blame, and a code for programs."""

    def __init__(self, message: str, *, status: int = 400, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.param, self.code = status, param, code


def error_answer(error: Exception) -> JSONResponse:
    """Any error as an answer; the unexpected is logged with a number, and the number is all that is said of it."""
    failure = failure_of(error)
    if isinstance(error, ApiError):
        return error_json(str(error), status=error.status, param=error.param, code=error.code)
    if isinstance(error, LineFullError):
        return error_json(str(error), status=429, code="rate_limit_exceeded", retry_after_s=error.wait_s)
    if isinstance(error, StoppingError):
        return error_json(str(error), status=503, code="server_stopping", retry_after_s=STOPPED_FOR_S)
    if failure.kind is None:
        return error_json(failure.line, status=500)
    status, param = _blame(failure.kind)
    return error_json(failure.message, status=status, param=param, code=failure.kind.__name__)


def error_json(
    message: str, *, status: int, param: str | None = None, code: str | None = None, retry_after_s: int | None = None
) -> JSONResponse:
    """OpenAI's error object; ``retry_after_s`` says when to try again."""
    kind = _SERVER if status >= 500 else _INVALID  # noqa: PLR2004 - where HTTP draws the line
    body: dict[str, Any] = {"error": {"message": message, "type": kind, "param": param, "code": code}}
    headers = None if retry_after_s is None else {"retry-after": str(retry_after_s)}
    return JSONResponse(body, status_code=status, headers=headers)


def _blame(kind: type[LightVoiceError]) -> tuple[int, str | None]:
    """The status of an engine's error, and the parameter that led to it."""
    if issubclass(kind, AudioError):
        return 400, "file"
    if issubclass(kind, UnknownLanguageError):
        return 400, "language"
    if issubclass(kind, UnknownPrecisionError):
        return 404, "model"
    if issubclass(kind, StorageFullError):
        return 507, None
    if issubclass(kind, EngineBusyError):
        return 429, None
    return (400 if issubclass(kind, OptionError) else 500), None
