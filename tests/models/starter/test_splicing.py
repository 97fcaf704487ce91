"""Words found in training utterances and joined anew, and sentences composed for the speech synthesis."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
yaml = pytest.importorskip("yaml")

from engine.tags import TAG_POSITIONS, piece_of  # noqa: E402 - torch decides whether this file runs
from models.starter import corpus  # noqa: E402
from models.starter.alignment import align, viterbi  # noqa: E402
from models.starter.batches import BatchMaker  # noqa: E402
from models.starter.prepare import FeatureStore  # noqa: E402
from models.starter.splicing import Splicer, read_cuts, word_groups  # noqa: E402
from models.starter.synthesis import composed_sentences, dictionary_words  # noqa: E402
from models.starter.units import BLANK  # noqa: E402

CONFIG = yaml.safe_load((Path(corpus.__file__).parent / "config.yaml").read_text(encoding="utf-8"))
#: Every sound is a mel bin that is loud while it is spoken; bin 0 stands for the blank.
SOUNDS = ["<blank>", "▁re", "d", "▁b", "lue", "▁sun", "h", "ao3", "m", "a1"]
GROUPS = {"red": [1, 2], "blue": [3, 4], "sun": [5], "好": [6, 7], "妈": [8, 9]}
SOUND_FRAMES, PAUSE_FRAMES = 18, 12
LOUD = 8.0


def spoken(words: list[str]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """(T, 80) frames of words with pauses around them, and where each word begins and ends."""
    frames, places = [np.zeros((PAUSE_FRAMES, 80))], []
    for word in words:
        begin = sum(map(len, frames))
        for sound in GROUPS[word]:
            part = np.zeros((SOUND_FRAMES, 80))
            part[:, sound] = LOUD
            part[:, 40:] = LOUD / 2  # what every voice has in common
            frames.append(part)
        places.append((begin, begin + SOUND_FRAMES * len(GROUPS[word])))
        frames.append(np.zeros((PAUSE_FRAMES, 80)))
    return np.concatenate(frames), places


def write_store(folder: Path, sentences: list[tuple[str, str]]) -> tuple[FeatureStore, list[list[tuple[int, int]]]]:
    """A store of these (speaker, text), and where their words lie."""
    pieces = [
        BLANK,
        *(word if word in "好妈" else f"▁{word}" for word in GROUPS),
        *(piece_of(tag) for family in TAG_POSITIONS for tag in family),
    ]
    ids = {piece: index for index, piece in enumerate(pieces)}
    items, blocks, places = [], [], []
    for speaker, text in sentences:
        chinese = not text.isascii()
        words = list(text) if chinese else text.split()
        frames, where = spoken(words)
        items.append(
            {
                "offset": sum(map(len, blocks)),
                "frames": len(frames),
                "targets": [ids[word if chinese else f"▁{word}"] for word in words],
                "text": text,
                "tags": [ids["<|zh|>" if chinese else "<|en|>"], -1, ids["<|Speech|>"]],
                "language": "zh" if chinese else "en",
                "source": "speechocean762",
                "speaker": speaker,
                "split": "train",
                "path": "",
                "sounds": [sound for word in words for sound in GROUPS[word]],
            }
        )
        blocks.append(frames)
        places.append(where)
    np.concatenate(blocks).astype(np.float16).tofile(folder / "fbank.f16")
    np.savez(folder / "cmvn.npz", means=np.zeros(80), deviations=np.ones(80))
    (folder / "store.json").write_text(json.dumps({"pieces": pieces, "sounds": SOUNDS, "items": items}), encoding="utf-8")
    return FeatureStore(folder), places


class Ear(torch.nn.Module):
    """In the learner's place: hears the loud bin of each stacked frame's middle."""

    def __init__(self) -> None:
        super().__init__()
        self.unused = torch.nn.Parameter(torch.zeros(1))

    def forward(self, batch: Any) -> tuple[None, Any]:
        middle = batch.speech[..., 3 * 80 : 3 * 80 + len(SOUNDS)].clone()
        middle[..., 0] = LOUD / 4
        return None, middle


@pytest.fixture
def aligned(tmp_path: Path) -> tuple[FeatureStore, list[list[tuple[int, int]]]]:
    store, places = write_store(tmp_path, [("ann", "red blue"), ("ann", "sun red blue"), ("bob", "blue sun"), ("li", "妈好妈")])
    align(Ear(), BatchMaker(store, CONFIG), sources=["speechocean762"])
    return store, places


def test_the_likeliest_path_keeps_the_order_and_the_gap_between_equal_sounds() -> None:
    log_probs = np.log(np.full((7, 3), 0.1))
    for frame, label in enumerate([0, 1, 1, 0, 1, 2, 2]):
        log_probs[frame, label] = np.log(0.8)
    first, mean = viterbi(log_probs, [1, 1, 2]) or (None, 0.0)
    assert np.array_equal(first, [1, 4, 5])
    assert mean == pytest.approx(np.log(0.8))
    assert viterbi(log_probs[:3], [1, 1, 2]) is None  # four frames are the least


def test_words_are_cut_in_the_pauses_between_them(aligned: tuple[FeatureStore, list[list[tuple[int, int]]]]) -> None:
    store, places = aligned
    cuts = read_cuts(store.folder)
    assert len(cuts) == len(store.items)
    for item, where in zip(store.items, places, strict=True):
        found = cuts[item.offset]
        assert len(found) == len(where) + 1
        for cut, (_, end), (begin, _) in zip(found[1:-1], where, where[1:], strict=False):
            assert end <= cut <= begin
        assert 0 <= found[0] <= where[0][0]
        assert where[-1][1] <= found[-1] <= item.frames


def test_joined_words_carry_their_units_sounds_and_frames(aligned: tuple[FeatureStore, list[list[tuple[int, int]]]]) -> None:
    store, _ = aligned
    splicer = Splicer(store, store.items, read_cuts(store.folder), {"splice_shares": {"speechocean762": 1.0}})
    rng, texts = np.random.default_rng(0), set()
    for item in [store.items[0], store.items[3]] * 60:
        assert splicer.wants(item, rng)
        frames, joined = splicer.splice(item, rng)
        words = list(joined.text) if item.language == "zh" else joined.text.split()
        texts.add(joined.text)
        assert joined.sounds == [sound for word in words for sound in GROUPS[word]]
        assert [store.pieces[unit].removeprefix("▁") for unit in joined.targets] == words
        assert joined.frames == len(frames)
        heard = frames[:, 1 : len(SOUNDS)].argmax(axis=1)[frames[:, 1 : len(SOUNDS)].max(axis=1) > LOUD / 2] + 1
        changes = [int(sound) for index, sound in enumerate(heard) if index == 0 or heard[index - 1] != sound]
        expected = [sound for index, sound in enumerate(joined.sounds) if index == 0 or joined.sounds[index - 1] != sound]
        assert changes == expected
    assert {"red", "blue red", "red blue sun"} <= texts  # runs of its own and of its speaker's, short ones too
    assert {"妈", "好妈"} <= texts
    assert all(text.isascii() or set(text) <= set("好妈") for text in texts)  # one speaker's words


def test_an_utterance_whose_units_do_not_match_its_words_is_left_alone(tmp_path: Path) -> None:
    from dataclasses import replace

    store, _ = write_store(tmp_path, [("ann", "red blue")])
    assert word_groups(store.items[0], store) is not None
    assert word_groups(replace(store.items[0], text="red blue sun"), store) is None
    assert word_groups(replace(store.items[0], sounds=None), store) is None
    splicer = Splicer(store, store.items, read_cuts(store.folder), CONFIG["train_asr"])
    assert not any(splicer.wants(store.items[0], np.random.default_rng(seed)) for seed in range(20))


def test_a_batch_of_joined_words_is_as_long_as_they_are(aligned: tuple[FeatureStore, list[list[tuple[int, int]]]]) -> None:
    store, _ = aligned
    config = {**CONFIG, "corpus": {**CONFIG["corpus"], "digit_strings": 0}}
    config["train_asr"] = {**CONFIG["train_asr"], "splice_shares": {"speechocean762": 1.0}, "short_first_s": [], "shares": {}}
    maker = BatchMaker(store, config)
    batches = list(maker.epoch(5, maker.plan(5)))
    assert sum(len(batch.lengths) for batch in batches) == len(store.items)
    for batch in batches:
        assert batch.speech.shape[1] == int(batch.lengths.max())
        assert bool(batch.has_text.any())


def test_align_before_any_training_names_the_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    from models.starter.__main__ import main

    write_store(tmp_path, [("ann", "red blue")])
    monkeypatch.setattr("sys.argv", ["models.starter", "--work", str(tmp_path), "align"])
    assert main() == 2
    assert "run `train --only asr` first" in capsys.readouterr().err


def test_composed_sentences_are_new_and_go_on_as_recorded_ones_do() -> None:
    texts = ["we call it bear", "we saw it run", "the cat saw the bear"]
    pairs = {pair for text in texts for pair in zip(("", *text.split()), (*text.split(), ""), strict=True)}
    made = composed_sentences(200, texts=texts, words=[], word_share=0.5, rng=random.Random(3))
    assert len(made) == 200 and not set(made) & set(texts)
    followed = [pair for text in made if len(text.split()) < 12 for pair in zip(("", *text.split()), (*text.split(), ""), strict=True)]
    assert followed and set(followed) <= pairs
    assert composed_sentences(5, texts=["we call it bear"], words=[], word_share=0.5, rng=random.Random(3)) == []
    strange = composed_sentences(200, texts=texts, words=["xylem"], word_share=0.3, rng=random.Random(3))
    assert 0.2 < np.mean([word == "xylem" for text in strange for word in text.split()]) < 0.4


def test_a_missing_word_list_is_named_and_no_reason_to_stop(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert dictionary_words(tmp_path / "words") == []
    assert "wamerican" in caplog.text
    (tmp_path / "words").write_text("Ann\nox\nbear\nbear's\nunquestionably\nnaïve\n", encoding="utf-8")
    assert dictionary_words(tmp_path / "words") == ["bear"]
