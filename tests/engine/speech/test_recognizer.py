"""Recognition on the tiny graph: prompt, positions, tags, times, and graphs that break the contract."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from engine.bundle import ITN_BY_LIBRARY, Bundle, LanguageOdds
from engine.errors import GraphContractError, UnknownLanguageError
from engine.options import TranscribeOptions
from engine.runtime.session import Session
from engine.speech.decoding.decoder import BeamDecoder
from engine.speech.decoding.hotwords import Hotword
from engine.speech.recognizer import Recognizer
from engine.speech.vocabulary import Vocabulary
from engine.tags import Emotion, Event, Language
from tests.tiny_graphs import PIECES, TAG_IDS, asr_model


def features_saying(*pieces: str) -> np.ndarray:
    """Features that make the tiny graph emit these pieces, a frame each."""
    features = np.zeros((len(pieces), 560), np.float32)
    for frame, piece in enumerate(pieces):
        features[frame, PIECES.index(piece)] = 1.0
    return features


@pytest.fixture(params=["fp32", "int8"])
def recognizer(request: pytest.FixtureRequest, tiny_bundle: Path) -> Recognizer:
    bundle = Bundle.load(tiny_bundle)
    session = Session.open(bundle.path(bundle.variant(request.param).asr), model="asr", precision=request.param)
    return Recognizer(session, Vocabulary.load(bundle.tokens_path), bundle)


def test_text_tokens_and_times(recognizer: Recognizer) -> None:
    heard = recognizer.recognize(features_saying("<blank>", "▁hello", "▁hello", "s", "<blank>", "▁world"), duration_ms=400)
    assert heard.text == "hellos world"
    assert [(token.text, token.start_ms, token.end_ms) for token in heard.tokens] == [
        ("▁hello", 30, 150),
        ("s", 150, 210),
        ("▁world", 270, 330),
    ]
    assert all(0.9 < token.confidence <= 1 for token in heard.tokens)


def test_tags_come_from_their_positions(recognizer: Recognizer) -> None:
    heard = recognizer.recognize(features_saying("<|zh|>", "<|BGM|>", "▁hello"), duration_ms=200)
    assert (heard.language, heard.emotion, heard.event) == (Language.EN, Emotion.EMO_UNKNOWN, Event.SPEECH)
    assert heard.text == "hello"
    assert heard.confidence.language == pytest.approx(heard.probabilities["language"]["en"])
    assert set(heard.probabilities["emotion"]) == {"HAPPY", "EMO_UNKNOWN"}


def test_emo_unknown_can_be_banned(recognizer: Recognizer) -> None:
    heard = recognizer.recognize(features_saying("▁hello"), TranscribeOptions(ban_emo_unknown=True), duration_ms=60)
    assert heard.emotion is Emotion.HAPPY
    assert heard.confidence.emotion == pytest.approx(heard.probabilities["emotion"]["HAPPY"])
    assert heard.confidence.emotion < heard.probabilities["emotion"]["EMO_UNKNOWN"]


def test_one_frame_is_enough(recognizer: Recognizer) -> None:
    assert recognizer.recognize(features_saying("你"), duration_ms=25).text == "你"


def test_a_language_without_a_prompt_is_an_error(recognizer: Recognizer) -> None:
    with pytest.raises(UnknownLanguageError, match="ko"):
        recognizer.recognize(features_saying("你"), TranscribeOptions(language="ko"), duration_ms=60)


class FakeSession:
    """A session that answers what it was told to, and remembers what it was fed."""

    path = Path("fake.onnx")
    input_names: tuple[str, ...] = ("speech", "language", "textnorm")

    def __init__(
        self, *, frames: int = 3, outputs: tuple[str, ...] = ("token_ids", "log_probs", "tag_probs"), ids: tuple[int, ...] = TAG_IDS
    ) -> None:
        self.output_names, self.ids, self.frames, self.fed = outputs, ids, frames, {}

    def metadata_ids(self, name: str) -> tuple[int, ...]:
        return self.ids

    def run(self, output_names: Any, feeds: Any) -> list[np.ndarray]:
        self.fed = feeds
        size = self.frames + 4
        return [np.zeros((1, size), np.int32), np.zeros((1, size), np.float32), np.ones((1, 4, len(self.ids)), np.float32)]


class FakeBatchSession(FakeSession):
    """A session on a graph that masks batches."""

    input_names = ("speech", "speech_lengths", "language", "textnorm")


class FakeMaskingSession(FakeBatchSession):
    """Answers each row of a batch by its own features: the token of a frame is the frame's first feature."""

    def run(self, output_names: Any, feeds: Any) -> list[np.ndarray]:
        self.fed = feeds
        count, longest, _ = feeds["speech"].shape
        ids = np.zeros((count, longest + 4), np.int32)
        ids[:, 4:] = feeds["speech"][:, :, 0]
        tags = np.tile(np.arange(1, len(self.ids) + 1, dtype=np.float32), (count, 4, 1))
        return [ids, np.zeros((count, longest + 4), np.float32), tags]


