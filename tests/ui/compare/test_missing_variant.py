"""FP32 for a model that came as INT8 alone: what Compare offers, how far it is, and what it shows once the rest is there."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import msgspec
import pytest

from engine.bundle import Bundle
from tests.ui.models.bundle_engine import Engine
from tests.ui.models.fake_workshop import FakeModel, FakeStep, FakeWorkshop
from tests.waiting import until
from ui.compare.missing_variant import MissingView, _refresh, view_of
from ui.compare.variant_choices import VariantChoices
from ui.http.access.managing import Managers
from ui.models.state import ModelState
from ui.text.texts import Texts

ENGLISH, CHINESE = Texts("en"), Texts("zh")
REQUEST: Any = SimpleNamespace(headers={}, client=SimpleNamespace(host="127.0.0.1"), username=None, session_hash="a", request=None)


@pytest.fixture
def int8_alone(tiny_bundle: Path) -> Bundle:
    whole = Bundle.load(tiny_bundle)
    return msgspec.structs.replace(whole, variants={"int8": whole.variants["int8"]})


@pytest.fixture
def engine(int8_alone: Bundle) -> Engine:
    return Engine(int8_alone)


@pytest.fixture
def workshop(tiny_bundle: Path) -> FakeWorkshop:
    workshop = FakeWorkshop()
    workshop.completing, workshop.will_fetch = FakeModel(name="small-whole"), tiny_bundle
    return workshop


@pytest.fixture
def models(engine: Engine, workshop: FakeWorkshop) -> ModelState:
    return ModelState(engine, workshop, managers=Managers.EVERYBODY)  # type: ignore[arg-type]


def test_what_is_missing_is_named_with_its_size_and_licence(models: ModelState) -> None:
    view = view_of(models, ENGLISH, allowed=True)
    assert view.press == "Get FP32 (940 MB)" and not view.can_cancel
    assert "without FP32" in view.html and "940 MB" in view.html and "its own" in view.html
    assert view_of(models, CHINESE, allowed=True).press == "获取 FP32（940 MB）"
    assert view_of(models, ENGLISH, allowed=False).press is None


def test_nothing_is_offered_where_nothing_is_missing_or_nothing_can_be_brought(
    models: ModelState, engine: Engine, int8_alone: Bundle, tiny_bundle: Path
) -> None:
    assert view_of(ModelState(Engine(int8_alone), None), ENGLISH, allowed=True) == MissingView()  # type: ignore[arg-type]
    engine.bundle = Bundle.load(tiny_bundle)
    assert view_of(models, ENGLISH, allowed=True) == MissingView()
    models.complete()
    assert models.started is None


def test_a_press_brings_it_opens_it_anew_and_sets_the_two_against_each_other(
    models: ModelState, engine: Engine, workshop: FakeWorkshop
) -> None:
    choices = VariantChoices(engine, models.whole)  # type: ignore[arg-type]
    shown, *_, left, right = _refresh(models, choices, REQUEST, ["", ""])
    assert left == right == gr.skip()
    models.complete()
    assert workshop.asked == [("fetch", "small-whole", None)]
    job = workshop.jobs[0]
    job.progress = FakeStep("model.pt  81 / 936 MB", 0.09, 50)
    view = view_of(models, ENGLISH, allowed=True)
    assert view.press is None and view.can_cancel and "81 / 936 MB" in view.html
    assert not view_of(models, ENGLISH, allowed=False).can_cancel
    job.end()
    until(lambda: "fp32" in engine.bundle.variants)
    shown, text, get, _, left, right = _refresh(models, choices, REQUEST, shown)
    assert text == "" and not get.visible
    assert [left.value, right.value] == [f"fp32@{engine.bundle.name}", f"int8@{engine.bundle.name}"]
    assert _refresh(models, choices, REQUEST, shown) == [gr.skip()] * 6


def test_a_failure_is_said_and_can_be_tried_again(models: ModelState, workshop: FakeWorkshop) -> None:
    models.complete()
    workshop.jobs[0].end("failed", error="the hub did not answer")
    until(lambda: not (models.started and models.started.runs))
    view = view_of(models, ENGLISH, allowed=True)
    assert "the hub did not answer" in view.html and view.press == "Get FP32 (940 MB)"
