"""Words of a segment: grouped from tokens, found again in the text, and timed whatever was rewritten."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.speech.itn.itn import apply_itn
from engine.speech.vocabulary import join_pieces
from engine.speech.words import TimedStretch, placed_words, timed_words, words
from engine.transcript import Segment
from tests import transcripts
from tests.transcripts import tokens_of


def segment(text: str, *pieces: tuple[str, int, int, float]) -> Segment:
    return transcripts.segment(0, 4_000, text, tokens_of(*pieces))


HELLO = (("▁hel", 100, 200, 0.9), ("lo", 200, 400, 0.4), ("▁world", 500, 900, 0.8))


def test_a_word_is_as_sure_as_its_least_certain_token() -> None:
    found = [(word.text, word.start_ms, word.end_ms, word.confidence) for word in words(segment("hello world", *HELLO))]
    assert found == [("hello", 100, 400, 0.4), ("world", 500, 900, 0.8)]


def test_each_chinese_character_is_a_word() -> None:
    assert [word.text for word in words(segment("你好吗", ("▁你", 0, 100, 1.0), ("好", 100, 200, 1.0), ("吗", 200, 300, 1.0)))] == [
        *"你好吗"
    ]


def test_a_character_in_bytes_is_one_word() -> None:
    pieces = [("▁", 0, 10, 0.9), ("<0xE4>", 10, 20, 0.5), ("<0xBD>", 20, 30, 0.9), ("<0xA0>", 30, 40, 0.9)]
    assert [(word.text, word.confidence) for word in words(segment("你", *pieces))] == [("你", 0.5)]


def test_a_segment_without_tokens_has_no_words() -> None:
    assert list(words(segment("hello"))) == []


@pytest.mark.parametrize("text", ["hello world", "Hello, world.", " hello  world ", "something else", "", "hello, hello world 25"])
def test_the_stretches_joined_are_the_text(text: str) -> None:
    assert "".join(stretch for stretch, _ in placed_words(segment(text, *HELLO))) == text


def test_a_rewritten_number_is_as_sure_as_the_least_sure_of_its_words_and_the_next_keeps_its_own() -> None:
    tokens = [("▁at", 0, 100, 0.9), ("▁twenty", 200, 300, 0.3), ("▁five", 300, 400, 0.2), ("▁past", 500, 600, 0.7)]
    placed = [(stretch, word and word.confidence) for stretch, word in placed_words(segment("at 25 past", *tokens))]
    assert placed == [("at", 0.9), (" ", None), ("25", 0.2), (" ", None), ("past", 0.7)]


def test_a_word_far_away_is_not_taken_for_the_one_that_was_spoken() -> None:
    placed = list(placed_words(segment("nothing of the kind was said, hello", *HELLO)))
    assert placed == [("nothing of the kind was said, hello", None)]


def test_what_no_token_says_is_timed_between_its_neighbours() -> None:
    tokens = [("▁at", 0, 1000, 0.9), ("▁twenty", 1000, 1500, 0.3), ("▁five", 1500, 2000, 0.2), ("▁past", 2000, 3000, 0.7)]
    assert timed_words(segment("at 25 past one", *tokens)) == [
        TimedStretch(0, 2, 0, 1000),
        TimedStretch(3, 5, 1000, 2000),
        TimedStretch(6, 10, 2000, 3000),
        TimedStretch(11, 14, 3000, 4000),
    ]


def test_a_full_stop_stays_with_its_word() -> None:
    stretches = timed_words(segment("hello. world!", *HELLO))
    assert [(stretch.first, stretch.last) for stretch in stretches] == [(0, 6), (7, 13)]


def test_words_without_tokens_share_the_segment_by_their_length() -> None:
    assert timed_words(segment("ab cdef 你好")) == [
        TimedStretch(0, 2, 0, 1000),
        TimedStretch(3, 7, 1000, 3000),
        TimedStretch(8, 9, 3000, 3500),
        TimedStretch(9, 10, 3500, 4000),
    ]


def spoken(text: str, *pieces: str) -> Segment:
    """A segment of pieces that last 100 ms each, one after the other, certain by 0.9, 0.8, … in turn."""
    return segment(text, *((piece, 100 * at, 100 * at + 100, round(0.9 - at % 8 / 10, 1)) for at, piece in enumerate(pieces)))


@pytest.mark.parametrize(
    ("pieces", "timed"),
    [
        # A number of several words is as long as they are, and "and" in it is not looked for further on.
        ("▁one ▁hundred ▁and ▁fif ty ▁and ▁twenty ▁apples", [("150", 0, 500), ("and", 500, 600), ("20", 600, 700), ("apples", 700, 800)]),
        ("▁a ▁hundred ▁and ▁five ▁apples", [("105", 0, 400), ("apples", 400, 500)]),
        # A long number does not lose the words after it.
        ("▁call" + " ▁five" * 10 + " ▁now ▁go", [("call", 0, 100), ("5" * 10, 100, 1100), ("now", 1100, 1200), ("go", 1200, 1300)]),
        ("▁twenty-five-year -old ▁man", [("25-year-old", 0, 200), ("man", 200, 300)]),
        ("▁thirty ▁percent ▁more", [("30%", 0, 200), ("more", 200, 300)]),
        ("▁december ▁twenty ▁five ▁twenty ▁twenty ▁six", [("december", 0, 100), ("25 2026", 100, 600)]),
        ("▁下 午 三 点 二 十 分 见", [("下", 0, 100), ("午", 100, 200), ("3点20", 200, 600), ("分", 600, 700), ("见", 700, 800)]),
        ("▁百 分 之 三 十 到 五 十 的 人", [("30%到50%", 0, 800), ("的", 800, 900), ("人", 900, 1000)]),
        ("▁几 十 个", [("几", 0, 100), ("十", 100, 200), ("个", 200, 300)]),
        ("▁iphone 十 五", [("iphone", 0, 100), ("15", 100, 300)]),
    ],
)  # fmt: skip
def test_a_number_is_as_long_as_its_words(pieces: str, timed: list[tuple[str, int, int]]) -> None:
    text = apply_itn(join_pieces(pieces.split()))
    one = spoken(text, *pieces.split())
    assert [(text[word.first : word.last], word.start_ms, word.end_ms) for word in timed_words(one)] == timed
    assert "".join(stretch for stretch, _ in placed_words(one)) == text
    confidences = {stretch: word.confidence for stretch, word in placed_words(one) if word}
    for stretch, start_ms, end_ms in timed:
        assert confidences[stretch] == min(token.confidence for token in one.tokens if start_ms <= token.start_ms < end_ms)


@given(
    st.lists(
        st.sampled_from(["▁one", "▁hundred", "▁and", "▁twen", "ty", "▁five", "▁apples", "三", "十", "点", "个", "▁百", "分", "之"]),
        max_size=12,
    )
)
def test_every_spoken_word_is_placed_whatever_became_a_number(pieces: list[str]) -> None:
    text = apply_itn(join_pieces(pieces))
    one = spoken(text, *pieces)
    placed = list(placed_words(one))
    assert "".join(stretch for stretch, _ in placed) == text
    assert all((word is None) == (not stretch.strip()) for stretch, word in placed)
    found = [word for _, word in placed if word]
    assert [word.start_ms for word in found] == sorted(word.start_ms for word in found)
    assert not found or (found[0].start_ms == 0 and found[-1].end_ms == one.tokens[-1].end_ms)
