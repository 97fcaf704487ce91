"""Where a line may end: between words, never before a closing mark nor after an opening one, nor within what is drawn as one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.subtitles.columns import columns, is_east_asian
from engine.subtitles.unbroken import unbroken
from tests.transcripts import texts


def pieces(text: str, widest: int = 42) -> list[str]:
    return [text[first:last] for first, last in unbroken(text, widest=widest, east_asian=is_east_asian(text))]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("  two   words ", ["two", "words"]),
        ("it's 3.5 % of U.S. trade", ["it's", "3.5", "%", "of", "U.S.", "trade"]),
        ("他说：“你好！”然后走了。", ["他", "说：", "“你好！”", "然后", "走", "了。"]),
        ("（笑）我们用Python写。", ["（笑）", "我们", "用", "Python", "写。"]),
        ("在2024年12月25日，3万人", ["在", "2024年", "12月", "25日，", "3万", "人"]),
        ('他说"你好"。', ["他", '说"你好"。']),
        ("中華民國總統會見了外國代表。", ["中華民國", "總統", "會見", "了", "外國", "代表。"]),
        ("人工智能正在改变世界。", ["人工智能", "正在", "改变", "世界。"]),
        ("パンを買う。", ["パンを", "買う。"]),
        ("조금만 생각을", ["조금만", "생각을"]),
        ("วันนี้อากาศดี", ["วัน", "นี้", "อากาศ", "ดี"]),
        ("你好,世界", ["你好,", "世界"]),
    ],
)
def test_pieces(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


def test_a_long_piece_is_cut_at_a_seam_or_where_the_line_is_full_and_never_within_a_character() -> None:
    assert pieces("a-rather-long-compound-word", widest=12) == ["a-rather-", "long-compoun", "d-word"]
    assert pieces("x" * 25, widest=10) == ["x" * 10, "x" * 10, "x" * 5]
    assert pieces("e\u0301" * 6, widest=5) == ["e\u0301" * 2] * 3
    assert all(not piece.startswith("\u200d") and not piece.endswith("\u200d") for piece in pieces("👩\u200d👩\u200d👧" * 5, widest=10))


@settings(deadline=None)
@given(texts(), st.integers(5, 60))
def test_pieces_fit_and_hold_the_whole_text(text: str, widest: int) -> None:
    found = unbroken(text, widest=widest, east_asian=is_east_asian(text))
    assert "".join(text[first:last] for first, last in found) == "".join(text.split())
    assert [place for span in found for place in span] == sorted(place for span in found for place in span)
    assert all(columns(text[first:last], east_asian=is_east_asian(text)) <= widest for first, last in found)


@pytest.mark.parametrize(
    ("text", "east_asian", "width"),
    [
        ("plain", False, 5),
        ("汉字", False, 4),
        ("ｶﾅ", False, 2),
        ("한글", False, 4),
        ("“a”", False, 3),
        ("“汉”", True, 6),
        ("é", True, 1),
        ("！", False, 2),
    ],
)
def test_columns(text: str, east_asian: bool, width: int) -> None:
    assert columns(text, east_asian=east_asian) == width
