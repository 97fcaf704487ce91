"""Where this program remembers things that it could find out again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path:
    """``lightvoice`` below ``XDG_CACHE_HOME`` or ``~/.cache``; it need not exist yet."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lightvoice"
