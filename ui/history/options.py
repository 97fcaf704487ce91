"""Where the history lies, how long it reaches back, and how large it may become."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class HistoryOptions:
    """The history of one server."""

    folder: Path
    #: Transcripts and recordings are forgotten after so many days.
    days: int = 30
    #: The database, and the recordings beside it.
    text_mb: int = 2_000
    sound_mb: int = 5_000


def history_folder() -> Path:
    """``lightvoice/history`` below ``XDG_DATA_HOME`` or ``~/.local/share``; it need not exist yet."""
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "lightvoice" / "history"
