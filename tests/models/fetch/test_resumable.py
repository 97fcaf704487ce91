"""A file in pieces: whole under its final name or not there at all, whatever the connection does."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from models.fetch.resumable import PAUSES_S, bring

CONTENT = bytes(range(256)) * 40


class Line:
    """A server: cuts after ``cuts`` bytes, one number a connection, and notes where each connection was asked to start."""

    def __init__(self, *cuts: int, honours_range: bool = True) -> None:
        self.cuts, self.honours_range, self.asked = list(cuts), honours_range, []

    @contextmanager
    def __call__(self, offset: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        self.asked.append(offset)
        start = offset if self.honours_range else 0
        yield start, self._pieces(start, self.cuts.pop(0) if self.cuts else None)

    def _pieces(self, start: int, cut: int | None) -> Iterator[bytes]:
        end = len(CONTENT) if cut is None else start + cut
        for place in range(start, end, 100):
            yield CONTENT[place : min(place + 100, end)]
        if cut is not None:
            raise ConnectionResetError


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    slept: list[float] = []
    monkeypatch.setattr("models.fetch.resumable.time.sleep", slept.append)
    return slept


def fetch(line: Line, folder: Path, *, version: str = "v1") -> list[int]:
    came: list[int] = []
    bring(line, folder / "model.pt", size_bytes=len(CONTENT), version=version, on_bytes=came.append, lost=(ConnectionError,))
    return came


def test_an_unbroken_line_brings_every_byte_once(tmp_path):
    line = Line()
    assert sum(fetch(line, tmp_path)) == len(CONTENT)
    assert [path.name for path in tmp_path.iterdir()] == ["model.pt"]
    assert (tmp_path / "model.pt").read_bytes() == CONTENT and line.asked == [0]


def test_a_cut_line_is_asked_for_the_rest_alone(tmp_path):
    line = Line(3000, 2000)
    fetch(line, tmp_path)
    assert line.asked == [0, 3000, 5000] and (tmp_path / "model.pt").read_bytes() == CONTENT


def test_a_line_that_gives_nothing_is_given_up_after_six_times_and_keeps_what_came(tmp_path, pauses):
    line = Line(3000, *[0] * 6)
    with pytest.raises(ConnectionResetError):
        fetch(line, tmp_path)
    assert line.asked == [0, *[3000] * 6] and pauses == [PAUSES_S[0], *PAUSES_S]
    assert [(path.name, path.stat().st_size) for path in tmp_path.iterdir()] == [("model.pt.v1.partial", 3000)]


def test_what_an_earlier_run_left_is_used(tmp_path):
    (tmp_path / "model.pt.v1.partial").write_bytes(CONTENT[:7000])
    line = Line()
    assert fetch(line, tmp_path)[0] == 7000
    assert line.asked == [7000] and (tmp_path / "model.pt").read_bytes() == CONTENT


def test_the_pieces_of_another_version_are_not_mixed_in(tmp_path):
    (tmp_path / "model.pt.v0.partial").write_bytes(b"x" * 7000)
    line = Line()
    fetch(line, tmp_path)
    assert line.asked == [0] and (tmp_path / "model.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("left", [7000, len(CONTENT) + 1])
def test_a_server_that_starts_at_zero_overwrites_what_was_there(tmp_path, left):
    (tmp_path / "model.pt.v1.partial").write_bytes(b"x" * left)
    fetch(Line(honours_range=False), tmp_path)
    assert (tmp_path / "model.pt").read_bytes() == CONTENT


def test_what_is_no_lost_connection_is_raised_at_once_and_nothing_has_the_final_name(tmp_path):
    @contextmanager
    def full(offset: int) -> Iterator[tuple[int, Iterator[bytes]]]:
        raise OSError(28, "No space left on device")
        yield 0, iter(())

    with pytest.raises(OSError, match="No space left"):
        fetch(full, tmp_path)
    assert not (tmp_path / "model.pt").exists()


def test_an_empty_file_needs_no_line(tmp_path):
    line = Line()
    bring(line, tmp_path / "empty", size_bytes=0, version="v1", on_bytes=lambda _: None, lost=(ConnectionError,))
    assert (tmp_path / "empty").read_bytes() == b"" and line.asked == []
