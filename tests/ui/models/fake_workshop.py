"""A workshop with the names of ``models.jobs.workshop.Workshop`` whose jobs do what a test tells them to."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from engine.bundle import Bundle
from models.fetch.catalog import Source
from models.quantize.recipe_names import RecipeName


@dataclass(frozen=True)
class FakeStep:
    text: str
    fraction: float | None = None
    eta_s: float | None = None


@dataclass(frozen=True)
class FakeModel:
    name: str = "small"
    bundle: str = "small"
    title: str = "A small model"
    pages: tuple[str, ...] = ("https://hub.example/small",)
    licence: str = "its own"
    download_mb: int = 940
    bundle_mb: int = 1190
    precisions: tuple[str, ...] = ("fp32", "int8")


class FakeJob:
    def __init__(self, result: Path | None = None) -> None:
        self.state = "running"
        self.progress: FakeStep | None = None
        self.log: tuple[str, ...] = ()
        self.error: str | None = None
        self.failure: str | None = None
        self.check: SimpleNamespace | None = None
        self.result: Path | None = None
        self._will_be = result
        self._over = threading.Event()

    def wait(self, timeout_s: float | None = None) -> bool:
        return self._over.wait(timeout_s)

    def end(self, state: str = "done", *, error: str | None = None, failure: str | None = None) -> None:
        self.result = self._will_be if state == "done" else None
        self.failure = failure
        self.error, self.state = error, state
        self._over.set()

    def cancel(self) -> None:
        self.end("cancelled")


class FakeWorkshop:
    """Records what it is asked for; a job runs until the test ends it."""

    def __init__(self, roots: Sequence[Path] = (), missing: Mapping[str, Sequence[str]] | None = None) -> None:
        self.roots, self._missing = tuple(roots), dict(missing or {})
        self.real_model = FakeModel()
        #: Where the next download puts its bundle.
        self.will_fetch: Path | None = None
        #: What completes every bundle that lacks a variant of it.
        self.completing: FakeModel | None = None
        self.deleted: list[Path] = []
        self.catalog, self.sources, self.recipes = (FakeModel(),), tuple(Source), tuple(RecipeName)
        self.asked: list[tuple[Any, ...]] = []
        self.jobs: list[FakeJob] = []
        self.refusal: Exception | None = None
        self.installs = False

    def missing(self, job: str) -> tuple[str, ...]:
        return tuple(self._missing.get(job, ()))

    def edition_completing(self, bundle: Bundle) -> FakeModel | None:
        model = self.completing
        return model if model is not None and set(bundle.variants) < set(model.precisions) else None

    def may_delete(self, bundle: Path) -> bool:
        return bundle.parent in self.roots

    def delete(self, bundle: Path) -> None:
        self.deleted.append(bundle)
        shutil.rmtree(bundle)

    def _job(self, *asked: Any, result: Path | None = None) -> FakeJob:
        if self.refusal is not None:
            raise self.refusal
        self.asked.append(asked)
        self.jobs.append(FakeJob(result))
        return self.jobs[-1]

    def fetch(self, name: str, *, source: str | None = None, check: bool = False) -> FakeJob:
        return self._job("fetch", name, source, *(["check"] if check else []), result=self.will_fetch)

    def import_folder(self, folder: str, *, name: str) -> FakeJob:
        return self._job("import", folder, name)

    def quantize(
        self, bundle: Path, *, recipe: str, clips: int | None = None, max_trials: int | None = None, as_default: bool = False
    ) -> FakeJob:
        return self._job("quantize", bundle, recipe, clips, max_trials, as_default, result=bundle)

    def prune(self, bundle: Path, *, amount: float) -> FakeJob:
        return self._job("prune", bundle, amount, result=bundle)
