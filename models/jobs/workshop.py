"""What the page may ask of the workshop: names and numbers in, one running job out.

A job is a command of ``python -m models``: its arguments are checked by the command line's own parser, and no shell reads them.
``app.py`` hands the workshop to the page. Nothing heavy is loaded here.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from engine.bundle import MANIFEST, Bundle
from engine.errors import LightVoiceError, OptionError
from engine.files.claimed_folder import claimed_folder
from models.fetch.catalog import CATALOG, FAMILY, CatalogModel, Source, find_model
from models.fetch.held import is_completed_by
from models.jobs.command_line import check_arguments
from models.jobs.job import GRACE_S, Job, JobState
from models.jobs.packages import Packages, installer, missing, program
from models.quantize.recipe_names import RecipeName

#: What the page's types are made of too.
__all__ = ["BundleKeptError", "BundleNameError", "CatalogModel", "Job", "RecipeName", "Workshop", "WorkshopClosedError"]

#: What a job needs. One may turn out to need more (an official checkpoint needs torch to be imported), and then says so itself.
NEEDED: Mapping[str, Packages] = {
    "real": Packages.LIGHT,
    "fetch": Packages.FULL,
    "import": Packages.LIGHT,
    "quantize": Packages.FULL,
    "prune": Packages.FULL,
}
#: The edition that a person is offered first.
REAL_EDITION = "int8"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class BundleNameError(OptionError):
    """A name that no bundle may have, or that another one has."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(f"a bundle cannot be called {name!r}: {reason}")


class BundleKeptError(OptionError):
    """A bundle that is not deleted."""

    def __init__(self, *, name: str, reason: str) -> None:
        super().__init__(f"{name} is not deleted: {reason}")


class WorkshopClosedError(LightVoiceError):
    """A job for a workshop that was closed."""

    def __init__(self) -> None:
        super().__init__("the workshop is closed because the server stops; start it again")


class Workshop:
    """Starts jobs. Bundles are installed in the last of ``roots``; the ``embedded`` one is never changed, a copy is.

    ``program`` is what stands before a command's arguments (default: this Python, or run.sh where packages have to be installed first);
    tests pass a program of their own. The calls raise OptionError for what cannot be asked, WorkshopClosedError after :meth:`close`, and
    JobStartError.
    """

    def __init__(self, *, roots: Sequence[Path], embedded: Path, program: Sequence[str] | None = None, grace_s: float = GRACE_S) -> None:
        self.roots = tuple(roots)
        self._installed, self._embedded = self.roots[-1], embedded
        self._program, self._grace_s = program, grace_s
        self._lock = threading.Lock()
        self._jobs: list[Job] = []
        self._closed = False

    @property
    def catalog(self) -> tuple[CatalogModel, ...]:
        """The models that can be fetched."""
        return tuple(CATALOG.values())

    @property
    def sources(self) -> tuple[Source, ...]:
        """The hubs they can be fetched from."""
        return tuple(Source)

    @property
    def recipes(self) -> tuple[RecipeName, ...]:
        """The recipes of :meth:`quantize`, the default first."""
        return tuple(RecipeName)

    @property
    def installs(self) -> bool:
        """Whether a job installs what it needs and is missing, before it begins."""
        return installer(yes=True) is not None

    @property
    def real_model(self) -> CatalogModel:
        """The model that is offered while the starter is open; it needs neither PyTorch nor a gigabyte."""
        return find_model(FAMILY, edition=REAL_EDITION)

    def missing(self, job: str) -> tuple[str, ...]:
        """The packages that a job (``real``, ``fetch``, ``import``, ``quantize``, ``prune``) needs and this install lacks."""
        return missing(NEEDED[job])

    def fetch(self, name: str, *, source: str | None = None, check: bool = False) -> Job:
        """Download a model of the catalog and make the bundle of it that it is an edition of, or complete that; ``check`` tries it on
        the example recordings that come with it.
        """
        model = CATALOG.get(name)  # the command says which names there are
        held = self._installed / (model.bundle if model else name)
        output = held if model and is_completed_by(held, model) else self._free(held.name if model else name)
        return self.start("fetch", name, output=output, source=source, check=check)

    def edition_completing(self, bundle: Bundle) -> CatalogModel | None:
        """The edition of the catalog that :meth:`fetch` completes a bundle with; None where it lacks nothing, or lies elsewhere."""
        for model in self.catalog:
            held = self._installed / model.bundle
            if bundle.folder.resolve() == held.resolve() and is_completed_by(held, model):
                return model
        return None

    def may_delete(self, bundle: Path) -> bool:
        """Whether a bundle was installed here: neither the embedded one nor one that lies elsewhere."""
        place = bundle.absolute()
        return place.parent.resolve() == self._installed.resolve() and place.resolve() != self._embedded.resolve()

    def delete(self, bundle: Path) -> None:
        """Delete a bundle that was installed here; one that runs keeps its files open until it is done. BundleKeptError for any other."""
        if not self.may_delete(bundle):
            raise BundleKeptError(name=bundle.name, reason="it was not installed by this server, which deletes only what it installed")
        if bundle.is_symlink():  # what somebody linked in here is theirs
            bundle.unlink()
            return
        with claimed_folder(self._installed, ".deleted-") as temporary:
            bundle.rename(temporary / "bundle")

    def import_folder(self, folder: str, *, name: str) -> Job:
        """Make a bundle of a folder of this machine."""
        return self.start("import", _path(folder), output=self._free(name), name=name)

    def quantize(
        self, bundle: Path, *, recipe: str, clips: int | None = None, max_trials: int | None = None, as_default: bool = False
    ) -> Job:
        """Add a variant to a bundle; to a copy of the embedded one."""
        place, output = self._place(bundle)
        return self.start("quantize", place, output=output, recipe=recipe, clips=clips, max_trials=max_trials, as_default=as_default)

    def prune(self, bundle: Path, *, amount: float) -> Job:
        """Add a pruned variant and its INT8 version to a bundle; to a copy of the embedded one."""
        place, output = self._place(bundle)
        return self.start("prune", place, output=output, amount=amount, then_quantize=True)

    def start(self, command: str, subject: str | Path, **options: object) -> Job:
        """Start a command with the options that are neither None nor False: a value is never taken for an option."""
        arguments = [command]
        for name, value in options.items():
            if value is not None and value is not False:
                option = f"--{name.replace('_', '-')}"
                arguments.append(option if value is True else f"{option}={_word(value)}")
        arguments += ["--", _word(subject)]
        check_arguments(arguments)
        with self._lock:
            if self._closed:
                raise WorkshopClosedError
            job = Job([*(self._program or program(arguments, yes=True)), *arguments], grace_s=self._grace_s)
            self._jobs = [*(one for one in self._jobs if one.state is JobState.RUNNING), job]
        return job

    def close(self) -> None:
        """End what runs, and wait until it has ended; nothing can be started any more."""
        with self._lock:
            self._closed = True
        for job in self._jobs:
            job.cancel()
        for job in self._jobs:
            job.close()

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


def _path(folder: str) -> Path:
    if not folder.strip():
        raise OptionError(f"the folder is {folder!r}; name a folder of this machine")
    return Path(folder).expanduser()


def _word(value: object) -> str:
    """A value as one argument; a job has a working directory of its own."""
    return str(value.absolute() if isinstance(value, Path) else value)
