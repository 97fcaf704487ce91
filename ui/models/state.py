"""The server's models as every page shows them: what is installed, what is open, the one job that runs."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from engine.bundle import BrokenBundle, Bundle, survey_bundles
from engine.errors import LightVoiceError
from ui.http.access.managing import Managers
from ui.text.failures import failure_of

if TYPE_CHECKING:
    from engine.runtime.bundle_slot import SwitchReport
    from engine.speech_engine import SpeechEngine
    from models.jobs.workshop import CatalogModel, Job, Workshop

_log = logging.getLogger(__name__)

#: The kind of the job that brings the model which is offered while the starter is open.
REAL = "real"
#: Pages that ask within this time share one survey of the folders.
SHARED_FOR_S = 2.0


class JobRunningError(LightVoiceError):
    """A job was asked for while another runs."""

    def __init__(self) -> None:
        super().__init__("one job runs at a time; wait until it is done, or cancel it")


class BundleOpenError(LightVoiceError):
    """The open bundle was to be deleted."""

    def __init__(self, *, name: str) -> None:
        super().__init__(f"{name} is open; open another model first, then delete it")


class NoWorkshopError(LightVoiceError):
    """A job was asked for where no workshop is."""

    def __init__(self) -> None:
        super().__init__("this server has no workshop; start it with app.py")


@dataclass(frozen=True, kw_only=True)
class StartedJob:
    """The last job: what it is (real, fetch, import, quantize, prune), for which model or bundle, and the job itself."""

    kind: str
    subject: str
    job: Job
    #: Whether the bundle that it makes is opened, and whether that was done.
    opens: bool = False
    has_opened: bool = False
    #: Why the bundle that the job changed could not be opened anew; None where it was, or was not open.
    reopening_failed: str | None = None

    @property
    def runs(self) -> bool:
        """Whether it is not over yet, the opening of its bundle included."""
        return self.job.state == "running" or self.is_opening

    @property
    def is_opening(self) -> bool:
        """Whether the job is done and its bundle is being opened."""
        made = self.job.state == "done" and self.job.result is not None
        return self.opens and made and not self.has_opened and self.reopening_failed is None


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

    def get_real(self, *, source: str | None = None) -> None:
        """Bring the real model and open it, or open it where it is installed; where that runs already, nothing is begun.

        Raises what :meth:`start` and :meth:`switch` raise.
        """
        if self.workshop is None:
            raise NoWorkshopError
        if self._brings_real():
            return
        model, held = self.workshop.real_model, self.held_real()
        if held is not None:
            self.switch(held.folder)
            return
        try:
            self.start(REAL, model.name, lambda workshop: workshop.fetch(model.name, source=source, check=True), opens=True)
        except JobRunningError:
            if not self._brings_real():  # two presses at once
                raise

    def _brings_real(self) -> bool:
        started = self._started
        return started is not None and started.kind == REAL and started.runs

    def held_real(self) -> Bundle | None:
        """The real model where it is installed."""
        if self.workshop is None:
            return None
        name = self.workshop.real_model.bundle
        return next((bundle for bundle in self.whole() if bundle.name == name), None)

    def missing_edition(self) -> CatalogModel | None:
        """The edition of the catalog that completes the open bundle, which came without some of its variants; None where there is none."""
        if self.workshop is None or self._engine.address is not None:
            return None
        return self.workshop.edition_completing(self.open_bundle)

    def complete(self) -> None:
        """Bring what the open bundle came without; it is opened anew then. Where nothing is missing, nothing is begun.

        Raises what :meth:`start` raises.
        """
        model = self.missing_edition()
        if model is not None:
            self.start("fetch", model.name, lambda workshop: workshop.fetch(model.name))

    def may_delete(self, bundle: Bundle) -> bool:
        """Whether a bundle may be deleted: made or fetched here, and not open."""
        is_open = bundle.folder.resolve() == self.open_bundle.folder.resolve()
        return self.workshop is not None and not is_open and self.workshop.may_delete(bundle.folder)

    def delete(self, bundle: Bundle) -> None:
        """Delete a bundle that was made or fetched here: BundleOpenError, JobRunningError, NoWorkshopError, and the workshop's errors."""
        if self.workshop is None:
            raise NoWorkshopError
        with self._starting, self._switching:
            if bundle.folder.resolve() == self.open_bundle.folder.resolve():
                raise BundleOpenError(name=bundle.name)
            if self._started is not None and self._started.runs:
                raise JobRunningError  # which may be working on it
            self.workshop.delete(bundle.folder)
        self._forget_survey()

    def start(
        self,
        kind: str,
        subject: str,
        begin: Callable[[Workshop], Job],
        *,
        opens: bool = False,
        afterwards: Callable[[], None] = lambda: None,
    ) -> StartedJob:
        """Begin a job unless one runs: JobRunningError, NoWorkshopError, and what ``begin`` raises.

        ``opens`` opens the bundle that it makes; ``afterwards`` is called when it is over.
        """
        if self.workshop is None:
            raise NoWorkshopError
        with self._starting:
            if self._started is not None and self._started.runs:
                raise JobRunningError
            started = StartedJob(kind=kind, subject=subject, job=begin(self.workshop), opens=opens)
            self._started = started
        threading.Thread(target=self._follow, args=(started, afterwards), name="models: job", daemon=True).start()
        return started

    def cancel(self) -> None:
        """End the job that runs, if one does."""
        started = self._started
        if started is not None:
            started.job.cancel()

    def _follow(self, started: StartedJob, afterwards: Callable[[], None]) -> None:
        """Once the job is over: survey the folders again, and open the bundle that it made to be opened, or changed while it is open."""
        started.job.wait()
        afterwards()
        self._forget_survey()
        result = started.job.result
        if result is None:
            return
        with self._switching:
            if not started.opens and result.resolve() != self.open_bundle.folder.resolve():
                return
            try:
                self._engine.switch(Bundle.load(result))
            except Exception as error:  # noqa: BLE001 - whatever it is, it is said beside the job; unforeseen, it is logged with a number
                reason = failure_of(error).line
                _log.warning("the bundle %s cannot be opened: %s", result.name, reason)
                ended = replace(started, reopening_failed=reason)
            else:
                ended = replace(started, has_opened=True)
        with self._starting:
            if self._started is started:
                self._started = ended
        self._forget_survey()

    def _forget_survey(self) -> None:
        with self._surveying:
            self._surveyed_at_s = None
