"""A benchmark's figures as a JSON file, where one was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def write_figures(path: Path | None, figures: Any) -> None:
    """Write them as indented JSON; nothing without a path. OSError where it cannot be written, TypeError for what JSON cannot hold."""
    if path is not None:
        path.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
