"""Bonuses of phrases: paid as they grow, taken back where they break off, kept where they are complete."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.speech.decoding.context_graph import ROOT, ContextGraph, Phrase
from engine.speech.decoding.spelling import symbols_of


def graph(**weights: float) -> ContextGraph:
    return ContextGraph(Phrase(symbols_of(phrase), weight) for phrase, weight in weights.items())


def test_a_phrase_is_paid_symbol_by_symbol() -> None:
    own = graph(人工智能=1.5)
    node, paid = ROOT, []
    for symbol in "人工智能":
        node, change = own.step(node, symbol)
        paid.append(change)
    assert paid == [1.5, 1.5, 1.5, 1.5]
    assert own.owed(node) == 0.0


def test_what_breaks_off_is_taken_back() -> None:
    own = graph(人工智能=1.0)
    assert own.bonus("人工智") == own.bonus("人工智商") == own.bonus("智能") == 0.0
    assert own.bonus("人人工智能能") == 4.0


def test_a_complete_phrase_stays_paid_when_a_longer_one_breaks_off() -> None:
    own = graph(人工=1.0, 人工智能=1.0)
    assert own.bonus("人工") == own.bonus("人工智商") == 2.0
    assert own.bonus("人工智能") == 4.0


def test_a_phrase_inside_another() -> None:
    own = graph(北京大学=1.0, 京大=1.0)
    assert own.bonus("北京大雨") == 2.0
    assert own.bonus("北京大学") == 4.0
    assert graph(北京大学=1.0, 京大=1.0, 京大医院=1.0).bonus("北京大医院") == 4.0


def test_phrases_that_overlap_are_both_paid() -> None:
    assert graph(人工=1.0, 工业=1.0).bonus("人工业") == 4.0


def test_weights_part_where_phrases_do() -> None:
    own = graph(张三丰=3.0, 张三封=1.0)
    assert own.bonus("张三丰") == 9.0 and own.bonus("张三封") == 3.0 and own.bonus("张三") == 0.0
    assert graph(张三=5.0, 张三丰=1.0).bonus("张三丰") == graph(张三=5.0, 张三丰=1.0).bonus("张三峰") == 10.0


def test_a_word_within_another_word_is_none() -> None:
    own = graph(art=3.0)
    assert own.bonus(symbols_of("art")) == own.bonus(symbols_of("modern art 张")) > 2.9
    assert own.bonus(symbols_of("party")) == own.bonus(symbols_of("start")) == own.bonus(symbols_of("artist")) == 0.0


def test_no_phrases() -> None:
    own = ContextGraph([])
    assert own.step(ROOT, "张") == (ROOT, 0.0) and len(own) == 1


phrases = st.lists(st.tuples(st.text("abc", min_size=1, max_size=4), st.sampled_from([0.5, 1.0, 2.0])), max_size=6)


@given(phrases, st.text("abcd", max_size=14))
def test_no_bonus_is_left_where_no_phrase_is_and_some_where_one_is(given_phrases: list[tuple[str, float]], text: str) -> None:
    own = ContextGraph(Phrase(tuple(phrase), weight) for phrase, weight in given_phrases)
    bonus = own.bonus(text)
    most_of_any = max((weight * len(phrase) / 3 for phrase, weight in given_phrases if phrase in text), default=0.0)
    assert bonus >= most_of_any - 1e-9
    assert (bonus > 1e-9) == (most_of_any > 0)
