"""What a program asks of ``POST /v1/audio/transcriptions``: a multipart form, read within limits and checked field by field."""

from __future__ import annotations

import re
import shutil
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from uuid import uuid4

from fastapi import Request
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile

from engine.errors import (
    HotwordControlCharacterError,
    HotwordTooLongError,
    HotwordWeightError,
    OptionChoiceError,
    OptionRangeError,
    TooManyHotwordsError,
)
from engine.formats import SUBTITLE_FORMATS
from engine.option_fields import flag
from engine.options import N_BEST, TranscribeOptions
from engine.speech.decoding.hotwords import MOST_HOTWORDS, Hotword, prompt_hotwords
from engine.subtitles.options import SubtitleOptions
from ui.api.errors import ApiError
from ui.api.multipart_form import read_form, safe_name
from ui.limits import Limits
from ui.widgets.subtitle_fields import SUBTITLE_FIELDS, subtitle_options

RESPONSE_FORMATS = ("json", "text", "srt", "vtt", "verbose_json")
STREAMED_FORMATS = ("json", "text")
GRANULARITIES = ("word", "segment")
#: Field → what it is for; the documentation is made of it. Any other field is accepted without effect, and named in the answer.
FIELDS = {
    "file": "the recording: audio or video, any container, rate and number of channels",
    "model": "an id that GET /v1/models lists as open, or a bundle's name for the server's current precision (default: the open bundle); "
    "whisper-1, gpt-4o-transcribe and their like mean the open bundle too",
    "language": "auto, zh, en, yue, ja or ko, also as a tag or a name: zh-CN, EN, Cantonese, 日本語 (default: auto)",
    "response_format": "json, text, srt, vtt or verbose_json (default: json)",
    "timestamp_granularities[]": "segment, word or both, with verbose_json (default: segment)",
    "itn": "true writes numbers in digits, false leaves the words (default: true); an extension",
    "ban_emo_unknown": "true never answers EMO_UNKNOWN (default: false); an extension",
    **SUBTITLE_FIELDS,
    "channel": "auto (the mix, without channels that cancel each other or carry no speech), mix, left, right, or split, which takes each "
    "channel for a speaker's (default: auto); an extension",
    "track": "number of the audio track, from 1, as POST /v1/audio/tracks lists them (default: the one that the file marks); an extension",
    "stream": "true answers with server-sent events, a transcript.text.delta for each segment, with json or text (default: false)",
    "hotwords": "names and phrases to listen for, one a line or between commas, each with a weight if you like: 张三, 重庆火锅 3.0 "
    "(docs/hotwords.md); an extension",
    "homophones": "true also takes Chinese of the same sound for a Chinese hotword (default: false); an extension",
    "n_best": f"readings of each segment in verbose_json, as alternatives with their probabilities, up to {N_BEST[1]} (default: 1); an "
    "extension",
    "prompt": "its words count as weak hotwords; what a prompt does beyond that has no effect",
    "temperature": "accepted without effect: the likeliest text is taken",
    "chunking_strategy": "accepted without effect: the VAD cuts the recording",
    "include[]": "accepted without effect: verbose_json has the confidence of each segment and its tags",
    "user": "accepted without effect: nobody is kept track of",
}
#: The fields that are options of the transcription.
OPTION_FIELDS = ("language", "itn", "ban_emo_unknown", "channel", "track", "hotwords", "homophones", "n_best")
HOTWORD_ERRORS = (HotwordControlCharacterError, HotwordTooLongError, HotwordWeightError, TooManyHotwordsError)
GRANULARITY = "timestamp_granularities[]"
#: ``include[]``, ``include[0]``, ``include`` and ``chunking_strategy[type]`` are ways to write one field.
_INDEX = re.compile(r"\[[^\]]*\]")


@dataclass(frozen=True, kw_only=True)
class TranscriptionRequest:
    """A request whose fields are sound; ``model`` and ``path`` are still to be looked into."""

    path: Path
    model: str | None
    options: TranscribeOptions
    response_format: str
    granularities: Collection[str]
    stream: bool
    #: Fields that nobody here knows; they had no effect.
    ignored: Collection[str] = ()
    #: How ``srt`` and ``vtt`` are cut.
    subtitles: SubtitleOptions = field(default_factory=SubtitleOptions)


