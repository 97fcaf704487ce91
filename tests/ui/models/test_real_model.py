"""The button that brings the real model: what it offers, how far it is, how it ends, and that a second press begins nothing."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import msgspec
import pytest

from engine.bundle import Bundle
from engine.errors import GraphContractError
from models.evaluate.self_test import CHECKING
from models.fetch.fetch import MAKING
from models.jobs.failure_kind import FailureKind
from tests.ui.models.bundle_engine import Engine
from tests.ui.models.fake_workshop import FakeStep, FakeWorkshop
from tests.waiting import until
from ui.http.access.managing import Managers
from ui.models.real_model_html import STAGES, STARTER_NAME, RealModelView, view_of
from ui.models.state import JobRunningError, ModelState
from ui.text.texts import Texts

ENGLISH, CHINESE = Texts("en"), Texts("zh")


@pytest.fixture
def starter(tiny_bundle: Path) -> Bundle:
    return msgspec.structs.replace(Bundle.load(tiny_bundle), name=STARTER_NAME)


@pytest.fixture
def engine(starter: Bundle) -> Engine:
    return Engine(starter)


@pytest.fixture
def workshop(tmp_path: Path) -> FakeWorkshop:
    (tmp_path / "bundles").mkdir()
    workshop = FakeWorkshop(roots=[tmp_path / "bundles"])
    workshop.will_fetch = tmp_path / "bundles" / "small"
    return workshop


@pytest.fixture
def state(engine: Engine, workshop: FakeWorkshop) -> ModelState:
    return ModelState(engine, workshop, managers=Managers.EVERYBODY)  # type: ignore[arg-type]


def shown(state: ModelState, *, allowed: bool = True, texts: Texts = ENGLISH) -> RealModelView:
    return view_of(state, texts, allowed=allowed)


def arrive(workshop: FakeWorkshop, tiny_bundle: Path) -> None:
    """What the job leaves: a bundle of the model's name."""
    assert workshop.will_fetch is not None
    shutil.copytree(tiny_bundle, workshop.will_fetch)
    manifest = workshop.will_fetch / "bundle.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace('"tiny"', '"small"', 1), encoding="utf-8")


def test_the_offer_names_size_licence_and_sources(state: ModelState) -> None:
    view = shown(state)
    assert view.press == "Get the real model (940 MB)" and not view.can_cancel and not view.asks_source
    for words in ("licence: its own", "all five languages", "940 MB"):
        assert words in view.html
    assert "获取正式模型" in str(shown(state, texts=CHINESE).press)


def test_who_may_not_manage_sees_one_sentence_and_no_button(state: ModelState) -> None:
    view = shown(state, allowed=False)
    assert view.press is None and not view.can_cancel and "Whoever runs this server" in view.html and view.html.count("<p") == 1


def test_nothing_is_offered_where_another_model_is_open_or_none_can_be_brought(
    state: ModelState, engine: Engine, starter: Bundle, tiny_bundle: Path
) -> None:
    engine.bundle = Bundle.load(tiny_bundle)
    assert shown(state) == RealModelView()
    assert shown(ModelState(Engine(starter), None)) == RealModelView()  # type: ignore[arg-type]


def test_a_press_downloads_checks_and_opens(state: ModelState, engine: Engine, workshop: FakeWorkshop, tiny_bundle: Path) -> None:
    state.get_real(source="modelscope")
    assert workshop.asked == [("fetch", "small", "modelscope", "check")]
    assert shown(state).press is None and shown(state).can_cancel and "which source answers" in shown(state).html
    job = workshop.jobs[0]
    job.progress = FakeStep("model.int8.onnx  81 / 242 MB  3.2 MB/s", 0.33, 50)
    for words in ('value="0.3300"', "33 %", "81 / 242 MB", "3.2 MB/s", "50.0 s left"):
        assert words in shown(state).html
    job.progress = FakeStep(MAKING)
    assert "Converting" in shown(state).html and "value=" not in shown(state).html
    job.progress = FakeStep(CHECKING)
    assert "example recordings" in shown(state).html
    assert not shown(state, allowed=False).can_cancel
    arrive(workshop, tiny_bundle)
    job.check = SimpleNamespace(passed=6, tested=6)
    job.end()
    until(lambda: engine.bundle.name == "small" and not (state.started and state.started.runs))
    view = shown(state)
    assert "The real model is open" in view.html and "6 of 6" in view.html
    assert view.press is None and not view.can_cancel
    job.check = SimpleNamespace(passed=1, tested=6)
    assert "only 1 of 6" in shown(state).html
    job.check = None
    assert "could not be checked" in shown(state).html


