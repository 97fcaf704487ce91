"""Whether the server is alive (``/healthz``) and whether it can answer at once (``/readyz``), the same for every page.

Models are loaded when the first request needs them. Who asks whether the server is ready wants them ready: the first question
begins to load them, and until that is done the answer is 503.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from starlette.responses import JSONResponse

from ui.scheduling.run_slots import RunSlots
from ui.text.failures import failure_of

if TYPE_CHECKING:
    from engine.speech_engine import SpeechEngine

_log = logging.getLogger(__name__)


class Health:
    """What the two checks answer; thread-safe."""

    def __init__(self, engine: SpeechEngine, slots: RunSlots) -> None:
        self._engine, self._slots = engine, slots
        self._lock = threading.Lock()
        self._loading = False
        #: The bundle whose models were seen to run.
        self._loaded: object = None
        #: The bundle whose models could not be loaded, and why.
        self._failed: tuple[object, str] | None = None

    def alive(self) -> JSONResponse:
        """``GET /healthz``: the process answers."""
        return JSONResponse(self._said("ok"))

    def ready(self) -> JSONResponse:
        """``GET /readyz``: 200 once the models are loaded, 503 while they are not, or while the server is being stopped."""
        if self._slots.closed:
            return JSONResponse(self._said("stopping"), status_code=503)
        if self.is_loaded():
            return JSONResponse(self._said("ready"))
        self._load_once()
        values, failed = self._said("loading"), self._failed
        if failed is not None and failed[0] is self._engine.bundle:
            values |= {"status": "failed", "reason": failed[1]}
        return JSONResponse(values, status_code=503)

    def is_loaded(self) -> bool:
        """Whether the open bundle's models have run."""
        return self._loaded is self._engine.bundle or self._engine.is_open

    def _said(self, status: str) -> dict[str, str]:
        return {"status": status, "bundle": self._engine.bundle.name, "precision": self._engine.precision}

    def _load_once(self) -> None:
        """Begin to load the models unless that is going on; the next question tries again what failed."""
        with self._lock:
            if self._loading:
                return
            self._loading = True
        try:
            threading.Thread(target=self._load, name="lightvoice-loading", daemon=True).start()
        except RuntimeError as error:  # the system has no thread to give
            self._end(self._engine.bundle, error)

    def _load(self) -> None:
        bundle = self._engine.bundle
        try:
            self._engine.warm_up()
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said, and logged with a number where nobody foresaw it
            self._end(bundle, error)
        else:
            self._end(bundle, None)

    def _end(self, bundle: object, error: Exception | None) -> None:
        with self._lock:
            self._loading = False
            if error is None:
                self._loaded, self._failed = bundle, None
                return
            reason = failure_of(error).line
            self._failed = bundle, reason
        _log.warning("the models cannot be loaded: %s", reason)
