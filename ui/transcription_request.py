"""What a program asks of ``POST /v1/audio/transcriptions``: a multipart form, read within limits and checked field by field."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect

from engine.file_names import printable
from engine.read_options import Channel, ReadOptions, parse_channel
from engine.tags import parse_language
from ui.api_errors import ApiError
from ui.limits import Limits

#: What the fields around the file may take.
FIELDS_BYTES = 1 << 20
#: What is kept of a file's name; file systems take 255 bytes.
NAME_BYTES = 200

RESPONSE_FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
STREAMED_FORMATS = ("json", "text")
GRANULARITIES = ("word", "segment")
#: Field → what it is for; the documentation is made of it, and any other field is refused.
FIELDS = {
    "file": "the recording: audio or video, any container, rate and number of channels",
    "model": "an id that GET /v1/models lists as open, or a bundle's name for the server's current precision (default: the open bundle)",
    "language": "auto, zh, en, yue, ja or ko (default: auto)",
    "response_format": "json, text, srt, vtt or verbose_json (default: json)",
    "timestamp_granularities[]": "segment, word or both, with verbose_json (default: segment)",
    "itn": "true writes numbers in digits, false leaves the words (default: true); an extension",
    "ban_emo_unknown": "true never answers EMO_UNKNOWN (default: false); an extension",
    "channel": "auto (the mix, without channels that cancel each other or carry no speech), mix, left, right, or split, which takes each "
    "channel for a speaker's (default: auto); an extension",
    "track": "number of the audio track, from 1, as POST /v1/audio/tracks lists them (default: the one that the file marks); an extension",
    "stream": "true answers with server-sent events, a transcript.text.delta for each segment, with json or text (default: false)",
    "prompt": "accepted without effect: the model takes no prompt",
    "temperature": "accepted without effect: decoding is greedy",
}
_ALIASES = {"timestamp_granularities": "timestamp_granularities[]"}
_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, kw_only=True)
class TranscriptionRequest:
    """A request whose fields are sound; ``model`` and ``path`` are still to be looked into."""

    path: Path
    model: str | None
    language: str
    response_format: str
    granularities: Collection[str]
    itn: bool
    ban_emo_unknown: bool
    read: ReadOptions
    stream: bool


class _OverLimitError(MultiPartException):
    """More bytes than are taken. The parser closes its temporary files for this family of errors alone."""


class _HungUpError(MultiPartException):
    """The client left while it was sending."""


@asynccontextmanager
async def received(request: Request, folder: Path, *, limits: Limits) -> AsyncIterator[TranscriptionRequest]:
    """Read a request; its file lies in a folder of its own under ``folder`` until the block ends.

    Raises ApiError for a form that is none, is over the limit, or has a wrong field, and UnknownLanguageError.
    """
    form = await _read_form(request, limits)
    place = folder / uuid4().hex
    try:
        upload = _checked_file(form)
        path = place / _safe_name(upload.filename)
        checked = _checked(form, path)
        await run_in_threadpool(_save, upload, path)
        await form.close()
        yield checked
    finally:
        await form.close()
        await run_in_threadpool(shutil.rmtree, place, ignore_errors=True)


async def _read_form(request: Request, limits: Limits) -> FormData:
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise ApiError("the body is not multipart/form-data; send the recording as the form field 'file'", status=415)
    parser = MultiPartParser(request.headers, _within(request, limits.upload_bytes + FIELDS_BYTES), max_files=1, max_fields=2 * len(FIELDS))
    try:
        form = await parser.parse()
        if "file" not in form:
            for file in parser._files_to_close_on_error:  # noqa: SLF001 - a form that ends early is no error to Starlette, and leaves them open
                file.close()
    except _OverLimitError:
        message = f"the upload is over the server's limit of {limits.upload_mb} MB; send a shorter or a compressed recording"
        raise ApiError(message, status=413, param="file") from None
    except _HungUpError:
        raise ClientDisconnect from None
    except (MultiPartException, ValueError) as error:  # python-multipart's own errors are ValueErrors
        reason = str(getattr(error, "message", "") or error)
        raise ApiError(f"the form cannot be read ({reason}); send one file and the documented fields") from error
    return form


async def _within(request: Request, most_bytes: int) -> AsyncIterator[bytes]:
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


def _checked_file(form: FormData) -> UploadFile:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise ApiError("the form field 'file' holds no file; send the recording in it", param="file")
    return upload


def _safe_name(name: str | None) -> str:
    """A file's own name, for messages and for the decoder, which knows some containers by their ending."""
    plain = printable(Path((name or "").replace("\\", "/")).name.replace("\0", ""))
    kept = plain.encode("utf-8", "replace")[-NAME_BYTES:].decode("utf-8", "ignore")
    return kept if kept not in ("", ".", "..") else "recording"


def _save(upload: UploadFile, path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("wb") as target:
        shutil.copyfileobj(upload.file, target, 1 << 20)


def _checked(form: FormData, path: Path) -> TranscriptionRequest:
    fields = {_ALIASES.get(name, name): value for name, value in form.multi_items()}
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise ApiError(f"unknown field {unknown[0]!r}; known are {', '.join(FIELDS)}", param=unknown[0])
    response_format = _one_of(form, "response_format", RESPONSE_FORMATS, default="json")
    asked = [str(value) for name, value in form.multi_items() if _ALIASES.get(name, name) == "timestamp_granularities[]"]
    for value in asked:
        if value not in GRANULARITIES:
            raise _unknown_value("timestamp_granularities[]", value, GRANULARITIES)
    if asked and response_format != "verbose_json":
        message = f"timestamp_granularities[] needs response_format verbose_json, not {response_format}"
        raise ApiError(message, param="timestamp_granularities[]")
    stream = _boolean(form, "stream", default=False)
    if stream and response_format not in STREAMED_FORMATS:
        raise ApiError(f"stream needs response_format {' or '.join(STREAMED_FORMATS)}, not {response_format}", param="stream")
    return TranscriptionRequest(
        path=path,
        model=str(form["model"]) if form.get("model") else None,
        language=parse_language(str(form.get("language") or "auto")),
        response_format=response_format,
        granularities=frozenset(asked or ("segment",)),
        itn=_boolean(form, "itn", default=True),
        ban_emo_unknown=_boolean(form, "ban_emo_unknown", default=False),
        read=ReadOptions(channel=parse_channel(str(form.get("channel") or Channel.AUTO)), track=_track(form)),
        stream=stream,
    )


def _track(form: FormData) -> int | None:
    value = str(form.get("track") or "")
    if value and not value.isdecimal():
        raise ApiError(f"track is {value!r}; it is a number from 1, as POST /v1/audio/tracks lists them", param="track")
    return int(value) if value else None


def _one_of(form: FormData, name: str, known: tuple[str, ...], *, default: str) -> str:
    value = str(form.get(name) or default)
    if value not in known:
        raise _unknown_value(name, value, known)
    return value


def _boolean(form: FormData, name: str, *, default: bool) -> bool:
    value = str(form.get(name) or default).lower()
    if value not in _BOOLEANS:
        raise _unknown_value(name, value, ("true", "false"))
    return _BOOLEANS[value]


def _unknown_value(name: str, value: str, known: Collection[str]) -> ApiError:
    return ApiError(f"{name} is {value!r}; choose one of {', '.join(known)}", param=name)
