"""Hotwords as people write them, and what is no list of hotwords."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import (
    HotwordControlCharacterError,
    HotwordsFileError,
    HotwordTooLongError,
    OptionRangeError,
    TooManyHotwordsError,
)
from engine.speech.decoding.hotwords import DEFAULT_WEIGHT, MOST_HOTWORDS, Hotword, parse_hotwords, read_hotwords


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("张三", Hotword("张三")),
        ("  张三\t3.0 ", Hotword("张三", 3.0)),
        ("张三 :3", Hotword("张三", 3.0)),
        ("张三：2.5", Hotword("张三", 2.5)),
        ("iPhone 15", Hotword("iPhone 15")),
        ("iPhone  15 :2", Hotword("iPhone 15", 2.0)),
        ("Windows 3.1", Hotword("Windows", 3.1)),
        ("Windows 3.1:2", Hotword("Windows 3.1", 2.0)),
        ("\ufeff张\u200b三", Hotword("张三")),
        ("3.5", Hotword("3.5")),
    ],
)
def test_a_line(line: str, expected: Hotword) -> None:
    assert parse_hotwords(line) == (expected,)


def test_lines_and_separators() -> None:
    assert [one.phrase for one in parse_hotwords("张三\r\n\r\n 李四、王五,赵六；孙七\rzhou")] == [
        "张三",
        "李四",
        "王五",
        "赵六",
        "孙七",
        "zhou",
    ]
    assert parse_hotwords("张三 1.0\n张三 2.0") == (Hotword("张三", 2.0),)


@pytest.mark.parametrize("text", ["", "\n \n", ",,、"])
def test_an_empty_list(text: str) -> None:
    assert parse_hotwords(text) == ()


@pytest.mark.parametrize("weight", ["0.0", "-1.0", "10.5", "1000000.0"])
def test_a_weight_out_of_range(weight: str) -> None:
    with pytest.raises(OptionRangeError, match=r"the weight of 张三 .* between 0\.1 and 10"):
        parse_hotwords(f"李四 2.0\n张三 {weight}")


def test_a_control_character_is_named_with_its_line() -> None:
    with pytest.raises(HotwordControlCharacterError, match=r"line 2 .* U\+0007"):
        parse_hotwords("李四\n张\a三")


def test_a_phrase_as_long_as_a_page() -> None:
    with pytest.raises(HotwordTooLongError, match="line 1 has 200 characters"):
        parse_hotwords("长" * 200)


def test_too_many() -> None:
    assert len(parse_hotwords("\n".join(f"name{index}" for index in range(MOST_HOTWORDS)))) == MOST_HOTWORDS
    with pytest.raises(TooManyHotwordsError, match=r"100000 hotwords .* 10000 "):
        parse_hotwords("\n".join(f"name{index}" for index in range(100_000)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gbk", "gb18030"])
def test_files_in_the_encodings_of_chinese_windows(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes("张三 3.0\r\n重庆火锅，朱镕基\r\niPhone 15".encode(encoding))
    assert read_hotwords(path) == (Hotword("张三", 3.0), Hotword("重庆火锅"), Hotword("朱镕基"), Hotword("iPhone 15"))
    assert read_hotwords(path)[1].weight == DEFAULT_WEIGHT


@pytest.mark.parametrize(
    "content", [b"\xff\xfe\x00", bytes(range(128, 256)), "naïve café".encode("latin-1"), b"\x89PNG\r\n\x1a\n\0\xff\xff"]
)
def test_a_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "names.txt"
    path.write_bytes(content)
    with pytest.raises(HotwordsFileError, match=r"names\.txt"):
        read_hotwords(path)


def test_a_file_that_is_not_there_is_a_folder_or_is_huge(tmp_path: Path) -> None:
    with pytest.raises(HotwordsFileError, match="No such file"):
        read_hotwords(tmp_path / "none.txt")
    with pytest.raises(HotwordsFileError, match="directory"):
        read_hotwords(tmp_path)
    path = tmp_path / "huge.txt"
    with path.open("wb") as handle:
        handle.truncate(5_000_000)
    with pytest.raises(HotwordsFileError, match="larger than 4 MB"):
        read_hotwords(path)
