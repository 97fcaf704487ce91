"""What the page may ask of the workshop, in the page's own words: names and numbers in, one running job out.

``app.py`` hands it to the page, which never imports this package. Nothing heavy is loaded here: each job is a process.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from engine.bundle import MANIFEST, Bundle
from engine.errors import OptionError
from models.fetch.catalog import CATALOG, CatalogModel
from models.fetch.fetch import is_completed_by
from models.jobs.commands import WorkshopCommand
from models.jobs.workshop import Job, Workshop

#: One module of each package that a job needs and a slim install lacks.
NEEDED = ("torch", "onnx", "sentencepiece", "modelscope", "huggingface_hub")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BundleNameError(OptionError):
    """A name that no bundle may have, or that another one has."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(f"a bundle cannot be called {name!r}: {reason}")


class PageWorkshop:
    """The page's workshop: bundles are installed in the last of ``roots``; the ``embedded`` one is never changed, a copy is."""

    def __init__(self, *, roots: Sequence[Path], embedded: Path, prefix: Sequence[str] | None = None) -> None:
        self.roots = tuple(roots)
        self._installed, self._embedded = self.roots[-1], embedded
        self._workshop = Workshop(prefix=prefix)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def catalog(self) -> tuple[CatalogModel, ...]:
        """The models that can be fetched."""
        return tuple(CATALOG.values())

    def missing(self) -> tuple[str, ...]:
        """The packages that jobs need and this install lacks."""
        return tuple(name for name in NEEDED if importlib.util.find_spec(name) is None)

    def fetch(self, name: str, *, source: str | None = None) -> Job:
        """Download a model of the catalog and make the bundle of it that it is an edition of, or complete that."""
        model = CATALOG.get(name)  # the command says which names there are
        held = self._installed / (model.bundle if model else name)
        output = held if model and is_completed_by(held, model) else self._free(held.name if model else name)
        return self._workshop.start(WorkshopCommand.fetch(name, source=source, output=output))

    def import_folder(self, folder: str, *, name: str) -> Job:
        """Make a bundle of a folder of this machine."""
        return self._workshop.start(WorkshopCommand.import_folder(folder, self._free(name), name=name))

    def quantize(
        self, bundle: Path, *, recipe: str, clips: int | None = None, max_trials: int | None = None, as_default: bool = False
    ) -> Job:
        """Add a variant to a bundle; to a copy of the embedded one."""
        place, output = self._place(bundle)
        return self._workshop.start(
            WorkshopCommand.quantize(place, recipe=recipe, clips=clips, max_trials=max_trials, as_default=as_default, output=output)
        )

    def prune(self, bundle: Path, *, amount: float) -> Job:
        """Add a pruned variant and its INT8 version to a bundle; to a copy of the embedded one."""
        place, output = self._place(bundle)
        return self._workshop.start(WorkshopCommand.prune(place, amount=amount, then_quantize=True, output=output))

    def close(self) -> None:
        """End what runs."""
        self._workshop.close()

    def _free(self, name: str) -> Path:
        """Where a bundle of a new name is installed; BundleNameError where it cannot be."""
        if not NAME.fullmatch(name):
            raise BundleNameError(name=name, reason="take letters, digits, '.', '_' and '-', at most 64, and begin with a letter or digit")
        folder = self._installed / name
        if folder.exists():
            raise BundleNameError(name=name, reason=f"{folder} is there already; take another name, or delete that folder first")
        return folder

    def _place(self, bundle: Path) -> tuple[Path, Path | None]:
        """The bundle to work on, and where its copy goes if it must not be changed itself."""
        if bundle.resolve() != self._embedded.resolve():
            return bundle, None
        copy = self._installed / f"{Bundle.load(bundle, verify=False).name}-own"
        return (copy, None) if (copy / MANIFEST).is_file() else (bundle, copy)
