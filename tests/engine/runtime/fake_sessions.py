"""Sessions without a graph, and the function that opens them and remembers which."""

from __future__ import annotations

import threading
from typing import Any

from engine.bundle import Bundle
from engine.errors import GraphContractError
from tests.waiting import WAIT_S


class FakeSession:
    """Counts how often graphs are opened and closed."""

    def __init__(self, model: str, precision: str) -> None:
        self.model, self.precision, self.mb, self.provider, self.open = model, precision, 1.0, "CPUExecutionProvider", True

    def close(self) -> None:
        self.open = False


class Opener:
    """Opens fake sessions; may wait for an event or fail."""

    def __init__(self) -> None:
        self.opened: list[FakeSession] = []
        self.gate: threading.Event | None = None
        self.entered = threading.Event()
        self.fail_on: str | None = None

    def __call__(self, bundle: Bundle, *, model: str, precision: str, device: str, threads: int) -> Any:
        self.entered.set()
        if self.gate is not None:
            assert self.gate.wait(WAIT_S)
        if self.fail_on == model:
            raise GraphContractError(path=model, reason="broken on purpose")
        session = FakeSession(model, precision)
        self.opened.append(session)
        return session
