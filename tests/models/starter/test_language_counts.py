"""What the language model learns beside the training's texts: read from files of the packages' formats, made here."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import pytest

from models.starter.corpus import CorpusError
from models.starter.language_counts import PAIRS, PHRASES, english_words, gcide_lines, mandarin_pairs

FIRST, SECOND, THIRD = 0x01000001, 0x01000002, 0x02000003


def dump(rows: list[tuple[bytes, bytes]]) -> str:
    """What db_dump writes of a table."""
    lines = [f" {value.hex()}" for row in rows for value in row]
    return "\n".join(["VERSION=3", "format=bytevalue", "type=btree", "HEADER=END", *lines, "DATA=END", ""])


def numbers(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


@pytest.fixture
def libpinyin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with both tables, and a db_dump that prints a file as it is."""
    program = tmp_path / "bin" / "db_dump"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\ngrep -q "^VERSION" "$1" || { echo "$1: no table" >&2; exit 1; }\ncat "$1"\n', encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    phrases = [("今天", FIRST), ("天气", SECOND), ("很", THIRD)]
    (tmp_path / PHRASES).write_text(dump([(text.encode("utf-32-le"), numbers(number)) for text, number in phrases]), encoding="utf-8")
    pairs = [(numbers(FIRST), numbers(104, SECOND, 100, THIRD, 4)), (numbers(SECOND), numbers(20, THIRD, 20))]
    (tmp_path / PAIRS).write_text(dump(pairs), encoding="utf-8")
    return tmp_path


def test_pairs_of_words_with_their_counts(libpinyin: Path) -> None:
    assert list(mandarin_pairs(one_in=10, folder=libpinyin)) == [("今天天气", 10), ("天气很", 2)]
    assert ("今天很", 4) in list(mandarin_pairs(one_in=1, folder=libpinyin))


def test_a_table_that_cannot_be_read_is_named_and_so_is_a_missing_package(libpinyin: Path) -> None:
    (libpinyin / PAIRS).write_bytes(b"no table")
    with pytest.raises(CorpusError, match=r"bigram\.db cannot be read: .*no table"):
        list(mandarin_pairs(one_in=1, folder=libpinyin))
    with pytest.raises(CorpusError, match=r"phrase_index\.bin is not there; install Debian's package libpinyin-data"):
        list(mandarin_pairs(one_in=1, folder=libpinyin / "none"))


def test_without_db_dump_its_package_is_named(libpinyin: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(libpinyin / "none"))
    with pytest.raises(CorpusError, match="db-util"):
        list(mandarin_pairs(one_in=1, folder=libpinyin))


def test_words_and_pairs_of_words_with_their_counts(tmp_path: Path) -> None:
    path = tmp_path / "en_US.lm"
    path.write_text(
        "\\data\\\nngram 1=4\n\n\\1-grams:\n1 <s>\n900 The\n40 Don't\n4 rare\n70 <num>\n\n\\2-grams:\n210 of the\n", encoding="utf-8"
    )
    assert list(english_words(one_in=10, path=path)) == [("the", 90), ("don't", 4), ("of the", 21)]
    with pytest.raises(CorpusError, match="onboard-data"):
        list(english_words(one_in=10, path=tmp_path / "none"))


def test_lines_of_the_dictionary_without_its_marks(tmp_path: Path) -> None:
    text = "Cat \\Cat\\ (k[a^]t), n. [AS. cat.]\n   1. An animal of the {cat family};\n      it hunts mice. [1913 Webster]\n"
    (tmp_path / "gcide.dict.dz").write_bytes(gzip.compress(text.encode()))
    assert "An animal of the cat family;" in list(gcide_lines(tmp_path / "gcide.dict.dz"))
    assert "it hunts mice." in list(gcide_lines(tmp_path / "gcide.dict.dz"))
