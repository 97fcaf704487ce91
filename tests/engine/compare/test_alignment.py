"""The text diff: minimal, complete, and right for spaced and unspaced scripts."""

from __future__ import annotations

import functools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.compare.alignment import diff_texts, split_units


def naive_distance(left: list[str], right: list[str]) -> int:
    @functools.cache
    def cost(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return i + j
        return min(cost(i - 1, j) + 1, cost(i, j - 1) + 1, cost(i - 1, j - 1) + (left[i - 1] != right[j - 1]))

    return cost(len(left), len(right))


units = st.lists(st.sampled_from(["a", "b", "c"]), max_size=12)


@settings(max_examples=200, deadline=None)
@given(units, units)
def test_the_alignment_is_complete_and_minimal(left: list[str], right: list[str]) -> None:
    diff = diff_texts(" ".join(left), " ".join(right))
    assert [word for part in diff.parts for word in part.left.split()] == left
    assert [word for part in diff.parts for word in part.right.split()] == right
    assert all((part.op == "equal") == (part.left == part.right) for part in diff.parts)
    assert diff.edits == naive_distance(left, right)


def test_an_hour_against_an_hour_is_aligned_without_a_table_of_every_pair():
    left = [f"word{number % 997}" for number in range(20_000)]
    right = [word for number, word in enumerate(left) if number % 10]
    diff = diff_texts(" ".join(left), " ".join(right))
    assert (diff.edits, {part.op for part in diff.parts}) == (2_000, {"equal", "delete"})


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
