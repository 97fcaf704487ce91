"""Plain values become checked ones; what does not fit is named with its place and its value."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal

import msgspec
import pytest

from engine.files.typed_values import typed


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Part(msgspec.Struct):
    count: Annotated[int, msgspec.Meta(ge=1)]
    colours: tuple[Colour, ...] = ()


class Whole(msgspec.Struct, forbid_unknown_fields=True):
    parts: dict[str, Part] = {}
    sizes: list[int] = []
    colour: Colour | None = None
    format: Literal[1, 2] = 1

    def __post_init__(self) -> None:
        if len(self.sizes) > 2:
            raise ValueError("more than 2 sizes; leave some out")


def test_values_that_fit_become_the_type() -> None:
    assert typed({"parts": {"a": {"count": 2}}, "sizes": [1]}, Whole) == Whole(parts={"a": Part(count=2)}, sizes=[1])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"sizes": [1, "2"]}, ["'sizes.1' is '2'", "`int`"]),
        ({"sizes": [True]}, ["'sizes.0' is True", "`bool`"]),
        ({"parts": {"a": {"count": 1}, "b": {"count": 0}}}, ["'parts.b.count' is 0", ">= 1"]),
        ({"parts": {"a": {"count": 0}, "b": {"count": 0}}}, ["count' is 0"]),
        ({"parts": {"a": {"count": 1}, "b": "x"}}, ["'parts.b' is 'x'", "`object`"]),
        ({"parts": {"a": {}}}, ["'parts.a'", "`count`"]),
        ({"size": 1}, ["unknown field `size`"]),
        ({"sizes": [1, 2, 3]}, ["more than 2 sizes; leave some out"]),
        ({"colour": "green"}, ["'colour' is 'green': choose one of red, blue"]),
        ({"format": 3}, ["'format' is 3: choose one of 1, 2"]),
        ({"parts": {"a": {"count": 1, "colours": ["red", "green"]}}}, ["'parts.a.colours.1' is 'green': choose one of red, blue"]),
        ([], ["`object`", "`array`"]),
        ({"sizes": "x" * 1000}, ["'sizes' is 'xxx", "…"]),
        ({3: 1}, ["`str`"]),
    ],
)
def test_what_does_not_fit_is_named_with_its_place_and_value(values: Any, words: list[str]) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        typed(values, Whole)
    said = str(caught.value)
    assert all(word in said for word in words), said
    assert len(said) < 300


def test_the_values_are_left_as_they_were() -> None:
    values = {"parts": {"a": {"count": 1}, "b": {"count": 0}}}
    with pytest.raises(ValueError, match="count"):
        typed(values, Whole)
    assert values == {"parts": {"a": {"count": 1}, "b": {"count": 0}}}
