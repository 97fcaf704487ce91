"""How speech is cut into subtitles: whole words, no orphans, at punctuation and pauses, as long as they take to read."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.subtitles.cues import Cue, cues
from engine.subtitles.options import MAX_CUE_MS, SubtitleOptions
from engine.transcript import Token
from tests.transcripts import segment, spoken, transcript

NEWS = "中华人民共和国国务院总理昨天在人民大会堂会见了来访的客人，双方就进一步加强两国之间的经贸合作关系进行了深入的交流。"
MIXED = "用Python写的程序在2024年12月25日已经发布了3.5版本，欢迎大家使用并提出宝贵意见！"
WORDS = ["it", "go", "cat", "time", "speak", "planet", "subtitle", "recording", "university", "development", "communication"]


def lines_of(found: list[Cue]) -> list[str]:
    return [line for cue in found for line in cue.lines]


def span(cue: Cue) -> tuple[int, int]:
    return cue.start_ms, cue.end_ms


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), min_size=2, max_size=80), st.integers(400, 600), st.randoms(use_true_random=False))
def test_ordinary_speech_leaves_no_word_alone(words: list[str], step_ms: int, chance: random.Random) -> None:
    said = [f"{word}{chance.choice(['', '', '', '', ',', '.'])}" for word in words]
    found = cues(transcript(spoken(said, step_ms=step_ms)))
    assert " ".join(" ".join(cue.lines) for cue in found).split() == said
    for cue in found:
        assert len(cue.text.split()) > 1
        assert all(len(line.split()) > 1 for line in cue.lines) or len(cue.text.split()) <= 3
        assert 800 <= cue.end_ms - cue.start_ms <= MAX_CUE_MS or cue is found[-1]


def test_a_segment_that_fits_is_one_cue_as_long_as_the_segment() -> None:
    found = cues(transcript(segment(320, 3_810, "hello there my friend"), segment(4_400, 9_000, "how are you doing today", ())))
    assert [(span(cue), cue.text) for cue in found] == [
        ((320, 3_810), "hello there my friend"),
        ((4_400, 9_000), "how are you doing today"),
    ]


def test_two_lines_are_about_equally_long_and_end_at_a_comma_or_between_phrases() -> None:
    [cue] = cues(transcript(segment(0, 6_000, "When it rains the streets are empty, and nobody buys umbrellas")))
    assert cue.lines == ("When it rains the streets are empty,", "and nobody buys umbrellas")
    [cue] = cues(transcript(segment(0, 6_000, "they walked along the river to see the old bridge of the city")))
    assert cue.lines[0].split()[-1] not in {"the", "to", "of"}


def test_sentences_are_kept_whole_where_they_can_be() -> None:
    text = "The first sentence is not very long at all. The second one is a little longer than the first. The third ends it all."
    assert [" ".join(cue.lines) for cue in cues(transcript(segment(0, 12_000, text)))] == [
        "The first sentence is not very long at all.",
        "The second one is a little longer than the first.",
        "The third ends it all.",
    ]


def test_chinese_is_cut_between_words() -> None:
    found = cues(transcript(segment(0, 16_000, NEWS)))
    assert "".join(lines_of(found)) == NEWS
    assert all(len(line) <= 21 for line in lines_of(found))
    words = "中华人民共和国 国务院 总理 昨天 人民大会堂 会见 来访 客人， 双方 进一步 加强 两国之间 经贸 合作 关系 交流。"
    for word in words.split():
        assert any(word in line for line in lines_of(found)), word
    assert not any(line.startswith(("，", "。", "了", "的")) for line in lines_of(found))


def test_chinese_and_english_together_keep_words_numbers_and_what_they_count() -> None:
    found = cues(transcript(segment(0, 10_000, MIXED)), SubtitleOptions(max_line_width=20))
    assert "".join(lines_of(found)) == MIXED
    for word in ("Python", "程序", "2024年", "12月", "25日", "发布", "3.5", "版本，", "意见！"):
        assert any(word in line for line in lines_of(found)), word


def test_japanese_is_cut_between_phrases_and_thai_between_words() -> None:
    japanese = "うちの中学は弁当制で持っていけない場合は五十円の学校販売のパンを買うことになっています"
    lines = lines_of(cues(transcript(segment(0, 9_000, japanese))))
    assert "".join(lines) == japanese
    assert all(any(phrase in line for line in lines) for phrase in ("中学は", "弁当制で", "持っていけない", "場合は", "五十円の", "パンを"))
    thai = "วันนี้อากาศดีมากเราไปเดินเล่นกันเถอะวันนี้อากาศดีมากเราไปเดินเล่นกันเถอะ"
    lines = lines_of(cues(transcript(segment(0, 6_000, thai))))
    assert "".join(lines) == thai
    assert len(lines) == 2
    assert lines[1].startswith(("วันนี้", "อากาศ", "เดิน", "เล่น", "เรา", "ไป", "กัน", "เถอะ", "ดี", "มาก"))


def test_korean_is_cut_at_its_spaces() -> None:
    text = "조금만 생각을 하면서 살면 훨씬 편할 거야 그래서 우리는 오늘 아침에 일찍 일어나서 운동을 했습니다"
    assert " ".join(lines_of(cues(transcript(segment(0, 9_000, text))))) == text


def test_a_word_longer_than_a_line_is_cut_at_its_seams() -> None:
    address = "https://example.com/a/very/long/address/that/does/not/fit?on=one&line=of-subtitles"
    lines = lines_of(cues(transcript(segment(0, 6_000, f"see {address} for more"))))
    assert "".join(lines).replace(" ", "") == f"see{address}formore"
    assert all(len(line) <= 42 for line in lines)
    assert any(line.endswith("/") for line in lines)
    lines = lines_of(cues(transcript(segment(0, 6_000, "e\u0301" * 60))))
    assert not any(line.startswith("\u0301") for line in lines)


def test_a_pause_is_a_better_place_to_end() -> None:
    late = [(index, index * 700 + (2_000 if index >= 5 else 0)) for index in range(9)]
    words = tuple(Token(text=f"▁wordnumber{index:02d}", start_ms=ms, end_ms=ms + 600, confidence=1.0) for index, ms in late)
    found = cues(transcript(segment(0, 8_600, " ".join(word.text[1:] for word in words), words)))
    assert found[0].text.endswith("wordnumber04")


def test_words_without_times_share_the_segment_by_their_length() -> None:
    found = cues(transcript(segment(0, 20_000, "word " * 40)))
    assert " ".join(lines_of(found)).split() == ["word"] * 40
    assert (found[0].start_ms, found[-1].end_ms) == (0, 20_000)
    for cue in found:
        assert cue.end_ms - cue.start_ms == pytest.approx(500 * len(cue.text.split()), abs=10)


def test_words_that_were_rewritten_stand_as_in_the_text() -> None:
    said = spoken([f"word{index}" for index in range(40)])
    rewritten = said.text.replace("word7 word8", "78,").replace("word20", "Word 20.")
    assert " ".join(lines_of(cues(transcript(replace(said, text=rewritten))))) == rewritten


def test_a_short_segment_stays_long_enough_to_be_read_but_not_after_the_end() -> None:
    yes = segment(1_000, 1_200, "yes")
    assert [span(cue) for cue in cues(transcript(yes, duration_s=10))] == [(1_000, 1_800)]
    assert [span(cue) for cue in cues(transcript(yes, duration_s=10), SubtitleOptions(min_cue_ms=1_500))] == [(1_000, 2_500)]
    assert [span(cue) for cue in cues(transcript(yes, duration_s=1.3))] == [(500, 1_300)]
    assert [span(cue) for cue in cues(transcript(segment(100, 300, "yes"), duration_s=0.4))] == [(0, 400)]


def test_fast_speech_stays_until_it_could_be_read_or_the_next_begins() -> None:
    fast = segment(0, 1_500, "this was said so fast that nobody could read it in the time")
    assert [span(cue) for cue in cues(transcript(fast, duration_s=10))] == [(0, 2_350)]
    after = segment(2_000, 6_000, "and this was said slowly")
    assert [span(cue) for cue in cues(transcript(fast, after))] == [(0, 2_000), (2_000, 6_000)]


def test_a_single_word_joins_the_segment_beside_it_unless_a_pause_parts_them() -> None:
    rest = "I was there as well"
    assert [cue.text for cue in cues(transcript(segment(0, 400, "yes"), segment(900, 3_000, rest)))] == [f"yes {rest}"]
    assert [cue.text for cue in cues(transcript(segment(0, 3_000, rest), segment(3_200, 3_500, "yes")))] == [f"{rest} yes"]
    assert [cue.text for cue in cues(transcript(segment(0, 400, "yes"), segment(2_000, 4_000, rest)))] == ["yes", rest]
    assert [cue.text for cue in cues(transcript(segment(0, 1_600, "wonderful"), segment(1_900, 4_000, rest)))] == ["wonderful", rest]
    two = transcript(segment(0, 2_400, "I was here"), segment(2_500, 4_000, rest))
    assert [cue.text for cue in cues(two)] == ["I was here", rest]


def test_speakers_are_never_joined_and_may_speak_at_the_same_time() -> None:
    left = segment(0, 3_000, "I was there as well", speaker="left")
    right = segment(2_500, 2_800, "yes", speaker="right")
    again = segment(3_100, 3_400, "right", speaker="left")
    found = cues(transcript(left, right, again, duration_s=5))
    assert [(cue.speaker, cue.text) for cue in found] == [("left", "I was there as well right"), ("right", "yes")]
    assert [span(cue) for cue in found] == [(0, 3_400), (2_500, 3_300)]
    apart = transcript(*(replace(one, speaker=None) for one in (left, again)), duration_s=5)
    assert [cue.speaker for cue in cues(apart)] == [None]


def test_narrow_lines_of_dense_speech_stay_near_their_words() -> None:
    said = spoken([f"word{index % 10}" for index in range(200)], step_ms=300)
    found = cues(transcript(said), SubtitleOptions(max_line_width=10, max_line_count=1))
    assert len(found) == 200 or len(found) == 100
    for index, cue in enumerate(found):
        assert abs(cue.start_ms - index * said.end_ms / len(found)) <= 1_300


@pytest.mark.parametrize("text", ["", "  ", "\n"])
def test_what_holds_no_words_has_no_cue(text: str) -> None:
    assert cues(transcript(segment(0, 500, text))) == []
    assert [cue.text for cue in cues(transcript(segment(0, 900, text), segment(900, 1_900, "some words")))] == ["some words"]
