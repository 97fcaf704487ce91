"""Which examples the page offers: those that the embedded model reads right (ui/examples/make_examples.py)."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

LIST = Path(__file__).parent / "examples.json"


@cache
def shown_examples() -> tuple[str, ...]:
    """Their names, in the order of the page."""
    return tuple(json.loads(LIST.read_text(encoding="utf-8"))["examples"])
