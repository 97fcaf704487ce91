"""The documentation of the HTTP API: its form for OpenAPI, and ``/docs``, a plain page made of ``/openapi.json``.

Swagger UI would come from another machine, or weigh megabytes here; this page needs neither, nor any script.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from engine.audio.read_options import CHANNELS
from engine.options import N_BEST
from engine.subtitles.options import RANGES
from ui.api.transcription_request import FIELDS, GRANULARITIES, RESPONSE_FORMATS
from ui.widgets.render import render

_KINDS: dict[str, dict[str, Any]] = {
    "file": {"type": "string", "format": "binary"},
    "response_format": {"type": "string", "enum": list(RESPONSE_FORMATS), "default": "json"},
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": list(GRANULARITIES)}},
    "itn": {"type": "boolean", "default": True},
    "ban_emo_unknown": {"type": "boolean", "default": False},
    "channel": {"type": "string", "enum": list(CHANNELS), "default": "auto"},
    "track": {"type": "integer", "minimum": 1},
    "homophones": {"type": "boolean", "default": False},
    "n_best": {"type": "integer", "minimum": N_BEST[0], "maximum": N_BEST[1], "default": 1},
    "stream": {"type": "boolean", "default": False},
    "temperature": {"type": "number"},
    **{name: {"type": "integer", "minimum": lowest, "maximum": highest} for name, (lowest, highest) in RANGES.items()},
}


def _form(names: Iterable[str]) -> dict[str, Any]:
    """A form of these fields as OpenAPI describes it."""
    properties = {name: {**_KINDS.get(name, {"type": "string"}), "description": FIELDS[name]} for name in names}
    schema = {"type": "object", "required": ["file"], "properties": properties}
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}


#: The body of a transcription request.
FORM_SCHEMA: dict[str, Any] = _form(FIELDS)
#: The body of a question for a recording's tracks.
TRACKS_SCHEMA: dict[str, Any] = _form(("file",))
_ERROR = '{"error": {"message", "type", "param", "code"}}'


def docs_html(schema: dict[str, Any], address: str) -> str:
    """The page: every operation of an OpenAPI schema, and examples for a server at ``address``."""
    example = (
        f"curl {address}/v1/audio/transcriptions \\\n  -F file=@recording.wav -F response_format=verbose_json\n\n"
        f'from openai import OpenAI\n\nclient = OpenAI(base_url="{address}/v1", api_key="none")\n'
        'model = client.models.list().data[0].id\nwith open("recording.wav", "rb") as file:\n'
        "    print(client.audio.transcriptions.create(file=file, model=model).text)"
    )
    return render("api/docs", "docs", schema["paths"], _ERROR, example)
