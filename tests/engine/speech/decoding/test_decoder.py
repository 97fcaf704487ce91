"""Hotwords through the whole decoding: names that come out right, and what is left alone."""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable
from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.speech.decoding.decoder import BeamDecoder, Decoded
from engine.speech.decoding.hotwords import Hotword
from engine.speech.decoding.top_tokens import TopTokens
from engine.speech.vocabulary import Vocabulary
from tests.engine.speech.decoding.likely_frames import likely_frames

PIECES = (
    "<blank>",
    "张",
    "章",
    "三",
    "叁",
    "山",
    "我",
    "叫",
    "▁jon",
    "▁john",
    "son",
    "▁s",
    "on",
    "▁hi",
    "重",
    "崇",
    "庆",
    "▁3",
    "楼",
    "号",
    "<|en|>",
)
VOCABULARY = Vocabulary(PIECES)


frames_with = partial(likely_frames, PIECES)


ZHANG_SAN = ({"我": 0.9}, {"叫": 0.9}, {"章": 0.7, "张": 0.25}, {"山": 0.6, "三": 0.3, "叁": 0.05})


def text_of(decoder: BeamDecoder, top: TopTokens) -> str:
    return VOCABULARY.text(emission.token_id for emission in decoder.decode(top).emissions)


def test_a_name_comes_out_right_with_the_hotword() -> None:
    assert text_of(BeamDecoder(VOCABULARY), frames_with(*ZHANG_SAN)) == "我叫章山"
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("张三")]), frames_with(*ZHANG_SAN)) == "我叫张三"


def test_a_clear_reading_is_not_overruled_by_any_weight() -> None:
    clear = frames_with({"我": 0.99}, {"叫": 0.99}, {"章": 0.9999, "张": 1e-5}, {"山": 0.9999, "三": 1e-5})
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("张三")]), clear) == "我叫章山"
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("张三", 10.0)]), clear) == "我叫章山"


def test_half_a_name_earns_nothing() -> None:
    """张 alone would be less likely than 章: its bonus is taken back when 三 does not come."""
    top = frames_with({"章": 0.7, "张": 0.25}, {"楼": 0.99})
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("张三", 3.0)]), top) == "章楼"


@pytest.mark.parametrize("phrase", ["Johnson", "JOHNSON", "ｊｏｈｎｓｏｎ"])
def test_every_segmentation_of_an_english_name_matches(phrase: str) -> None:
    top = frames_with({"▁hi": 0.9}, {"▁jon": 0.6, "▁john": 0.3}, {"son": 0.9})
    assert text_of(BeamDecoder(VOCABULARY), top) == "hi jonson"
    assert text_of(BeamDecoder(VOCABULARY, [Hotword(phrase)]), top) == "hi johnson"


def test_a_number_matches_in_words_and_in_digits() -> None:
    decoder = BeamDecoder(VOCABULARY, [Hotword("3号楼")])
    assert text_of(decoder, frames_with({"山": 0.6, "三": 0.3}, {"号": 0.9}, {"楼": 0.9})) == "三号楼"
    assert text_of(decoder, frames_with({"山": 0.6, "▁3": 0.3}, {"号": 0.9}, {"楼": 0.9})) == "3号楼"


def test_tokens_keep_times_and_confidences() -> None:
    found = BeamDecoder(VOCABULARY, [Hotword("张三")]).decode(frames_with(*ZHANG_SAN)).emissions
    assert [emission.start_frame for emission in found] == [0, 2, 4, 6]
    assert [emission.end_frame for emission in found] == [1, 3, 5, 7]
    assert [emission.confidence for emission in found] == pytest.approx([0.9 / 0.9, 1.0, 0.25 / 0.95, 0.3 / 0.95], abs=1e-3)


def test_what_cannot_be_written_is_named_and_the_rest_works() -> None:
    decoder = BeamDecoder(VOCABULARY, [Hotword("王五"), Hotword("张三"), Hotword("…")])
    assert decoder.unwritable == ("王五", "…")
    assert text_of(decoder, frames_with(*ZHANG_SAN)) == "我叫张三"


def test_alternatives_with_their_probabilities() -> None:
    found = BeamDecoder(VOCABULARY, n_best=4).decode(frames_with(*ZHANG_SAN)).alternatives
    assert [one.text for one in found][:2] == ["我叫章山", "我叫章三"]
    shares = [one.probability for one in found]
    assert shares == sorted(shares, reverse=True) and 0.4 < shares[0] < 0.6 and sum(shares) <= 1 + 1e-9
    (only,) = BeamDecoder(VOCABULARY).decode(frames_with(*ZHANG_SAN)).alternatives
    assert only.text == "我叫章山"


def test_readings_of_one_text_are_one_alternative() -> None:
    top = frames_with({"▁jon": 0.9}, {"son": 0.5, "▁s": 0.4}, {"on": 0.9})
    texts = [one.text for one in BeamDecoder(VOCABULARY, n_best=6).decode(top).alternatives]
    assert len(texts) == len(set(texts))


