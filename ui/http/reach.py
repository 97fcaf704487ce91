"""How a server is reached from elsewhere: below which path of a proxy, and by which other sites' pages; parsed once, at the start."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import OptionError

ANY_ORIGIN = "*"
#: First parts of paths that the server itself answers: below such a prefix it would be unclear whether a proxy has removed it.
OWN_ROOTS = frozenset(
    [
        *("v1", "docs", "openapi.json", "recordings", "history", "live", "healthz", "readyz", "metrics"),
        *("config", "static", "assets", "svelte", "theme.css", "robots.txt", "manifest.json", "pwa_icon", "gradio_api"),
        *("favicon.ico", "favicon.svg", "state", "transcribe", "lightweight", "measure"),
    ]
)
#: One or more parts of characters that need no encoding; such a path stands in addresses and HTML as it is.
_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~-]+)+", re.ASCII)
_LONGEST_PREFIX = 200
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, kw_only=True)
class Reach:
    """``root_path`` is "" or begins with a slash and ends without; ``origins`` are those whose pages may use ``/v1``."""

    root_path: str = ""
    origins: frozenset[str] = frozenset()

    @classmethod
    def parsed(cls, *, root_path: str | None = None, origins: Iterable[str] = ()) -> Reach:
        """From the command line's values; OptionError for a path or an origin that is none. Origins may be joined by commas."""
        named = [origin.strip() for value in origins for origin in value.split(",")]
        return cls(root_path=_root_path(root_path or ""), origins=frozenset(_origin(origin) for origin in named if origin))

    def lets_in(self, origin: str | None) -> bool:
        """Whether pages of an origin, as browsers write it, may use ``/v1``."""
        return origin is not None and (ANY_ORIGIN in self.origins or origin.lower() in self.origins)


def is_prefix(path: str) -> bool:
    """Whether a path can be one that the server is below."""
    return _is_path(path) and path.split("/")[1] not in OWN_ROOTS


def _is_path(path: str) -> bool:
    return len(path) <= _LONGEST_PREFIX and _PREFIX.fullmatch(path) is not None and not {".", ".."}.intersection(path.split("/"))


def _root_path(value: str) -> str:
    path = value.rstrip("/")
    if path and not _is_path(path):
        raise OptionError(f"--root-path {value!r} is not a path; write what stands between the proxy's name and the page, such as /asr")
    if path and not is_prefix(path):
        raise OptionError(f"--root-path {value!r} begins with a path that this server answers itself; let the proxy use another one")
    return path


def _origin(value: str) -> str:
    """An origin as browsers write it: lower case, without the default port."""
    if value == ANY_ORIGIN:
        return value
    try:
        parts = urlsplit(value.lower())
        host, port = parts.hostname, parts.port
    except ValueError:
        host = None
    if (
        not host
        or parts.scheme not in _DEFAULT_PORTS
        or parts.path.strip("/")
        or parts.query
        or parts.fragment
        or parts.username is not None
    ):
        raise OptionError(f"--allow-origin {value!r} is not an origin; write https://app.example, http://localhost:3000 or *")
    name = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{name}" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f"{parts.scheme}://{name}:{port}"