def recognizer_on(session: FakeSession, tiny_bundle: Path) -> Recognizer:
    bundle = Bundle.load(tiny_bundle)
    return Recognizer(session, Vocabulary.load(bundle.tokens_path), bundle)


@pytest.mark.parametrize(("language", "itn", "rows"), [("auto", True, (0, 14)), ("zh", False, (3, 15)), ("en", True, (4, 14))])
def test_the_prompt_rows_are_the_bundles(tiny_bundle: Path, language: str, itn: bool, rows: tuple[int, int]) -> None:
    session = FakeSession()
    recognizer_on(session, tiny_bundle).recognize(
        np.zeros((3, 560), np.float32), TranscribeOptions(language=language, itn=itn), duration_ms=180
    )
    assert (session.fed["language"].tolist(), session.fed["textnorm"].tolist()) == ([rows[0]], [rows[1]])
    assert session.fed["language"].dtype == session.fed["textnorm"].dtype == np.int32
    assert session.fed["speech"].shape == (1, 3, 560)


def test_a_library_writes_the_numbers_of_a_model_that_cannot(tiny_bundle: Path) -> None:
    bundle = msgspec.structs.replace(Bundle.load(tiny_bundle), itn=ITN_BY_LIBRARY)
    session = Session.open(bundle.path(bundle.variant("fp32").asr), model="asr", precision="fp32")
    words = Vocabulary([{"▁hello": "▁three", "▁world": "▁one"}.get(piece, piece) for piece in PIECES])
    recognizer = Recognizer(session, words, bundle)
    said = features_saying("▁hello", "<blank>", "▁world", "<blank>", "▁hello")
    written, spoken = (recognizer.recognize(said, TranscribeOptions(itn=itn), duration_ms=300) for itn in (True, False))
    assert (written.text, spoken.text) == ("313", "three one three")
    assert written.tokens == spoken.tokens
    assert [token.text for token in written.tokens] == ["▁three", "▁one", "▁three"]


def test_a_language_seldom_heard_is_raised_and_the_more_the_longer_it_speaks(tiny_bundle: Path) -> None:
    plain = Bundle.load(tiny_bundle)
    vocabulary, features = Vocabulary.load(plain.tokens_path), np.zeros((3, 560), np.float32)
    raised = msgspec.structs.replace(plain, language_odds=LanguageOdds(added={"zh": 2.0}, full_after_ms=2_000))
    before, word, sentence, speech = (
        Recognizer(FakeSession(), vocabulary, bundle).recognize(features, duration_ms=duration_ms)
        for bundle, duration_ms in ((plain, 180), (raised, 500), (raised, 2_000), (raised, 9_000))
    )
    for heard, added in ((before, 0.0), (word, 0.5), (sentence, 2.0), (speech, 2.0)):
        languages = heard.probabilities["language"]
        assert math.log(languages["zh"] / languages["en"]) == pytest.approx(added, abs=1e-5)
        assert sum(languages.values()) == pytest.approx(sum(before.probabilities["language"].values()), rel=1e-6)
        assert {name: heard.probabilities[name] for name in ("emotion", "event")} == {
            name: before.probabilities[name] for name in ("emotion", "event")
        }
    assert speech.language is Language.ZH


@pytest.mark.parametrize("itn", [True, False])
def test_such_a_model_is_asked_for_words_in_either_case(tiny_bundle: Path, itn: bool) -> None:
    session = FakeSession()
    bundle = msgspec.structs.replace(Bundle.load(tiny_bundle), itn=ITN_BY_LIBRARY)
    Recognizer(session, Vocabulary(PIECES), bundle).recognize(np.zeros((3, 560), np.float32), TranscribeOptions(itn=itn), duration_ms=180)
    assert session.fed["textnorm"].tolist() == [15]


def test_graphs_that_break_the_contract_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(GraphContractError, match="tag_probs"):
        recognizer_on(FakeSession(outputs=("token_ids", "log_probs")), tiny_bundle)
    with pytest.raises(GraphContractError, match="outside the vocabulary"):
        recognizer_on(FakeSession(ids=(6, 999)), tiny_bundle)
    with pytest.raises(GraphContractError, match="no emotion tag"):
        recognizer_on(FakeSession(ids=(6, 7, 11)), tiny_bundle)
    with pytest.raises(GraphContractError, match="for 2 frames"):
        recognizer_on(FakeSession(frames=3), tiny_bundle).recognize(np.zeros((2, 560), np.float32), duration_ms=120)


def test_a_graph_that_masks_gets_the_length(tiny_bundle: Path) -> None:
    session = FakeBatchSession(frames=5)
    recognizer_on(session, tiny_bundle).recognize(np.zeros((5, 560), np.float32), duration_ms=300)
    assert session.fed["speech_lengths"].tolist() == [5]
    plain = FakeSession(frames=5)
    recognizer_on(plain, tiny_bundle).recognize(np.zeros((5, 560), np.float32), duration_ms=300)
    assert "speech_lengths" not in plain.fed