def test_no_frames() -> None:
    decoded = BeamDecoder(VOCABULARY, [Hotword("张三")], n_best=3).decode(TopTokens(np.zeros((0, 4), int), np.zeros((0, 4))))
    assert decoded.emissions == () and [one.text for one in decoded.alternatives] == [""]


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30), st.integers(0, 2**32 - 1))
def test_a_beam_of_one_without_hotwords_is_greedy(frames: int, seed: int) -> None:
    logits = np.random.default_rng(seed).permutation(np.linspace(-6, 6, frames * len(PIECES))).reshape(frames, len(PIECES))
    top = TopTokens.of_logits(logits)
    assert list(BeamDecoder(VOCABULARY, beam=1).decode(top).emissions) == top.greedy()


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 20), st.integers(0, 2**32 - 1), st.lists(st.sampled_from(["张三", "johnson", "hi", "三号楼", "重庆"]), max_size=4))
def test_with_hotwords_the_best_reading_is_still_one_that_the_frames_can_say(frames: int, seed: int, phrases: list[str]) -> None:
    top = TopTokens.of_logits(np.random.default_rng(seed).normal(0, 2, (frames, len(PIECES))))
    found = BeamDecoder(VOCABULARY, [Hotword(phrase) for phrase in phrases], n_best=5).decode(top)
    assert all(left.end_frame <= right.start_frame for left, right in itertools.pairwise(found.emissions))
    assert all(0 <= one.start_frame < one.end_frame <= frames for one in found.emissions)
    assert found.alternatives[0].text == VOCABULARY.text(emission.token_id for emission in found.emissions)


# ---- homophones ------------------------------------------------------------------------------------------------------

HOMOPHONES = ({"我": 0.9}, {"叫": 0.9}, {"章": 0.6, "张": 0.01}, {"叁": 0.5, "山": 0.49})


def test_homophones_become_the_name_where_that_is_asked_for() -> None:
    pytest.importorskip("pypinyin")
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("张三")]), frames_with(*HOMOPHONES)) == "我叫章叁"
    decoded = BeamDecoder(VOCABULARY, [Hotword("张三")], homophones=True).decode(frames_with(*HOMOPHONES))
    assert VOCABULARY.text(emission.token_id for emission in decoded.emissions) == "我叫张三"
    assert [emission.start_frame for emission in decoded.emissions] == [0, 2, 4, 6]
    assert decoded.alternatives[0].text == "我叫张三"


def test_another_sound_is_left_alone() -> None:
    pytest.importorskip("pypinyin")
    decoder = BeamDecoder(VOCABULARY, [Hotword("张三")], homophones=True)
    assert text_of(decoder, frames_with({"章": 0.9}, {"号": 0.9})) == "章号"


def test_a_phrase_is_found_as_its_words_are_read() -> None:
    """重 alone is read zhong; 重庆 is chong qing."""
    pytest.importorskip("pypinyin")
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("重庆")], homophones=True), frames_with({"崇": 0.9}, {"庆": 0.9})) == "重庆"


def test_one_character_has_too_many_homophones() -> None:
    pytest.importorskip("pypinyin")
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("三")], homophones=True), frames_with({"叁": 0.9})) == "叁"


class _PaysForUnits:
    """What a language model with a bonus for units does at its worst: it pays for each, whatever it is."""

    most = 3.0

    def start(self) -> Hashable:
        return 0

    def step(self, state: Hashable, _: int) -> tuple[Hashable, float]:
        return state, self.most

    def finish(self, _: Hashable) -> float:
        return 0.0


def test_a_language_model_finds_no_words_in_a_noise() -> None:
    """The best token is hardly likelier than the blank, and the next to it is paid for as well."""
    noise = frames_with({"<blank>": 0.4, "▁hi": 0.5}, {"<blank>": 0.8, "son": 0.1})
    with_model = BeamDecoder(VOCABULARY, scorers=[_PaysForUnits()])
    assert text_of(BeamDecoder(VOCABULARY), noise) == "hi"
    assert with_model.decode(noise) == Decoded((), ())
    clear = frames_with({"<blank>": 1e-4, "▁hi": 0.999}, {"<blank>": 0.8, "son": 0.1})
    assert text_of(with_model, clear) == "hison"


def test_a_hotword_is_asked_for_and_needs_no_such_odds() -> None:
    faint = frames_with({"<blank>": 0.5, "▁john": 0.45}, {"<blank>": 0.5, "son": 0.45})
    assert text_of(BeamDecoder(VOCABULARY, [Hotword("johnson")], scorers=[_PaysForUnits()]), faint) == "johnson"


def test_silence_is_as_likely_as_its_blanks() -> None:
    top = frames_with({"<blank>": 0.25, "▁hi": 0.75})
    assert math.exp(top.silence_log_prob()) == pytest.approx(0.25, rel=0.01)
    few = TopTokens(top.ids[:, :1], top.log_probs[:, :1])  # the blank is not among the best of the first frame
    assert math.exp(few.silence_log_prob()) == pytest.approx(0.75, rel=0.01)
    assert TopTokens.of_logits(np.zeros((0, len(PIECES)))).silence_log_prob() == 0.0
