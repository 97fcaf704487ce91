"""The documentation of the HTTP API: its form for OpenAPI, and ``/docs``, a plain page made of ``/openapi.json``.

Swagger UI would come from another machine, or weigh megabytes here; this page needs neither, nor any script.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

from engine.audio.read_options import CHANNELS
from engine.subtitles.options import RANGES
from ui.api.transcription_request import FIELDS, GRANULARITIES, RESPONSE_FORMATS

_KINDS: dict[str, dict[str, Any]] = {
    "file": {"type": "string", "format": "binary"},
    "response_format": {"type": "string", "enum": list(RESPONSE_FORMATS), "default": "json"},
    "timestamp_granularities[]": {"type": "array", "items": {"type": "string", "enum": list(GRANULARITIES)}},
    "itn": {"type": "boolean", "default": True},
    "ban_emo_unknown": {"type": "boolean", "default": False},
    "channel": {"type": "string", "enum": list(CHANNELS), "default": "auto"},
    "track": {"type": "integer", "minimum": 1},
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
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 56rem; margin: 2rem auto; padding: 0 1rem; }
h2 { border-top: 1px solid #8888; padding-top: 1rem; font-size: 1.1rem; overflow-wrap: anywhere; }
dt { font-family: ui-monospace, monospace; font-weight: 600; overflow-wrap: anywhere; }
pre { overflow-x: auto; padding: .75rem; border: 1px solid #8888; border-radius: 6px; }
"""


def docs_html(schema: dict[str, Any], address: str) -> str:
    """The page: every operation of an OpenAPI schema, and examples for a server at ``address``."""
    operations = "".join(
        _operation(method, path, operation) for path, methods in schema["paths"].items() for method, operation in methods.items()
    )
    example = (
        f"curl {address}/v1/audio/transcriptions \\\n  -F file=@recording.wav -F response_format=verbose_json\n\n"
        f'from openai import OpenAI\n\nclient = OpenAI(base_url="{address}/v1", api_key="none")\n'
        'model = client.models.list().data[0].id\nwith open("recording.wav", "rb") as file:\n'
        "    print(client.audio.transcriptions.create(file=file, model=model).text)"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>LightVoice API</title><style>{_STYLE}</style></head><body><main><h1>LightVoice API</h1>"
        f"<p>Shaped like OpenAI's; any API key will do where the server was given none. "
        f'Machine-readable: <a href="openapi.json">openapi.json</a>. '
        f"Fields that are not described here are accepted without effect and named in the header x-lightvoice-ignored. "
        f"Errors: <code>{escape(_ERROR)}</code></p><pre tabindex='0'>{escape(example)}</pre>{operations}</main></body></html>"
    )


_ERROR = '{"error": {"message", "type", "param", "code"}}'


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    form = operation.get("requestBody", {}).get("content", {}).get("multipart/form-data", {}).get("schema", {}).get("properties", {})
    fields = "".join(f"<dt>{escape(name)}</dt><dd>{escape(field['description'])}</dd>" for name, field in form.items())
    said = escape(operation.get("description", ""))
    return f"<h2>{method.upper()} <code>{escape(path)}</code></h2><p>{said}</p>" + (f"<dl>{fields}</dl>" if fields else "")
