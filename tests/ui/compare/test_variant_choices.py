"""What can be compared: the open bundle's variants, and those of the others for whoever may open them."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.bundle import Bundle
from engine.compare.compare import Variant
from engine.errors import UnknownBundleError
from tests.ui.fake_engine import FakeEngine
from ui.compare.variant_choices import VariantChoices


@pytest.fixture
def other(tiny_bundle: Path) -> Bundle:
    return Bundle.load(tiny_bundle)


def test_one_bundle_is_not_named() -> None:
    choices = VariantChoices(FakeEngine(), None)
    assert choices.offered(others=True) == [("FP32", "fp32@fake"), ("INT8", "int8@fake")]
    assert choices.defaults() == ("fp32@fake", "int8@fake")
    assert choices.find("int8@fake", others=False) == Variant("int8")


def test_other_bundles_come_after_the_open_one_by_name(other: Bundle) -> None:
    twice = replace(other, folder=other.folder / "elsewhere")
    choices = VariantChoices(FakeEngine(), lambda: [other, twice])
    assert choices.offered(others=True) == [
        ("fake · FP32", "fp32@fake"),
        ("fake · INT8", "int8@fake"),
        ("tiny · FP32", "fp32@tiny"),
        ("tiny · INT8", "int8@tiny"),
    ]
    found = choices.find("int8@tiny", others=True)
    assert found.bundle is not None
    assert found.bundle.folder == other.folder


def test_who_may_not_open_others_is_not_offered_them_and_cannot_name_them(other: Bundle) -> None:
    choices = VariantChoices(FakeEngine(), lambda: [other])
    assert len(choices.offered(others=False)) == 2
    with pytest.raises(UnknownBundleError, match="fake"):
        choices.find("int8@tiny", others=False)


def test_a_bundle_that_is_gone_is_an_error_that_names_the_rest() -> None:
    with pytest.raises(UnknownBundleError, match="'gone'"):
        VariantChoices(FakeEngine(), list).find("fp32@gone", others=True)


def test_a_bundle_of_one_variant_can_only_be_set_against_itself() -> None:
    engine = FakeEngine()
    engine.bundle = replace(engine.bundle, variants={"fp32": engine.bundle.variants["fp32"]})
    choices = VariantChoices(engine, None)
    assert choices.offered(others=True) == [("FP32", "fp32@fake")]
    assert choices.defaults() == ("fp32@fake", "fp32@fake")
