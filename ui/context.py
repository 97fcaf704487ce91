"""What the panels share: the engine, the server's state, and the limits in force; handed to each of them, nothing global."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import gradio as gr

from ui.http.access.managing import Managers
from ui.limits import Limits
from ui.models.state import ModelState
from ui.scheduling.queue_runner import QueueRunner
from ui.scheduling.run_slots import RunSlots
from ui.status.run_log import RunLog
from ui.status.server_state import ServerState
from ui.text.texts import Texts

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

#: Comparisons of the page share this queue of Gradio's; their turn on the engine they take with everybody else.
ENGINE_QUEUE = "engine"


@dataclass(frozen=True, kw_only=True)
class PageContext:
    """The dependencies of every panel and endpoint."""

    engine: SpeechEngine
    state: ServerState
    #: A folder that the page may serve downloads from.
    exports: Path
    #: A folder that no client can name, for files of requests; what lies there is deleted by who put it there, never by its age.
    requests: Path
    limits: Limits
    models: ModelState
    #: The queues of the Transcribe tab.
    recordings: QueueRunner
    #: Places on the engine, for everybody together.
    slots: RunSlots
    #: Where finished runs are noted.
    runs: RunLog = field(default_factory=RunLog)
    #: Who may switch, fetch, import and quantize.
    managers: Managers = Managers.NOBODY


def engine_progress(progress: gr.Progress, texts: Texts) -> Callable[[float, str], None]:
    """Give the engine's progress (fraction in [0, 1], stage word) to Gradio's bar, in the page's language."""

    def report(fraction: float, stage: str) -> None:
        progress(min(max(fraction, 0.0), 1.0), desc=texts.stage(stage))

    return report
