"""Who may switch, fetch, import and quantize: these change the model of every page and download gigabytes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import gradio as gr

from engine.errors import LightVoiceError
from ui.http.callers import is_loopback

if TYPE_CHECKING:
    from models.jobs.workshop import Workshop

#: What a proxy adds: the browser is then on another machine, whatever address the request comes from.
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-prefix", "x-forwarded-proto", "x-real-ip", "via")


class NotAllowedError(LightVoiceError):
    """Somebody asked for what only those who manage this server may do."""

    def __init__(self) -> None:
        super().__init__("models are managed from the server's own machine; to allow it to every visitor start with --manage-models")


class Managers(StrEnum):
    """Who manages the models of this server."""

    NOBODY = "nobody"
    THIS_MACHINE = "this-machine"
    EVERYBODY = "everybody"


@dataclass(frozen=True, kw_only=True)
class Managing:
    """How the models of a server are managed: with which workshop, and by whom."""

    workshop: Workshop | None = None
    #: True for every visitor, False for nobody; None for people on this machine where the server listens here alone.
    everybody: bool | None = None

    def managers(self, host: str) -> Managers:
        """Who manages a server that listens on ``host``."""
        if self.everybody is not None:
            return Managers.EVERYBODY if self.everybody else Managers.NOBODY
        return Managers.THIS_MACHINE if is_loopback(host) else Managers.NOBODY


def may_manage(managers: Managers, request: gr.Request) -> bool:
    """Whether whoever sent this request manages the models.

    For a server that listens on this machine alone the page's address must be this machine's: another site's name that was made to
    point here (DNS rebinding), and a proxy that lets others in, are no browsers on this machine.
    """
    if managers is not Managers.THIS_MACHINE:
        return managers is Managers.EVERYBODY
    headers = request.headers
    asked_for = urlsplit(f"//{headers.get('host', '')}").hostname or ""
    return is_loopback(asked_for) and not any(name in headers for name in _PROXY_HEADERS)


def require_manager(managers: Managers, request: gr.Request) -> None:
    """NotAllowedError unless the sender manages the models."""
    if not may_manage(managers, request):
        raise NotAllowedError
