"""An engine that holds a bundle and switches it: all that the server's models use of one."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from engine.bundle import Bundle


class Engine:
    """Only what ModelState uses of an engine."""

    address = None

    def __init__(self, bundle: Bundle) -> None:
        self.bundle, self.error = bundle, None

    def switch(self, bundle: Bundle) -> Any:
        if self.error is not None:
            raise self.error
        self.bundle = bundle
        return SimpleNamespace(bundle=bundle.name)
