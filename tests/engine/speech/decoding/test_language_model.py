"""The n-gram model: what it says of texts, its file, and its part in the beam search."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from engine.errors import BundleFileMissingError, BundleFormatError
from engine.speech.decoding.beam_search import search
from engine.speech.decoding.language_model import PIECES as KIND_OF_PIECES
from engine.speech.decoding.language_model import LanguageModel, units_of_text
from engine.speech.decoding.language_model_scorer import UNKNOWN_LETTER, PieceScorer, WordScorer, scorer_of
from engine.speech.decoding.spelling import Speller
from engine.speech.decoding.top_tokens import TopTokens
from engine.speech.vocabulary import Vocabulary
from tests.engine.speech.decoding.likely_frames import likely_frames

UNITS = ("<s>", "</s>", "<unk>", "recognize", "speech", "wreck", "a", "nice", "beach", "语", "音")
SHARES = (1e-6, 0.1, 0.01, 0.05, 0.1, 0.01, 0.3, 0.05, 0.05, 0.1, 0.1)


def key(*units: str) -> int:
    found = 0
    for unit in units:
        found = found << 16 | UNITS.index(unit)
    return found


def words_model() -> LanguageModel:
    """Single units, and two pairs that are likelier than their parts."""
    pairs = {key("recognize", "speech"): 0.8, key("语", "音"): 0.9}
    order = sorted(pairs)
    backoffs = np.zeros(len(UNITS), np.float16)
    backoffs[UNITS.index("recognize")] = math.log(0.2)
    return LanguageModel(
        UNITS,
        [np.arange(len(UNITS), dtype=np.uint64), np.array(order, np.uint64)],
        [np.log(SHARES).astype(np.float16), np.log([pairs[one] for one in order]).astype(np.float16)],
        [backoffs, np.zeros(2, np.float16)],
    )


def test_units_of_a_text() -> None:
    assert units_of_text("Don't, 识别 LightVoice2!") == ["dont", "识", "别", "lightvoice", "2"]
    assert units_of_text("") == []


def test_pairs_and_backoff() -> None:
    own = words_model()
    ids = {unit: index for index, unit in enumerate(UNITS)}
    assert math.exp(own.log_prob((ids["recognize"],), ids["speech"])) == pytest.approx(0.8, rel=1e-2)
    assert math.exp(own.log_prob((ids["recognize"],), ids["beach"])) == pytest.approx(0.2 * 0.05, rel=1e-2)
    assert math.exp(own.log_prob((ids["a"],), ids["speech"])) == pytest.approx(0.1, rel=1e-2)
    assert math.exp(own.log_prob((ids["语"], ids["recognize"]), ids["speech"])) == pytest.approx(0.8, rel=1e-2)
    assert own.score("recognize speech") == pytest.approx(math.log(0.05 * 0.8 * 0.1), abs=0.05)
    assert own.score("recognize xyz") == pytest.approx(math.log(0.05 * 0.2 * 0.01 * 0.1), abs=0.05)


def test_the_likeliest_word_of_a_prefix() -> None:
    own = words_model()
    assert own.best_with_prefix("be") == own.best_with_prefix("beach") == pytest.approx(math.log(0.05), abs=0.01)
    assert own.best_with_prefix("beachy") is None


def test_the_file_keeps_everything(tmp_path: Path) -> None:
    words_model().save(tmp_path / "lm.npz")
    again = LanguageModel.load(tmp_path / "lm.npz")
    assert again.order == 2 and len(again) == len(words_model()) == 13
    for text in ("recognize speech", "a nice beach", "语音", "unheard of"):
        assert again.score(text) == pytest.approx(
            words_model().score(text), abs=0.05 * 2 * len(units_of_text(text)) + 0.1
        )  # kept in tenths


def as_bytes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode(), np.uint8)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "lm.npz"
    with pytest.raises(BundleFileMissingError):
        LanguageModel.load(path)
    for content in (b"", b"no model", b"PK\x03\x04 cut short"):
        path.write_bytes(content)
        with pytest.raises(BundleFormatError, match="no language model"):
            LanguageModel.load(path)
    words_model().save(path)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BundleFormatError):
        LanguageModel.load(path)
    tables = {"units": as_bytes("\n".join(UNITS)), "order": np.array(1), "kind": as_bytes("words")}
    np.savez(path, format=np.array(9), **{f"{kind}_1": np.zeros(3) for kind in ("keys", "log_probs", "backoffs")}, **tables)
    with pytest.raises(BundleFormatError, match="format is 9"):
        LanguageModel.load(path)
    short = np.zeros(3, np.float16)
    np.savez(path, format=np.array(1), keys_1=np.arange(3, dtype=np.uint64), log_probs_1=short, backoffs_1=short, **tables)
    with pytest.raises(BundleFormatError, match="do not fit"):
        LanguageModel.load(path)


PIECES = ("<blank>", "▁recognize", "▁re", "cognize", "▁speech", "▁wreck", "▁a", "▁nice", "▁bea", "ch", "语", "音", "雨", "▁语")
VOCABULARY = Vocabulary(PIECES)


frames_with = partial(likely_frames, PIECES)


def text_of(top: TopTokens, *, weight: float = 1.0) -> str:
    scorer = WordScorer(words_model(), Speller(VOCABULARY), weight=weight, unit_bonus=1.0)
    return VOCABULARY.text(search(top, scorers=[scorer])[0].token_ids)


def test_the_likelier_words_win_where_the_network_is_in_doubt() -> None:
    assert text_of(frames_with({"▁recognize": 0.9}, {"▁bea": 0.5, "▁speech": 0.4}, {"ch": 0.5, "<blank>": 0.4})) == "recognize speech"
    assert text_of(frames_with({"雨": 0.6, "语": 0.4}, {"音": 0.9})) == "语音"
    assert text_of(frames_with({"▁recognize": 0.9}, {"▁bea": 0.999, "▁speech": 0.0005}, {"ch": 0.99})) == "recognize beach"


@pytest.mark.parametrize("pieces", [("▁recognize", "▁speech"), ("▁re", "cognize", "▁speech"), ("语", "音"), ("▁语", "音")])
def test_every_segmentation_scores_as_its_text(pieces: tuple[str, ...]) -> None:
    scorer = WordScorer(words_model(), Speller(VOCABULARY), weight=1.0, unit_bonus=0.0)
    state, total = scorer.start(), 0.0
    for piece in pieces:
        state, added = scorer.step(state, PIECES.index(piece))
        total += added
    assert total + scorer.finish(state) == pytest.approx(words_model().score(VOCABULARY.text(map(PIECES.index, pieces))), abs=1e-6)


def test_a_word_that_the_model_does_not_know_costs_its_letters() -> None:
    scorer = WordScorer(words_model(), Speller(VOCABULARY), weight=1.0, unit_bonus=0.0)
    state, total = scorer.start(), 0.0
    for piece in ("▁wreck", "ch"):
        state, added = scorer.step(state, PIECES.index(piece))
        total += added
    assert total + scorer.finish(state) == pytest.approx(math.log(0.01) + len("wreckch") * UNKNOWN_LETTER + math.log(0.1), abs=0.02)


def test_weight_and_bonus() -> None:
    def score(weight: float, bonus: float) -> float:
        scorer = WordScorer(words_model(), Speller(VOCABULARY), weight=weight, unit_bonus=bonus)
        state, added = scorer.step(scorer.start(), PIECES.index("▁a"))
        return added + scorer.finish(state)

    assert score(0.5, 0.0) == pytest.approx(score(1.0, 0.0) / 2)
    assert score(1.0, 2.0) == pytest.approx(score(1.0, 0.0) + 2.0)


PIECE_UNITS = ("<s>", "</s>", "<unk>", "▁a", "▁nice", "▁bea", "ch")


def piece_model() -> LanguageModel:
    pair = PIECE_UNITS.index("▁bea") << 16 | PIECE_UNITS.index("ch")
    shares = (1e-6, 0.2, 0.05, 0.3, 0.2, 0.2, 0.05)
    return LanguageModel(
        PIECE_UNITS,
        [np.arange(len(PIECE_UNITS), dtype=np.uint64), np.array([pair], np.uint64)],
        [np.log(shares).astype(np.float16), np.log([0.9]).astype(np.float16)],
        [np.zeros(len(PIECE_UNITS), np.float16), np.zeros(1, np.float16)],
        kind=KIND_OF_PIECES,
    )


def test_a_model_of_pieces_scores_each_token(tmp_path: Path) -> None:
    vocabulary = Vocabulary([*PIECES, "<|en|>"])
    piece_model().save(tmp_path / "lm.npz")
    model = LanguageModel.load(tmp_path / "lm.npz")
    scorer = scorer_of(model, vocabulary, weight=1.0, unit_bonus=0.5)
    assert isinstance(scorer, PieceScorer)
    state, added = scorer.start(), []
    for piece in ("▁bea", "<|en|>", "ch", "语"):
        state, score = scorer.step(state, vocabulary._pieces.index(piece))
        added.append(score)
    expected = [math.log(0.2) + 0.5, 0.0, math.log(0.9) + 0.5, math.log(0.05) + 0.5]
    assert added == pytest.approx(expected, abs=0.01)
    assert scorer.finish(state) == pytest.approx(math.log(0.2), abs=0.01)
    assert isinstance(scorer_of(words_model(), vocabulary), WordScorer)


def test_a_kind_of_units_that_there_is_not(tmp_path: Path) -> None:
    path = tmp_path / "lm.npz"
    piece_model().save(path)
    with np.load(path) as values:
        tables = {**values, "kind": as_bytes("syllables")}
    np.savez(path, **tables)
    with pytest.raises(BundleFormatError, match="'syllables', neither pieces nor words"):
        LanguageModel.load(path)