def test_a_batch_is_padded_masked_and_answered_row_by_row(tiny_bundle: Path) -> None:
    session = FakeMaskingSession()
    recognizer = recognizer_on(session, tiny_bundle)
    hello, world = PIECES.index("▁hello"), PIECES.index("▁world")
    batch = [np.zeros((length, 560), np.float32) for length in (5, 2, 3)]
    for features, token in zip(batch, (hello, world, hello), strict=True):
        features[1, 0] = token
    together = recognizer.recognize_batch(batch, TranscribeOptions(language="en", itn=False), durations_ms=[300, 120, 180])
    assert session.fed["speech"].shape == (3, 5, 560)
    assert session.fed["speech_lengths"].tolist() == [5, 2, 3]
    assert session.fed["language"].tolist() == [4, 4, 4]
    assert [one.text for one in together] == ["hello", "world", "hello"]
    alone = [
        recognizer.recognize(features, TranscribeOptions(language="en", itn=False), duration_ms=duration_ms)
        for features, duration_ms in zip(batch, (300, 120, 180), strict=True)
    ]
    assert together == alone


def test_what_a_graph_answers_for_the_padding_is_left_out(tiny_bundle: Path) -> None:
    session = FakeMaskingSession()
    noisy = session.run

    def run(output_names: Any, feeds: Any) -> list[np.ndarray]:
        ids, log_probs, tags = noisy(output_names, feeds)
        for row, length in enumerate(feeds["speech_lengths"]):
            ids[row, 4 + length :] = PIECES.index("▁world")
        return [ids, log_probs, tags]

    session.run = run
    batch = [np.zeros((length, 560), np.float32) for length in (5, 2)]
    assert [one.text for one in recognizer_on(session, tiny_bundle).recognize_batch(batch, durations_ms=[300, 120])] == ["", ""]


def close_call() -> np.ndarray:
    """Features that say 你 a little louder than 好, then s."""
    features = features_saying("你", "<blank>", "s")
    features[0, PIECES.index("好")] = 0.9
    return features


def test_a_hotword_turns_a_close_decision(recognizer: Recognizer) -> None:
    assert recognizer.searches
    assert recognizer.recognize(close_call(), duration_ms=180).text == "你s"
    decoder = BeamDecoder(Vocabulary(PIECES), [Hotword("好s")], n_best=2)
    heard = recognizer.recognize(close_call(), duration_ms=180, decoder=decoder)
    assert heard.text == "好s"
    assert [(token.text, token.start_ms, token.end_ms) for token in heard.tokens] == [("好", 0, 30), ("s", 90, 150)]
    assert 0.2 < heard.tokens[0].confidence < 0.5 < heard.tokens[1].confidence
    assert [one.text for one in heard.alternatives] == ["好s", "你s"]
    assert heard.language is Language.EN


def test_without_hotwords_a_search_says_what_greedy_decoding_says(recognizer: Recognizer) -> None:
    features = features_saying("<blank>", "▁hello", "▁hello", "s", "<|zh|>", "▁world")
    greedy = recognizer.recognize(features, duration_ms=400)
    searched = recognizer.recognize(features, duration_ms=400, decoder=BeamDecoder(Vocabulary(PIECES), beam=1))
    assert replace(searched, alternatives=()) == greedy
    assert greedy.alternatives == ()


def test_an_older_bundle_is_decoded_greedily(tiny_bundle: Path, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    onnx.save(asr_model(searches=False), str(tmp_path / "asr.onnx"))
    session = Session.open(tmp_path / "asr.onnx", model="asr", precision="fp32")
    recognizer = Recognizer(session, Vocabulary(PIECES), Bundle.load(tiny_bundle))
    assert not recognizer.searches
    decoder = BeamDecoder(Vocabulary(PIECES), [Hotword("好s")])
    assert recognizer.recognize(close_call(), duration_ms=180, decoder=decoder).text == "你s"


def test_a_graph_that_answers_fewer_tokens_than_asked_for(recognizer: Recognizer) -> None:
    class Fewer:
        def __init__(self, inner: Any) -> None:
            self.inner = inner

        def __getattr__(self, name: str) -> Any:
            return getattr(self.inner, name)

        def run(self, names: Any, feeds: Any) -> list[np.ndarray]:
            answers = self.inner.run(names, feeds)
            return [*answers[:3], *(answer[..., :2] for answer in answers[3:])]

    recognizer._session = Fewer(recognizer._session)
    with pytest.raises(GraphContractError, match="tokens a frame were asked for"):
        recognizer.recognize(close_call(), duration_ms=180, decoder=BeamDecoder(Vocabulary(PIECES)))
