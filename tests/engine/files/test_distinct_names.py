"""Names that every disk keeps apart."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.files.distinct_names import DistinctNames


@pytest.mark.parametrize(
    ("names", "given_out"),
    [
        (["A", "a"], ["A", "a-2"]),
        (["talk", "Talk", "TALK"], ["talk", "Talk-2", "TALK-3"]),
        (["a", "a-2", "a"], ["a", "a-2", "a-3"]),
        (["a-2", "a", "A"], ["a-2", "a", "A-3"]),
        (["straße", "STRASSE"], ["straße", "STRASSE-2"]),
        (["caf\u00e9", "cafe\u0301"], ["caf\u00e9", "cafe\u0301-2"]),
        (["录音", "录音 2"], ["录音", "录音 2"]),
    ],
)
def test_what_a_disk_takes_for_one_name_is_numbered(names: list[str], given_out: list[str]) -> None:
    distinct = DistinctNames()
    assert [distinct.take(name) for name in names] == given_out


@given(st.lists(st.text(alphabet="aAbß-2é\u0301", min_size=1, max_size=4), max_size=12))
def test_none_is_given_out_twice(names: list[str]) -> None:
    distinct = DistinctNames()
    given_out = [distinct.take(name) for name in names]
    assert all(one.startswith(name) for one, name in zip(given_out, names, strict=True))
    for form in ("NFC", "NFD"):
        assert len({unicodedata.normalize(form, one).casefold() for one in given_out}) == len(names)
