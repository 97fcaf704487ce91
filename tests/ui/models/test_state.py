"""The server's models: one job at a time, folders looked at seldom, a bundle that a job changed is opened anew."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import ui.models.state as model_state_module
from engine.bundle import BrokenBundle, Bundle
from engine.errors import BundleTamperedError, GraphContractError
from tests.ui.models.fake_workshop import FakeWorkshop
from tests.waiting import until
from ui.models.state import BundleOpenError, JobRunningError, ModelState, NoWorkshopError


class SwitchingEngine:
    """Only what ModelState uses of an engine."""

    address = None

    def __init__(self, bundle: Bundle) -> None:
        self.bundle = bundle
        self.switched: list[str] = []
        self.error: Exception | None = None

    def switch(self, bundle: Bundle) -> Any:
        if self.error is not None:
            raise self.error
        self.bundle = bundle
        self.switched.append(bundle.folder.name)
        return SimpleNamespace(bundle=bundle.name)


@pytest.fixture
def roots(tiny_bundle: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "bundles"
    for name in ("first", "second"):
        shutil.copytree(tiny_bundle, folder / name)
    return folder


@pytest.fixture
def engine(roots: Path) -> SwitchingEngine:
    return SwitchingEngine(Bundle.load(roots / "first"))


@pytest.fixture
def workshop(roots: Path) -> FakeWorkshop:
    return FakeWorkshop(roots=[roots])


@pytest.fixture
def state(engine: SwitchingEngine, workshop: FakeWorkshop) -> ModelState:
    return ModelState(engine, workshop)


def names(state: ModelState) -> list[str]:
    return [entry.folder.name for entry in state.installed()]


def test_the_broken_and_the_open_bundle_are_listed(state: ModelState, engine: SwitchingEngine, roots: Path, tiny_bundle: Path) -> None:
    engine.bundle = Bundle.load(tiny_bundle)  # opened by its path, outside the folders that are looked at
    (roots / "second" / "tokens.txt").unlink()
    assert names(state) == ["first", "second", "bundle"]
    assert [isinstance(entry, BrokenBundle) for entry in state.installed()] == [False, True, False]
    assert [bundle.folder.name for bundle in state.whole()] == ["first", "bundle"]


def test_without_a_workshop_the_open_bundle_is_all_there_is(engine: SwitchingEngine) -> None:
    state = ModelState(engine, None)
    assert names(state) == ["first"]
    with pytest.raises(NoWorkshopError):
        state.start("fetch", "small", lambda workshop: workshop.fetch("small"))
    state.cancel()


def test_pages_that_ask_together_share_one_look(state: ModelState, roots: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[object] = []
    survey = model_state_module.survey_bundles
    monkeypatch.setattr(model_state_module, "survey_bundles", lambda roots: looks.append(roots) or survey(roots))
    for _ in range(20):
        state.installed()
    assert len(looks) == 1
    state.switch(roots / "second")
    state.installed()
    assert len(looks) == 2


def test_switching_verifies_the_files_first(state: ModelState, engine: SwitchingEngine, roots: Path) -> None:
    state.switch(str(roots / "second"))
    assert state.open_bundle.folder.name == "second"
    file = roots / "first" / "tokens.txt"
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(BundleTamperedError):
        state.switch(roots / "first")
    assert engine.switched == ["second"]


def test_a_second_job_is_refused_while_one_runs(state: ModelState, workshop: FakeWorkshop) -> None:
    assert state.started is None
    started = state.start("fetch", "small", lambda workshop: workshop.fetch("small"))
    assert started.runs and state.started is started
    with pytest.raises(JobRunningError, match="one job runs at a time"):
        state.start("prune", "first", lambda workshop: workshop.prune(Path("first"), amount=0.1))
    assert workshop.asked == [("fetch", "small", None)]
    workshop.jobs[0].end("failed", error="no network")
    assert not started.runs
    state.start("fetch", "small", lambda workshop: workshop.fetch("small"))
    assert len(workshop.jobs) == 2
    state.cancel()
    assert workshop.jobs[1].state == "cancelled"


def test_a_job_that_cannot_begin_leaves_the_last_one_shown(state: ModelState, workshop: FakeWorkshop) -> None:
    first = state.start("fetch", "small", lambda workshop: workshop.fetch("small"))
    workshop.jobs[0].end()
    workshop.refusal = ValueError("no such recipe")
    with pytest.raises(ValueError, match="no such recipe"):
        state.start("fetch", "small", lambda workshop: workshop.fetch("small"))
    assert state.started is first


def test_what_begins_a_job_may_look_at_the_bundles(state: ModelState, workshop: FakeWorkshop) -> None:
    state.start("prune", "first", lambda workshop: workshop.prune(state.whole()[0].folder, amount=0.1))
    assert workshop.asked[0][1].name == "first"


def test_a_finished_job_shows_its_bundle_at_once(state: ModelState, workshop: FakeWorkshop, roots: Path, tiny_bundle: Path) -> None:
    state.start("import", "third", lambda workshop: workshop.import_folder("/folder", name="third"))
    assert names(state) == ["first", "second"]
    shutil.copytree(tiny_bundle, roots / "third")
    workshop.jobs[0].end()
    until(lambda: "third" in names(state))


def test_the_open_bundle_is_opened_anew_when_a_job_changed_it_and_no_other(
    state: ModelState, engine: SwitchingEngine, workshop: FakeWorkshop, roots: Path
) -> None:
    for folder in ("second", "first"):
        state.start("quantize", folder, lambda workshop, folder=folder: workshop.quantize(roots / folder, recipe="mixed"))
        workshop.jobs[-1].end()
    until(lambda: engine.switched == ["first"])


def test_a_cancelled_job_opens_nothing_anew(state: ModelState, engine: SwitchingEngine, workshop: FakeWorkshop, roots: Path) -> None:
    state.start("quantize", "first", lambda workshop: workshop.quantize(roots / "first", recipe="mixed"))
    state.cancel()
    state.start("quantize", "first", lambda workshop: workshop.quantize(roots / "first", recipe="mixed"))
    workshop.jobs[-1].end()
    until(lambda: bool(engine.switched))
    assert engine.switched == ["first"]


def test_a_changed_bundle_that_cannot_be_opened_anew_is_said(
    state: ModelState, engine: SwitchingEngine, workshop: FakeWorkshop, roots: Path
) -> None:
    engine.error = GraphContractError(path="asr", reason="broken on purpose")
    state.start("quantize", "first", lambda workshop: workshop.quantize(roots / "first", recipe="mixed"))
    workshop.jobs[0].end()
    until(lambda: state.started is not None and state.started.reopening_failed is not None)
    assert "broken on purpose" in str(state.started and state.started.reopening_failed)
    assert engine.bundle.folder.name == "first"


def test_an_unexpected_error_while_reopening_is_reported_too(
    state: ModelState, engine: SwitchingEngine, workshop: FakeWorkshop, roots: Path
) -> None:
    engine.error = MemoryError()
    state.start("quantize", "first", lambda workshop: workshop.quantize(roots / "first", recipe="mixed"))
    workshop.jobs[0].end()
    until(lambda: state.started is not None and state.started.reopening_failed is not None)
    assert "the server's log has it under" in str(state.started and state.started.reopening_failed)


def test_a_bundle_that_was_made_here_is_deleted_and_the_open_one_never(
    state: ModelState, workshop: FakeWorkshop, roots: Path, tiny_bundle: Path
) -> None:
    first, second = (Bundle.load(roots / name) for name in ("first", "second"))
    assert (state.may_delete(first), state.may_delete(second)) == (False, True)
    assert not state.may_delete(Bundle.load(tiny_bundle))  # it lies elsewhere
    with pytest.raises(BundleOpenError, match="open another model first"):
        state.delete(first)
    state.delete(second)
    assert workshop.deleted == [roots / "second"] and names(state) == ["first"]


def test_nothing_is_deleted_while_a_job_runs(state: ModelState, workshop: FakeWorkshop, roots: Path) -> None:
    state.start("quantize", "second", lambda workshop: workshop.quantize(roots / "second", recipe="mixed"))
    with pytest.raises(JobRunningError):
        state.delete(Bundle.load(roots / "second"))
    assert workshop.deleted == []
    workshop.jobs[0].end()
