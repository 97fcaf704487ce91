"""A multipart form with one recording, read within limits and as clients send it, whatever they leave out.

Programs name a part's file in more ways than RFC 7578 has: in ``filename*`` alone (RFC 5987), or not at all where the content comes
from a pipe or from memory. A part that is called ``file`` is the recording in any case.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator
from pathlib import Path
from urllib.parse import unquote_to_bytes

from fastapi import Request
from starlette.datastructures import FormData
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from engine.files.file_names import printable
from ui.api.errors import ApiError
from ui.limits import Limits

#: What the fields around the file may take, and how many there may be: some clients send an object's fields one by one.
FIELDS_BYTES = 1 << 20
MOST_FIELDS = 200
#: What is kept of a file's name; file systems take 255 bytes.
NAME_BYTES = 200
RECORDING = "file"
UNNAMED = "recording"
#: ``filename*=UTF-8''%E4%B8%AD.wav`` (RFC 5987): charset, language, percent-encoded bytes.
_ENCODED_NAME = re.compile(rb";\s*filename\*\s*=\s*\"?([\w!#$&+^`{}~-]+)'[\w-]*'([^;\"\s]*)", re.IGNORECASE)
_FIELD_NAME = re.compile(rb";\s*name\s*=\s*(?:\"file\"|file)\s*(?:;|$)", re.IGNORECASE)
_PLAIN_NAME = re.compile(rb";\s*filename\s*=", re.IGNORECASE)
#: What browsers encode in a name, and nothing else of it.
_ESCAPES = {"%22": '"', "%0D": "", "%0A": ""}


class _OverLimitError(MultiPartException):
    """More bytes than are taken. The parser closes its temporary files for this family of errors alone."""


class _HungUpError(MultiPartException):
    """The client left while it was sending."""


class _Parser(MultiPartParser):
    """Starlette's parser, for which a part without ``filename`` would be text."""

    def on_headers_finished(self) -> None:
        disposition = self._current_part.content_disposition or b""
        encoded = _ENCODED_NAME.search(disposition)
        if _FIELD_NAME.search(disposition) and not _PLAIN_NAME.search(disposition):
            self._current_part.content_disposition = disposition + b'; filename=""'
        super().on_headers_finished()
        if self._current_part.file is not None and encoded is not None:
            self._current_part.file.filename = _decoded(encoded[2], encoded[1].decode("ascii", "replace"))


def _decoded(name: bytes, charset: str) -> str:
    content = unquote_to_bytes(name)
    try:
        return content.decode(charset)
    except (LookupError, UnicodeDecodeError):
        return content.decode("latin-1")


async def read_form(request: Request, limits: Limits) -> FormData:
    """The form of a request, to be closed by the caller; ApiError for one that is none or over the limit, ClientDisconnect."""
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError("the body is not multipart/form-data; send the recording as the form field 'file'", status=415)
    body = _within(request, limits.upload_bytes + FIELDS_BYTES)
    parser = _Parser(request.headers, body, max_files=1, max_fields=MOST_FIELDS)
    try:
        form = await parser.parse()
        if RECORDING not in form:
            for file in parser._files_to_close_on_error:  # noqa: SLF001 - a form that ends early is no error to Starlette, and leaves them open
                file.close()
    except _OverLimitError:
        message = f"the upload is over the server's limit of {limits.upload_mb} MB; send a shorter or a compressed recording"
        raise ApiError(message, status=413, param=RECORDING) from None
    except _HungUpError:
        raise ClientDisconnect from None
    except (MultiPartException, ValueError) as error:  # python-multipart's own errors are ValueErrors
        reason = str(getattr(error, "message", "") or error)
        raise ApiError(f"the form cannot be read ({reason}); send one file and the documented fields") from error
    return form


async def read_away(request: Request, limits: Limits) -> None:
    """Take a body that is of no use, within the limits."""
    try:
        async for _ in _within(request, limits.upload_bytes + FIELDS_BYTES):
            pass
    except MultiPartException:
        return


async def _within(request: Request, most_bytes: int) -> AsyncGenerator[bytes, None]:
    """The body's chunks. Twice the limit is read before the answer, so that a client which is still sending gets to see it."""
    read_bytes = 0
    try:
        async for chunk in request.stream():
            read_bytes += len(chunk)
            if read_bytes <= most_bytes:
                yield chunk
            elif read_bytes > 2 * most_bytes:
                break
    except ClientDisconnect:
        raise _HungUpError("the client left") from None
    if read_bytes > most_bytes:
        raise _OverLimitError("over the limit")


def safe_name(name: str | None) -> str:
    """A file's own name, for messages and for the decoder, which knows some containers by their ending.

    A client that reads from a pipe has none, or calls it ``-`` (curl).
    """
    given = name or ""
    for escape, character in _ESCAPES.items():
        given = given.replace(escape, character)
    plain = printable(Path(given.replace("\\", "/")).name.replace("\0", ""))
    kept = plain.encode("utf-8", "replace")[-NAME_BYTES:].decode("utf-8", "ignore")
    return kept if kept not in ("", ".", "..", "-") else UNNAMED
