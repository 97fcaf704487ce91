"""The server's log: one line an event on standard error, as text or as JSON, each with the id of the request that it belongs to."""

from __future__ import annotations

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

#: The request that is being answered; threads that work for it inherit it.
REQUEST_ID: ContextVar[str] = ContextVar("lightvoice_request_id", default="")
#: Control characters, which a file's name may hold, as they are written in a line of their own.
_ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), 127)}


class TextLines(logging.Formatter):
    """``time LEVEL logger [request] message name=value …``; a traceback follows on lines of its own."""

    def format(self, record: logging.LogRecord) -> str:
        """One event as text; line breaks in a message are escaped, so that nobody can write a line of the log."""
        request_id = REQUEST_ID.get()
        parts = [_time(record), record.levelname, f"{record.name}:"]
        if request_id:
            parts.append(f"[{request_id}]")
        parts.append(record.getMessage())
        parts += [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in _fields(record).items()]
        line = " ".join(parts).translate(_ESCAPES)
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonLines(logging.Formatter):
    """``{"time", "level", "logger", "message", "request_id"?, …, "traceback"?}``."""

    def format(self, record: logging.LogRecord) -> str:
        """One event as one line of JSON."""
        values: dict[str, Any] = {
            "time": _time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        request_id = REQUEST_ID.get()
        if request_id:
            values["request_id"] = request_id
        values |= _fields(record)
        if record.exc_info:
            values["traceback"] = self.formatException(record.exc_info)
        return json.dumps(values, ensure_ascii=False, default=str)


def set_up_log(*, as_json: bool) -> None:
    """Write the log of this process to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if as_json else TextLines())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)


def _time(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """What was said beside the message, with ``extra={"fields": {…}}``."""
    fields = getattr(record, "fields", None)
    return fields if isinstance(fields, dict) else {}
