"""tokens.txt ↔ text."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import BundleFileMissingError, BundleFormatError
from engine.speech.vocabulary import Vocabulary, join_pieces
from engine.tags import Emotion, Language


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        (["▁the", "▁ca", "t"], "the cat"),
        (["▁The", ".", "▁end"], "The. end"),
        (["你", "好", "▁世", "界"], "你好世界"),
        (["▁hello", "▁你", "好", "▁ok"], "hello 你好 ok"),
        (["▁안녕", "▁하세요"], "안녕 하세요"),
        (["<0xE4>", "<0xBD>", "<0xA0>", "▁b"], "你 b"),
        (["<0xE4>", "x"], "�x"),
        (["▁", "▁a"], "a"),
        (["s", "s"], "ss"),
        ([], ""),
    ],
)
def test_pieces_join_to_text(pieces: list[str], text: str) -> None:
    assert join_pieces(pieces) == text


def write(path: Path, *pieces: str) -> Path:
    path.write_text("".join(f"{piece} {index}\n" for index, piece in enumerate(pieces)), encoding="utf-8")
    return path


def test_tags_and_controls_never_reach_the_text(tmp_path: Path) -> None:
    pieces = ("<unk>", "<s>", "</s>", "▁a", "<|en|>", "<|HAPPY|>", "<|/s|>", "<0x41>")
    vocabulary = Vocabulary.load(write(tmp_path / "tokens.txt", *pieces))
    assert vocabulary.text(range(len(pieces))) == "aA"
    assert vocabulary.tag(4) is Language.EN
    assert vocabulary.tag(5) is Emotion.HAPPY
    assert vocabulary.tag(3) is None
    assert len(vocabulary) == 8


def test_a_piece_may_hold_a_space(tmp_path: Path) -> None:
    assert Vocabulary.load(write(tmp_path / "tokens.txt", "<blank>", "a b")).piece(1) == "a b"


@pytest.mark.parametrize("content", ["", "<blank> 0\n", "<blank> 0\na 2\n", "<blank> 0\nb\n", "<blank> 0\nb one\n"])
def test_an_ill_formed_table_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "tokens.txt").write_text(content, encoding="utf-8")
    with pytest.raises(BundleFormatError, match=r"tokens\.txt"):
        Vocabulary.load(tmp_path / "tokens.txt")


def test_a_missing_or_binary_table_is_named(tmp_path: Path) -> None:
    with pytest.raises(BundleFileMissingError):
        Vocabulary.load(tmp_path / "tokens.txt")
    (tmp_path / "tokens.txt").write_bytes(b"\xff\xfe")
    with pytest.raises(BundleFormatError):
        Vocabulary.load(tmp_path / "tokens.txt")