@asynccontextmanager
async def received(request: Request, folder: Path, *, limits: Limits) -> AsyncIterator[TranscriptionRequest]:
    """Read a request; its file lies in a folder of its own under ``folder`` until the block ends.

    Raises ApiError for a form that is none, is over the limit, or has a wrong field, and UnknownLanguageError.
    """
    form = await read_form(request, limits)
    place = folder / uuid4().hex
    try:
        upload = _checked_file(form)
        path = place / safe_name(upload.filename)
        try:
            checked = _checked(form, path)
        except (OptionChoiceError, OptionRangeError) as error:
            raise ApiError(str(error), param=error.values["name"]) from error
        await run_in_threadpool(_save, upload, path)
        await form.close()
        yield checked
    finally:
        await form.close()
        await run_in_threadpool(shutil.rmtree, place, ignore_errors=True)


def _checked_file(form: FormData) -> UploadFile:
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise ApiError("the form field 'file' holds no file; send the recording in it", param="file")
    return upload


def _save(upload: UploadFile, path: Path) -> None:
    path.parent.mkdir(parents=True)
    with path.open("wb") as target:
        shutil.copyfileobj(upload.file, target, 1 << 20)


def _checked(form: FormData, path: Path) -> TranscriptionRequest:
    response_format = _one_of(form, "response_format", RESPONSE_FORMATS, default="json")
    asked = frozenset(_granularities(form))
    for value in asked:
        if value not in GRANULARITIES:
            raise OptionChoiceError(name=GRANULARITY, value=value, known=GRANULARITIES)
    if "word" in asked and response_format != "verbose_json":  # "segment" is what some clients send with every format
        raise ApiError(f"{GRANULARITY} needs response_format verbose_json, not {response_format}", param=GRANULARITY)
    stream = flag("stream", _text(form, "stream") or False)
    if stream and response_format not in STREAMED_FORMATS:
        raise ApiError(f"stream needs response_format {' or '.join(STREAMED_FORMATS)}, not {response_format}", param="stream")
    for name in SUBTITLE_FIELDS:
        if form.get(name) and response_format not in SUBTITLE_FORMATS:
            raise ApiError(f"{name} needs response_format {' or '.join(SUBTITLE_FORMATS)}, not {response_format}", param=name)
    return TranscriptionRequest(
        path=path,
        model=_text(form, "model") or None,
        options=_options(form, response_format),
        response_format=response_format,
        granularities=asked or frozenset(("segment",)),
        stream=stream,
        ignored=tuple(dict.fromkeys(name for name in form if _plain(name) not in _PLAIN_FIELDS)),
        subtitles=subtitle_options(form),
    )


def _options(form: FormData, response_format: str) -> TranscribeOptions:
    try:
        options = TranscribeOptions.parse({name: _text(form, name) or None for name in OPTION_FIELDS})
    except HOTWORD_ERRORS as error:
        raise ApiError(str(error), param="hotwords") from error
    if options.n_best > 1 and response_format != "verbose_json":
        raise ApiError(f"n_best needs response_format verbose_json, not {response_format}", param="n_best")
    return replace(options, hotwords=_with_prompt(options.hotwords, _text(form, "prompt")))


def _with_prompt(hotwords: tuple[Hotword, ...], prompt: str) -> tuple[Hotword, ...]:
    """The hotwords, and behind them the prompt's words that are none of them, as far as there is room."""
    named = {hotword.phrase for hotword in hotwords}
    return (*hotwords, *(one for one in prompt_hotwords(prompt) if one.phrase not in named))[:MOST_HOTWORDS]


def _plain(name: str) -> str:
    return _INDEX.sub("", name)


_PLAIN_FIELDS = frozenset(_plain(name) for name in FIELDS)


def _granularities(form: FormData) -> Iterator[str]:
    """Each one asked for; some clients send them as one value, ``word,segment``."""
    for name, value in form.multi_items():
        if _plain(name) == _plain(GRANULARITY):
            yield from filter(None, (one.strip(" \"'[]").lower() for one in str(value).split(",")))


def _text(form: FormData, name: str) -> str:
    value = form.get(name)
    return value.strip() if isinstance(value, str) else ""


def _one_of(form: FormData, name: str, known: tuple[str, ...], *, default: str) -> str:
    given = _text(form, name) or default
    value = given.lower().replace("-", "_")
    if value not in known:
        raise OptionChoiceError(name=name, value=given, known=known)
    return value