def test_a_second_press_begins_nothing(state: ModelState, engine: Engine, workshop: FakeWorkshop, tiny_bundle: Path) -> None:
    for _ in range(3):
        state.get_real()
    assert len(workshop.jobs) == 1
    arrive(workshop, tiny_bundle)
    workshop.jobs[0].end()
    until(lambda: engine.bundle.name == "small" and not (state.started and state.started.runs))
    state.get_real()
    assert len(workshop.jobs) == 1 and engine.bundle.name == "small"


def test_another_job_that_runs_is_said(state: ModelState, workshop: FakeWorkshop, tiny_bundle: Path) -> None:
    state.start("prune", "x", lambda workshop: workshop.prune(tiny_bundle, amount=0.1))
    with pytest.raises(JobRunningError):
        state.get_real()
    workshop.jobs[0].end()


def test_an_installed_one_is_opened_without_a_download(
    state: ModelState, engine: Engine, workshop: FakeWorkshop, tiny_bundle: Path
) -> None:
    arrive(workshop, tiny_bundle)
    assert shown(state).press == "Open the real model"
    state.get_real()
    assert workshop.jobs == [] and engine.bundle.name == "small"


def test_a_cancelled_download_goes_on(state: ModelState, workshop: FakeWorkshop) -> None:
    state.get_real()
    state.cancel()
    view = shown(state)
    assert view.press == "Go on" and view.asks_source and "goes on from there" in view.html
    state.get_real()
    assert len(workshop.jobs) == 2


@pytest.mark.parametrize("kind", list(FailureKind))
@pytest.mark.parametrize("texts", [ENGLISH, CHINESE], ids=["en", "zh"])
def test_a_failure_is_a_sentence_and_what_to_do_next_in_plain_words(
    state: ModelState, workshop: FakeWorkshop, kind: FailureKind, texts: Texts
) -> None:
    state.get_real()
    workshop.jobs[0].end("failed", error="FetchError: 127.0.0.1:9 (modelscope): use the other --source", failure=kind.value)
    view = shown(state, texts=texts)
    assert texts(f"real.next.{kind}") in view.html and view.press == texts("real.again")
    assert view.asks_source == (kind in ("unreachable", "other_file"))
    assert ("HF_ENDPOINT" in view.html) == (kind in ("unreachable", "other_file"))
    assert ("https://hub.example/small" in view.html) == (kind is not FailureKind.DISK)
    assert "Error" not in view.html and "--" not in view.html


def test_too_little_room_says_how_much_is_needed(state: ModelState, workshop: FakeWorkshop) -> None:
    state.get_real()
    workshop.jobs[0].end("failed", error="x", failure="disk")
    assert "about 2.1 GB are needed" in shown(state).html


def test_packages_that_are_missing_are_said_before_anything_is_pressed(engine: Engine, tmp_path: Path) -> None:
    workshop = FakeWorkshop(roots=[tmp_path], missing={"real": ["onnx"]})
    view = shown(ModelState(engine, workshop))  # type: ignore[arg-type]
    assert view.press is None and "needs packages" in view.html
    others = FakeWorkshop(roots=[tmp_path], missing={"fetch": ["torch"]})
    assert shown(ModelState(engine, others)).press is not None  # type: ignore[arg-type]


def test_one_that_cannot_be_opened_leaves_the_starter_open(
    state: ModelState, engine: Engine, workshop: FakeWorkshop, tiny_bundle: Path
) -> None:
    engine.error = GraphContractError(path="asr", reason="broken on purpose")  # type: ignore[assignment]
    state.get_real()
    arrive(workshop, tiny_bundle)
    workshop.jobs[0].end()
    until(lambda: state.started is not None and state.started.reopening_failed is not None)
    view = shown(state)
    assert engine.bundle.name == STARTER_NAME and "starter stays open" in view.html and view.press == "Open the real model"
    assert "broken on purpose" not in view.html


def test_the_stages_are_worded_as_the_job_words_them() -> None:
    assert set(STAGES) == {MAKING, CHECKING}
