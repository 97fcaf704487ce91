"""The training of the n-gram model: probabilities that add up to one, what is likelier, and texts that are held out."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.speech.decoding.language_model import PIECES, LanguageModel
from models.starter.corpus import CorpusError
from models.starter.language_model import piece_encoder, texts_of, train
from models.starter.prepare import Item
from models.starter.units import learn_units

TEXTS = [("the cat sat on the mat", 1), ("the dog sat on the log", 1), ("a cat and a dog", 2), ("今天天气很好", 3), ("今天是晴天", 1)] * 3


def vocabulary_of(model: LanguageModel) -> list[str]:
    return [unit for unit in model._ids if unit != "<s>"]


@pytest.mark.parametrize("cutoffs", [(1, 1, 1), (1, 1, 4), (1, 4, 4)])
@pytest.mark.parametrize("history", [(), ("<s>",), ("the",), ("the", "cat"), ("今", "天"), ("log", "今"), ("<unk>",)])
def test_the_probabilities_of_what_may_follow_add_up_to_one(cutoffs: tuple[int, ...], history: tuple[str, ...]) -> None:
    model = train(TEXTS, cutoffs=cutoffs)
    ids = tuple(model.unit_id(unit) or 0 for unit in history)
    total = sum(math.exp(model.log_prob(ids, model.unit_id(unit) or 0)) for unit in vocabulary_of(model))
    assert total == pytest.approx(1.0, abs=0.02)  # stored in 16 bits


def test_what_was_seen_is_likelier() -> None:
    model = train(TEXTS)
    assert model.score("the cat sat on the mat") > model.score("the mat sat on the cat")
    assert model.score("the cat sat on the mat") > model.score("the xyzzy sat on the mat")
    assert model.score("今天天气") > model.score("今天气天")
    assert model.score("the cat sat on the log") > model.score("cat the on sat log the")


def test_a_text_that_counts_more_is_likelier() -> None:
    once = train([*TEXTS, ("the cat sat on the log", 1)], min_count=1)
    often = train([*TEXTS, ("the cat sat on the log", 50)], min_count=1)
    assert often.score("the cat sat on the log") > once.score("the cat sat on the log")


def test_held_out_texts_are_left_out_in_whatever_spelling() -> None:
    secret = [("the secret sentence is here", 5)]
    without = train([*TEXTS, *secret], held_out=["The secret SENTENCE, is here!"])
    assert without.unit_id("secret") is None
    assert train([*TEXTS, *secret]).unit_id("secret") is not None


def test_rare_words_are_unknown_and_rare_n_grams_left_out() -> None:
    model = train([*TEXTS, ("an aardvark", 1)])
    assert model.unit_id("aardvark") is None and model.unit_id("cat") is not None
    assert len(train(TEXTS, cutoffs=(1, 1, 1))) > len(train(TEXTS, cutoffs=(1, 4, 4))) > len(vocabulary_of(model))


def test_texts_without_words_are_no_texts() -> None:
    assert len(train([*TEXTS, ("…", 9), ("", 9)])) == len(train(TEXTS))


def item(text: str | None, *, split: str = "train", source: str = "commonvoice_en") -> Item:
    return Item(0, 1, None, text, (0, 0, 0), "en", source, "speaker", split, "a.ogg")


def test_texts_of_the_training_speakers_and_of_files(tmp_path: Path) -> None:
    items = [item("one two"), item("one two"), item("held out", split="test"), item(None), item("zero", source="fsdd")]
    (tmp_path / "more.txt").write_text("three four\n\n 五六 \n", encoding="utf-8")
    texts, held_out = texts_of(items, [tmp_path / "more.txt"])
    assert texts == [("one two", 1), ("three four", 1), ("五六", 1)] and held_out == ["held out"]


def test_a_file_of_texts_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"none\.txt"):
        texts_of([], [tmp_path / "none.txt"])
    (tmp_path / "bad.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(CorpusError, match=r"bad\.txt .* UTF-8"):
        texts_of([], [tmp_path / "bad.txt"])


def test_a_model_of_the_starters_pieces() -> None:
    english = [text for text, _ in TEXTS if text.isascii()]
    mandarin = [text for text, _ in TEXTS if not text.isascii()]
    pieces, english_model = learn_units(english, mandarin, english_units=30, mandarin_min_count=1)
    encode = piece_encoder(pieces, english_model)
    assert "".join(encode("the cat") or ()).replace("▁", " ").strip() == "the cat"
    assert encode("天气") == ["天", "气"] and encode("龘") is None
    model = train([*TEXTS, ("龘", 5)], cutoffs=(1, 1, 2, 2), encode=encode, min_count=1, kind=PIECES)
    assert model.kind == PIECES and model.order == 4 and model.unit_id("龘") is None
    ids = tuple(model.unit_id(unit) or 0 for unit in "今天天")
    assert math.exp(model.log_prob(ids, model.unit_id("气") or 0)) > 0.3


def test_what_its_shorter_one_says_as_well_is_left_out_and_the_rest_still_adds_up() -> None:
    texts = [(f"{one} {two} {three}", 1) for one in "abcd" for two in "efgh" for three in "ijkl"] + [("a e z", 40)]
    whole, pruned = train(texts, cutoffs=(1, 1, 1)), train(texts, cutoffs=(1, 1, 1), least_gain=4.0)
    assert len(pruned) < len(whole)
    history = tuple(pruned.unit_id(unit) or 0 for unit in ("a", "e"))
    assert math.exp(pruned.log_prob(history, pruned.unit_id("z") or 0)) > 0.7  # what is told apart stays
    assert sum(math.exp(pruned.log_prob(history, pruned.unit_id(unit) or 0)) for unit in vocabulary_of(pruned)) == pytest.approx(
        1, abs=0.02
    )


def test_fragments_say_nothing_of_how_a_sentence_begins_and_ends() -> None:
    plain = train(TEXTS, min_count=1)
    model = train(TEXTS, fragments=[("the mat the mat", 9), ("zebra crossing", 5)], min_count=1)
    assert model.unit_id("zebra") is not None and plain.unit_id("zebra") is None
    start, stop, mat, the = ("<s>", "</s>", "mat", "the")

    def log_prob(of: LanguageModel, before: str, unit: str) -> float:
        return of.log_prob((of.unit_id(before) or 0,), of.unit_id(unit) or 0)

    assert log_prob(model, start, "zebra") < math.log(0.05)
    assert log_prob(model, mat, the) > log_prob(plain, mat, the)
    assert log_prob(model, mat, stop) < log_prob(plain, mat, stop)
