"""What the page needs of the workshop that ``app.py`` hands it; the page knows these names and no module behind them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol


class Step(Protocol):
    """How far a job is."""

    @property
    def text(self) -> str:
        """What is being done."""

    @property
    def fraction(self) -> float | None:
        """The share done in [0, 1], None where nobody knows."""

    @property
    def eta_s(self) -> float | None:
        """Seconds left, None where nobody knows."""


class Job(Protocol):
    """One command in a process of its own."""

    @property
    def state(self) -> str:
        """One of queued, running, done, failed, cancelled."""

    @property
    def progress(self) -> Step | None:
        """The last step; None before the first."""

    @property
    def log(self) -> Sequence[str]:
        """The last lines it wrote."""

    @property
    def error(self) -> str | None:
        """Why it failed; None where it did not."""

    @property
    def result(self) -> Path | None:
        """The bundle it made or changed, once it is done."""

    def cancel(self) -> None:
        """End it, with everything it started; returns at once."""

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until it is over."""


class CatalogModel(Protocol):
    """A model that can be fetched; sizes in MB."""

    @property
    def name(self) -> str:
        """What :meth:`Workshop.fetch` calls it."""

    @property
    def title(self) -> str:
        """What it is."""

    @property
    def licence(self) -> str:
        """Under which terms."""

    @property
    def download_mb(self) -> int:
        """What has to be downloaded."""

    @property
    def bundle_mb(self) -> int:
        """What it takes on the disk."""


class Workshop(Protocol):
    """Fetches, imports and quantizes; one job for each call. The calls raise OptionError for what cannot be asked."""

    @property
    def roots(self) -> Sequence[Path]:
        """Where bundles are looked for."""

    @property
    def catalog(self) -> Sequence[CatalogModel]:
        """The models that can be fetched."""

    def missing(self) -> Sequence[str]:
        """The packages that jobs need and this install lacks."""

    def fetch(self, name: str, *, source: str | None = None) -> Job:
        """Download a model of the catalog."""

    def import_folder(self, folder: str, *, name: str) -> Job:
        """Make a bundle of a folder of the server."""

    def quantize(
        self, bundle: Path, *, recipe: str, clips: int | None = None, max_trials: int | None = None, as_default: bool = False
    ) -> Job:
        """Add a variant to a bundle."""

    def prune(self, bundle: Path, *, amount: float) -> Job:
        """Add a pruned variant to a bundle."""
