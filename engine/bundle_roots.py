"""Where bundles are looked for on a machine: the embedded one, ``bundles/`` beside the code, and the user's own."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
STARTER = ROOT / "models" / "starter" / "bundle"


def bundle_roots() -> list[Path]:
    """The embedded bundle, ``bundles/`` here, and ``LIGHTVOICE_BUNDLES`` or the user's cache."""
    own = os.environ.get("LIGHTVOICE_BUNDLES")
    return [STARTER, ROOT / "bundles", Path(own) if own else Path.home() / ".cache" / "lightvoice" / "bundles"]
