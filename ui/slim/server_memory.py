"""What a server takes in this process with its models open: run by :mod:`ui.slim.memory_probe` in a process of its own."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.runtime.session import rss_mb
from ui.serve import build_app


def server_memory(kind: str, folder: str, precision: str) -> dict[str, float]:
    """Be the server up to the moment at which it would listen: the fields of a Footprint. ``kind`` is slim or full."""
    engine = Engine(Bundle.load(folder), precision=precision)
    engine.warm_up()
    with tempfile.TemporaryDirectory() as files:
        app = build_app(engine, files=Path(files), slim=kind == "slim")
        taken = {"rss_mb": rss_mb(), "modules": len(sys.modules)}
        del app
    engine.close()
    return taken
