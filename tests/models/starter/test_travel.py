"""Recordings and weights in pieces: what is put together is what was taken apart, and a lost piece is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.starter.corpus import CorpusError
from models.starter.travel import INDEX, pack_file, pack_folders, unpack

RNG = np.random.default_rng(0)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in ("first", "second"):
        folder = tmp_path / "data" / name / "audio"
        folder.mkdir(parents=True)
        (folder.parent / "labels.tsv").write_text("path\ttext\n", encoding="utf-8")
        for number in range(5):
            (folder / f"{number}.ogg").write_bytes(RNG.bytes(7_000))
    return tmp_path / "data"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_folders_come_back_whole_and_no_piece_is_larger_than_asked(data: Path, tmp_path: Path) -> None:
    pieces = pack_folders(data, ["first", "second"], tmp_path / "pieces", piece_mb=0.03)
    assert len(pieces) > 2 and all(piece.stat().st_size <= 30_000 + 10_240 for piece in pieces)  # tar pads its end to 10 kB
    unpack(tmp_path / "pieces", tmp_path / "there")
    assert contents(tmp_path / "there") == contents(data)


def test_a_file_comes_back_whole(tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(RNG.bytes(50_001))
    assert len(pack_file(weights, tmp_path / "pieces", piece_mb=0.02)) == 3
    unpack(tmp_path / "pieces", tmp_path / "here")
    assert (tmp_path / "here" / "weights.pt").read_bytes() == weights.read_bytes()
    assert [path.name for path in (tmp_path / "here").iterdir()] == ["weights.pt"]


def test_a_piece_that_is_missing_or_damaged_is_named_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pieces"
    lost, damaged, *_ = pack_folders(data, ["first", "second"], folder, piece_mb=0.03)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-600] + b"x" * 600)
    with pytest.raises(CorpusError, match=rf"{damaged.name} is damaged"):
        unpack(folder, tmp_path / "there")
    damaged.write_bytes(content)
    lost.unlink()
    with pytest.raises(CorpusError, match=rf"{lost.name} of \d+ pieces has not come"):
        unpack(folder, tmp_path / "there")
    (folder / INDEX).unlink()
    with pytest.raises(CorpusError, match="travels with the first piece"):
        unpack(folder, tmp_path / "there")
    assert not (tmp_path / "there").exists()
    with pytest.raises(CorpusError, match="lacks third"):
        pack_folders(data, ["first", "third"], folder, piece_mb=1)
