"""What stands between the page and the engine: the fake keeps to the real engine's interface, progress reaches the bar."""

from __future__ import annotations

import inspect

import pytest

from engine.bundle import Bundle
from engine.pipeline import Engine
from tests.ui.fake_engine import FakeBundle, FakeEngine
from ui.text.texts import Texts
from ui.widgets.engine_progress import engine_progress


def public(cls: type) -> set[str]:
    return {name for name in dir(cls) if not name.startswith("_")}


@pytest.mark.parametrize("name", ["transcribe", "compare", "set_lightweight", "resources"])
def test_the_fake_takes_what_the_engine_takes(name: str) -> None:
    real = inspect.signature(getattr(Engine, name)).parameters
    fake = inspect.signature(getattr(FakeEngine, name)).parameters
    assert set(fake) <= set(real)
    for parameter in fake:
        assert fake[parameter].kind == real[parameter].kind, parameter
        assert fake[parameter].default == real[parameter].default, parameter


def test_the_fake_offers_nothing_that_the_engine_lacks() -> None:
    assert public(FakeEngine) - {"lightweight", "bundle"} <= public(Engine)
    assert {"lightweight", "precision", "precisions"} <= public(Engine)
    fields = {*Bundle.__dataclass_fields__, *public(Bundle)}
    assert {*FakeBundle.__dataclass_fields__, *public(FakeBundle)} <= fields


@pytest.mark.parametrize(
    ("fraction", "stage", "shown"),
    [(0.25, "vad", (0.25, "Finding speech")), (-1.0, "decode", (0.0, "Reading the recording")), (1.5, "polishing", (1.0, "Working"))],
)
def test_progress_reaches_the_bar_in_the_readers_words(fraction: float, stage: str, shown: tuple[float, str]) -> None:
    seen: list[tuple[float, str]] = []
    engine_progress(lambda value, desc: seen.append((value, desc)), Texts("en"))(fraction, stage)
    assert seen == [shown]
