"""Transcripts that are kept, whose they are, and another program that holds the database."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np

from tests.transcripts import segment, transcript
from ui.history.history import History
from ui.scheduling.recording_queue import Result

ANN, BEN = "person:ann", "person:ben"


IDS = [f"{number:032x}" for number in range(12)]


def result(text: str = "three one four", playback: Path | None = None) -> Result:
    return Result(transcript=transcript(segment(0, 900, text)), peaks=np.linspace(0, 1, 50, dtype=np.float32), playback=playback)


def held(history: History) -> sqlite3.Connection:
    """Another program that holds the database."""
    history.store.count(ANN)
    history.store.close()
    other = sqlite3.connect(history.store.file, isolation_level=None)
    other.execute("PRAGMA locking_mode = EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    return other
