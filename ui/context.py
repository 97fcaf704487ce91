"""What the endpoints share: the engine, the server's state, and the limits in force; handed to each of them, nothing global."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ui.limits import Limits
from ui.models.state import ModelState
from ui.scheduling.run_slots import RunSlots
from ui.status.run_log import RunLog
from ui.status.server_state import ServerState

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """The dependencies of the endpoints."""

    engine: SpeechEngine
    state: ServerState
    #: A folder that no client can name, for files of requests; what lies there is deleted by who put it there, never by its age.
    requests: Path
    limits: Limits
    models: ModelState
    #: Places on the engine, for everybody together.
    slots: RunSlots
    #: Where finished runs are noted.
    runs: RunLog = field(default_factory=RunLog)
