"""Where bundles are looked for on a machine: the embedded one, ``bundles/`` beside the code, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "models" / "starter" / "bundle"


def bundles_folder() -> Path:
    """Where bundles are installed: ``LIGHTVOICE_BUNDLES`` or ``~/.cache/lightvoice/bundles``."""
    own = os.environ.get("LIGHTVOICE_BUNDLES")
    return Path(own) if own else Path.home() / ".cache" / "lightvoice" / "bundles"


def bundle_roots() -> list[Path]:
    """The embedded bundle, ``bundles/`` here, and :func:`bundles_folder`."""
    return [STARTER, ROOT / "bundles", bundles_folder()]
