"""The options of subtitles as a form or an address brings them: text, by the names that the engine has for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from engine.errors import OptionRangeError
from engine.option_fields import parse_fields
from engine.subtitles.options import SubtitleOptions

#: Field → what it is for.
SUBTITLE_FIELDS = {
    "max_line_width": "longest line of srt and vtt in columns, a CJK character takes two (default: 42); an extension",
    "max_line_count": "lines of srt and vtt at a time (default: 2); an extension",
    "min_cue_ms": "shortest time of a cue in srt and vtt (default: 800); an extension",
}


def subtitle_options(values: Mapping[str, Any]) -> SubtitleOptions:
    """The options among the values, the default for what is absent or empty; OptionRangeError for what is no number in its range."""
    return parse_fields(SubtitleOptions, {name: values.get(name) or None for name in SUBTITLE_FIELDS})


def asked_subtitles(request: Request) -> SubtitleOptions:
    """The options in an address's query; 422 for a wrong one."""
    try:
        return subtitle_options(request.query_params)
    except OptionRangeError as error:
        raise HTTPException(422, str(error)) from error
