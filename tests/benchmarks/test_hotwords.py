"""The figures of hotwords: how lists are drawn, what is counted, and synthetic frames that a search can be measured on."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks.hotword_scores import HotwordList, Occurrences, Score, list_of, words_of
from benchmarks.hotwords import by_engine, by_frames, by_full_size, by_vocabulary, figures, main, scores
from benchmarks.synthetic_frames import SENSEVOICE_PIECES, SyntheticNetwork, sensevoice_stand_in
from engine.bundle import Bundle
from engine.pipeline import Engine
from engine.speech.vocabulary import Vocabulary
from models.evaluate.datasets import Recording
from tests.named_recording import NAME, RIGHT, WRONG, write_bundle, write_recording

TEXTS = [f"the captain of ship {name} went home" for name in ("aurora", "borealis", "calypso", "dauntless")]
OTHERS = ["nothing about harbour engineers", "weather reports tomorrow", "captain"]
LETTERS = Vocabulary(["<blank>", *(f"▁{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"), *"abcdefghijklmnopqrstuvwxyz", "<|en|>"])


def test_a_tenth_of_a_list_is_spoken_and_the_rest_in_no_reference() -> None:
    found = list_of(10, TEXTS, OTHERS)
    assert len(found.spoken) == 1 and found.spoken[0] in ("aurora", "borealis", "calypso", "dauntless")
    assert set(found.absent) == {"nothing", "about", "harbour", "engineers", "weather", "reports", "tomorrow"}
    assert list_of(10, TEXTS, OTHERS) == found
    assert [hotword.phrase for hotword in found.hotwords] == list(found.phrases)


def test_words_are_long_enough_to_be_names() -> None:
    assert words_of("The old captain, 25 men") == ["captain"]
    assert words_of("我们去北京看火锅了") == ["我们", "北京", "火锅"]


def test_words_are_found_whole_and_chinese_anywhere() -> None:
    listed = Occurrences(["art", "北京"])
    assert listed.count("Art, party: 我在北京") == {"art": 1, "北京": 1}
    assert Occurrences([]).count("anything") == {}
    assert listed.without("art art", listed.count("art")) == " art"


def test_a_score_counts_recall_insertions_and_the_rest() -> None:
    score = Score()
    score.add(Occurrences(["aurora", "harbour"]), "the aurora went", "the aurora wend harbour", audio_s=1800.0)
    assert (score.recall, score.inserted_an_hour) == (1.0, 2.0)
    assert score.rest_cer == pytest.approx(9 / len("the  went"))  # a letter, and the word that nobody said with its space


def test_synthetic_frames_are_searched_as_real_ones() -> None:
    network = SyntheticNetwork(LETTERS)
    assert [LETTERS.piece(index) for index in network.token_ids("ab c") or ()] == ["▁a", "b", "▁c"]
    assert network.token_ids("ä") is None
    said = by_vocabulary(LETTERS, [*TEXTS * 20, "ä"])
    assert len(said) == 80
    own = list_of(20, TEXTS, OTHERS)
    [(without, with_them)] = scores(said, [own], rounds=2)
    assert with_them.recall > without.recall > 0
    assert (len(without.spent_s), with_them.spoken) == (2, without.spoken)
    assert figures(own, without, with_them)["hotwords"] == len(own.phrases)


def test_a_stand_in_is_of_sensevoices_kind() -> None:
    found = sensevoice_stand_in(TEXTS)
    pieces = [found.piece(index) for index in range(len(found))]
    assert len(pieces) == len(set(pieces)) == SENSEVOICE_PIECES
    assert {"▁captain"[:8], "▁c", "c", "张", "火", "ん", "カ", "한"} <= set(pieces)
    network = SyntheticNetwork(found)
    assert [found.piece(index) for index in network.token_ids("ship 张三") or ()] == ["▁ship", "张", "三"]


def test_scores_of_several_lists_are_one() -> None:
    one, other = Score(spoken=2, found=1, audio_s=10.0, spent_s=[1.0, 2.0]), Score(spoken=3, found=3, audio_s=10.0, spent_s=[3.0, 4.0])
    assert Score.sum([one, other]) == Score(spoken=5, found=4, audio_s=20.0, spent_s=[4.0, 6.0])


def test_frames_that_are_made_once_give_the_same_texts(tmp_path: Path) -> None:
    recording = Recording(
        path=write_recording(tmp_path / "name.wav"), source="", text=NAME, speaker="", language="zh", label=None, duration_s=3
    )
    own = HotwordList((NAME,), ())
    with closing(Engine(Bundle.load(write_bundle(tmp_path / "bundle")))) as engine:
        for precision in ("fp32", "int8"):
            [every_time], [once] = (make(engine, [recording], precision) for make in (by_engine, by_frames))
            texts = [[said.recognize(hotwords)[0] for hotwords in (None, own)] for said in (every_time, once)]
            assert texts == [[WRONG, RIGHT]] * 2


def test_the_time_at_full_size_is_that_of_the_network_and_of_a_search_on_made_up_frames(tmp_path: Path) -> None:
    with closing(Engine(Bundle.load(write_bundle(tmp_path / "bundle")))) as engine:
        [said] = by_full_size(engine, LETTERS, [TEXTS[0], "ä"], "int8")
        texts = [said.recognize(own) for own in (None, HotwordList(("aurora",), ()))]
    assert [bool(text) for text, _ in texts] == [True, True]
    assert all(0 < took_s < said.audio_s for _, took_s in texts)


def test_the_command_measures_recordings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for number in range(8):
        write_recording(data / f"{number}.wav")
    rows = [f"{number}.wav\t你好\t{number}\ten" for number in range(8)]
    (data / "labels.tsv").write_text("path\ttext\tspeaker\tlanguage\n" + "\n".join(rows) + "\n", encoding="utf-8")
    bundle = write_bundle(tmp_path / "bundle", kind="other")
    monkeypatch.setattr("benchmarks.hotword_scores.MOST_SPOKEN", 8)
    monkeypatch.setattr(sys, "argv", ["hotwords", str(data), "--bundle", str(bundle), "--counts", "10", "--rounds", "1"])
    main()
    assert "| 1 |" in capsys.readouterr().out.splitlines()[2]
    older = write_bundle(tmp_path / "older", searches=False, kind="other")
    monkeypatch.setattr(sys, "argv", ["hotwords", str(data), "--bundle", str(older), "--counts", "10", "--rounds", "1"])
    with pytest.raises(SystemExit, match="made before they existed"):
        main()
