"""The server's models as every page shows them: what is installed, what is open, the one job that runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engine.bundle import BrokenBundle, Bundle, survey_bundles
from engine.errors import LightVoiceError
from ui.http.access.managing import Managers
from ui.text.failures import failure_of

if TYPE_CHECKING:
    from engine.runtime.bundle_slot import SwitchReport
    from engine.speech_engine import SpeechEngine
    from models.jobs.workshop import Job, Workshop

_log = logging.getLogger(__name__)

#: Pages that ask within this time share one survey of the folders.
SHARED_FOR_S = 2.0


class JobRunningError(LightVoiceError):
    """A job was asked for while another runs."""

    def __init__(self) -> None:
        super().__init__("one job runs at a time; wait until it is done, or cancel it")


class NoWorkshopError(LightVoiceError):
    """A job was asked for where no workshop is."""

    def __init__(self) -> None:
        super().__init__("this server has no workshop; start it with app.py")


@dataclass(frozen=True, kw_only=True)
class StartedJob:
    """The last job: what it is (fetch, import, quantize, prune), for which model or bundle, and the job itself."""

    kind: str
    subject: str
    job: Job
    #: Why the bundle that the job changed could not be opened anew; None where it was, or was not open.
    reopening_failed: str | None = None

    @property
    def runs(self) -> bool:
        """Whether it is not over yet."""
        return self.job.state == "running"


class ModelState:
    """The models of one server, the workshop that makes more of them, and who may use it; thread-safe."""

    def __init__(self, engine: SpeechEngine, workshop: Workshop | None, *, managers: Managers = Managers.NOBODY) -> None:
        self._engine, self.workshop, self.managers = engine, workshop, managers
        self._surveying = threading.Lock()
        self._starting = threading.Lock()
        self._switching = threading.Lock()
        self._started: StartedJob | None = None
        self._installed: tuple[Bundle | BrokenBundle, ...] = ()
        self._surveyed_at_s: float | None = None

    @property
    def open_bundle(self) -> Bundle:
        """The bundle that requests run on."""
        return self._engine.bundle

    @property
    def started(self) -> StartedJob | None:
        """The last job; None before the first."""
        return self._started

    def installed(self) -> tuple[Bundle | BrokenBundle, ...]:
        """What is installed, the broken among it, at most two seconds old; the open bundle always."""
        with self._surveying:
            now_s = time.monotonic()
            if self._engine.address is not None:  # the models lie elsewhere, and what lies here is of no use to them
                return (self.open_bundle,)
            if self._surveyed_at_s is None or now_s - self._surveyed_at_s >= SHARED_FOR_S:
                roots = self.workshop.roots if self.workshop else ()
                self._installed = survey_bundles([*roots, self.open_bundle.folder])
                self._surveyed_at_s = now_s
            return self._installed

    def whole(self) -> list[Bundle]:
        """The installed bundles that can be opened."""
        return [entry for entry in self.installed() if isinstance(entry, Bundle)]

    def switch(self, folder: str | Path) -> SwitchReport:
        """Open an installed bundle in place of the one that is open; verified first. Raises BundleError, SessionError."""
        with self._switching:
            report = self._engine.switch(Bundle.load(folder))
        self._forget_survey()
        return report

    def start(self, kind: str, subject: str, begin: Callable[[Workshop], Job]) -> StartedJob:
        """Begin a job unless one runs: JobRunningError, NoWorkshopError, and what ``begin`` raises."""
        if self.workshop is None:
            raise NoWorkshopError
        with self._starting:
            if self._started is not None and self._started.runs:
                raise JobRunningError
            started = StartedJob(kind=kind, subject=subject, job=begin(self.workshop))
            self._started = started
        threading.Thread(target=self._follow, args=(started,), name="models: job", daemon=True).start()
        return started

    def cancel(self) -> None:
        """End the job that runs, if one does."""
        started = self._started
        if started is not None:
            started.job.cancel()

    def _follow(self, started: StartedJob) -> None:
        """Once the job is over: survey the folders again, and open the bundle anew if it is the one the job changed."""
        started.job.wait()
        self._forget_survey()
        result = started.job.result
        if result is None:
            return
        with self._switching:
            if result.resolve() != self.open_bundle.folder.resolve():
                return
            try:
                self._engine.switch(Bundle.load(result))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said beside the job; unforeseen, it is logged with a number
                reason = failure_of(error).line
                _log.warning("the bundle that was changed cannot be opened anew: %s", reason)
                with self._starting:
                    if self._started is started:
                        self._started = StartedJob(kind=started.kind, subject=started.subject, job=started.job, reopening_failed=reason)
        self._forget_survey()

    def _forget_survey(self) -> None:
        with self._surveying:
            self._surveyed_at_s = None
