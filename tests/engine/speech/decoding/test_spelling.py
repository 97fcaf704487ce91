"""Symbols: one phrase however it is written, and however the vocabulary cuts it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.speech.decoding.number_spellings import spellings
from engine.speech.decoding.spelling import Speller, symbols_of
from engine.speech.itn.english_numerals import cardinal, spoken_cardinal
from engine.speech.itn.mandarin_numerals import spoken, value_of
from engine.speech.vocabulary import Vocabulary

PIECES = ("<blank>", "▁hello", "▁he", "llo", "▁", "h", "e", "l", "o", "▁World", "张", "三", "▁李", "四五", "1", "▁2", "<|en|>", "<unk>")
BYTES = tuple(f"<0x{value:02X}>" for value in range(256))


def speller(*more: str) -> Speller:
    return Speller(Vocabulary([*PIECES, *more]))


def read(own: Speller, *pieces: str) -> tuple[str, ...]:
    symbols: tuple[str, ...] = ()
    in_word = False
    for piece in pieces:
        more, in_word = own.read(PIECES.index(piece), in_word=in_word)
        symbols += more
    return (*symbols, "⟩") if in_word else symbols


@pytest.mark.parametrize(
    "pieces",
    [
        ("▁hello", "张", "三"),
        ("▁he", "llo", "张", "三"),
        ("▁", "h", "e", "l", "l", "o", "张", "三"),
        ("h", "e", "llo", "▁", "张", "三"),
        ("<|en|>", "▁hello", "<unk>", "张", "三"),
    ],
)
@pytest.mark.parametrize("phrase", ["hello张三", "HELLO 张三", "ｈｅｌｌｏ　张三", "Hello, 张·三"])
def test_every_segmentation_reads_as_the_phrase(phrase: str, pieces: tuple[str, ...]) -> None:
    assert read(speller(), *pieces) == symbols_of(phrase)


def test_digits_stand_alone_and_words_do_not_run_together() -> None:
    assert symbols_of("hello 12") == symbols_of("hello12") == ("⟨", *"hello", "⟩", "1", "2")
    assert symbols_of("hello he") != symbols_of("hellohe")
    assert symbols_of("o'brien") == symbols_of("O’Brien") == symbols_of("obrien")
    assert symbols_of("wi-fi") == symbols_of("wi fi")
    assert symbols_of("…!") == ()


@pytest.mark.parametrize("phrase", ["hello", "he", "oh", "hello world", "张三", "李 三", "四五", "12", "三张"])
def test_what_the_vocabulary_can_write(phrase: str) -> None:
    assert speller().spell(phrase) == symbols_of(phrase)


@pytest.mark.parametrize("phrase", ["王", "张王", "四", "xyz", "helix", "3", "?!", ""])
def test_what_it_cannot_write(phrase: str) -> None:
    assert speller().spell(phrase) is None


def test_a_piece_of_a_words_start_does_not_go_on_with_it() -> None:
    own = Speller(Vocabulary(["<blank>", "▁wor", "▁ld", "ld"]))
    assert own.spell("world") and own.spell("wor ld")
    assert Speller(Vocabulary(["<blank>", "▁wor", "▁ld"])).spell("world") is None


def test_characters_that_the_vocabulary_lacks_are_written_in_bytes() -> None:
    own = speller(*BYTES)
    spelt = own.spell("张喆")
    assert spelt == ("张", "<0xE5>", "<0x96>", "<0x86>")
    places = [len(PIECES) + byte for byte in "喆".encode()]
    assert tuple(symbol for place in places for symbol in own.read(place, in_word=False)[0]) == spelt[1:]


@given(st.text(max_size=12))
def test_any_text_has_symbols_and_reading_in_parts_gives_the_same(text: str) -> None:
    symbols = symbols_of(text)
    assert symbols_of(text) == symbols
    own = Speller(Vocabulary(["<blank>", *dict.fromkeys(text.replace("\n", " ")), "x"])) if text else speller()
    assert own.spell(text) in (symbols, None)


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("3号楼", {"3号楼", "三号楼"}),
        ("三号楼", {"三号楼"}),
        ("2008年", {"2008年", "二零零八年", "二千零八年", "两千零八年"}),
        ("iPhone 15", {"iPhone 15", "iPhone one five", "iPhone fifteen"}),
        ("Route 2026", {"Route 2026", "Route two zero two six", "Route two thousand twenty six", "Route twenty twenty six"}),
        ("张三", {"张三"}),
        ("007", {"007", "零零七", "zero zero seven"}),
    ],
)
def test_numbers_are_looked_for_in_digits_and_in_words(phrase: str, expected: set[str]) -> None:
    assert expected <= set(spellings(phrase))
    assert spellings(phrase)[0] == phrase


def test_a_number_in_words_is_looked_for_in_digits() -> None:
    assert "2026年" in spellings("二零二六年")
    assert any("15" in written for written in spellings("iphone fifteen"))


@given(st.integers(1, 99_999_999))
def test_numbers_are_said_as_they_are_read(value: int) -> None:
    assert value_of(spoken(value)) == value
    if value < 10**6:
        assert cardinal(spoken_cardinal(value).split()) == value
