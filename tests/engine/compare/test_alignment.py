"""The text diff: minimal, complete, and right for spaced and unspaced scripts."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compare import alignment
from engine.compare.alignment import diff_texts, edit_steps, split_units


def naive_distance(left: list[str], right: list[str]) -> int:
    @functools.cache
    def cost(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + (left[i - 1] != right[j - 1]))

    return cost(len(left), len(right))


units = st.lists(st.sampled_from(["a", "b", "c"]), max_size=12)


def check(left: list[str], right: list[str]) -> None:
    steps = edit_steps(left, right)
    assert [i for i, _ in steps if i >= 0] == list(range(len(left)))
    assert [j for _, j in steps if j >= 0] == list(range(len(right)))
    edits = sum(i < 0 or j < 0 or left[i] != right[j] for i, j in steps)
    assert edits == naive_distance(left, right)


@settings(max_examples=200, deadline=None)
@given(units, units)
def test_the_alignment_is_complete_and_minimal(left: list[str], right: list[str]) -> None:
    check(left, right)


@settings(max_examples=100, deadline=None)
@given(units, units, st.sampled_from([4, 20, 60]))
def test_dividing_long_texts_stays_minimal(left: list[str], right: list[str], cells: int) -> None:
    before = alignment.MAX_CELLS
    alignment.MAX_CELLS = cells
    try:
        check(left, right)
    finally:
        alignment.MAX_CELLS = before


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("one two", ["one", "two"]),
        ("开放 时间", ["开", "放", "时", "间"]),
        ("hi你好ok", ["hi", "你", "好", "ok"]),
        ("안녕 하세요", ["안녕", "하세요"]),
        ("", []),
    ],
)
def test_units(text: str, expected: list[str]) -> None:
    assert split_units(text) == expected


@pytest.mark.parametrize(("left", "unit"), [("one two", "word"), ("你好", "character"), ("ok 你好", "mixed"), ("", "word")])
def test_the_unit_is_named(left: str, unit: str) -> None:
    assert diff_texts(left, "").unit == unit


def test_neighbours_of_one_kind_are_joined() -> None:
    diff = diff_texts("one two three four", "one too tree four five")
    assert [(part.op, part.left, part.right) for part in diff.parts] == [
        ("equal", "one", "one"),
        ("replace", "two three", "too tree"),
        ("equal", "four", "four"),
        ("insert", "", "five"),
    ]
    assert (diff.edits, diff.distance, diff.equal) == (3, pytest.approx(0.6), False)


def test_equal_and_empty_texts() -> None:
    assert diff_texts("你好", "你好").equal
    assert diff_texts("", "").distance == 0.0
    assert diff_texts("a", "").distance == 1.0
