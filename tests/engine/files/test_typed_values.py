"""Plain values become checked ones; what does not fit is named with its place and its value."""

from __future__ import annotations

import ast
import subprocess
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest

from engine.files.typed_values import typed

ROOT = Path(__file__).resolve().parents[3]


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


#: Threads that meet classes never seen before, at once: with ``msgspec.convert`` itself each run ends with a segmentation fault.
AT_ONCE = """
import dataclasses, sys, threading
from engine.files.typed_values import converted

sys.setswitchinterval(1e-6)
for _ in range(100):
    inner = dataclasses.make_dataclass("Inner", [(f"f{number}", int | None, None) for number in range(20)])
    outer = dataclasses.make_dataclass("Outer", [(f"g{number}", list[inner] | None, None) for number in range(20)])
    barrier, found = threading.Barrier(4), []

    def convert():
        barrier.wait()
        found.append(converted({"g3": [{"f1": 1}]}, outer).g3[0].f1)

    threads = [threading.Thread(target=convert) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [1] * 4
"""


def test_threads_that_meet_a_class_at_once_all_get_their_value() -> None:
    done = subprocess.run([sys.executable, "-c", AT_ONCE], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")


def test_nothing_else_in_the_product_calls_what_threads_may_not() -> None:
    found = [
        str(path.relative_to(ROOT))
        for folder in ("engine", "models", "ui", "benchmarks")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "msgspec.convert"
    ]
    assert found == ["engine/files/typed_values.py"]
