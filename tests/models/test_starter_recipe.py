"""The starter's recipe: corpus, units, augmentation, batches, and one step of learning."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
yaml = pytest.importorskip("yaml")

from engine.features import fbank  # noqa: E402
from models.contract import write_tokens  # noqa: E402
from models.starter import corpus  # noqa: E402 - torch decides whether this file runs
from models.starter.augment import FLOOR, add_noise, augment, change_volume, silence, stretch, warp_vocal_tract  # noqa: E402
from models.starter.corpus import CorpusError, read_corpus, read_labels  # noqa: E402
from models.starter.train_asr import learning_rate  # noqa: E402
from models.starter.units import UnitEncoder, learn_units  # noqa: E402

CONFIG = yaml.safe_load((Path(corpus.__file__).parent / "config.yaml").read_text(encoding="utf-8"))
ENGLISH = ["one two three", "we call it bear", "the cat sat on the mat", "zero nine five eight", "quick brown fox jumps over lazy dogs"]


def test_a_missing_data_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no data folder"):
        read_corpus(tmp_path / "nowhere", CONFIG)


def test_labels_that_name_a_missing_file_are_refused(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("path\tlabel\nlost.opus\thello\n", encoding="utf-8")
    with pytest.raises(CorpusError, match=r"lost\.opus"):
        read_labels(tmp_path)


@pytest.mark.weights
def test_test_speakers_are_never_trained_on(data_dir: Path) -> None:
    utterances = read_corpus(data_dir, CONFIG)
    speakers = {split: {u.speaker for u in utterances if u.split == split and u.language == "en"} for split in ("train", "test")}
    assert not speakers["train"] & speakers["test"]
    assert sum(u.is_digit_string for u in utterances if u.split == "test" and u.source == "speechocean762") >= 20


@pytest.mark.weights
def test_a_set_can_be_left_out(data_dir: Path) -> None:
    assert "ravdess" not in {u.source for u in read_corpus(data_dir, CONFIG, without=["ravdess"])}


def test_units_spell_what_they_learnt(tmp_path: Path) -> None:
    pieces, model = learn_units(ENGLISH, ["一二三", "一二"], english_units=45, mandarin_min_count=2)
    encoder = UnitEncoder(pieces, model)
    assert pieces[0] == "<blank>" and "一" in pieces and "三" not in pieces and "<|HAPPY|>" in pieces
    for text in ENGLISH:
        ids = encoder.encode(text, characters=False)
        assert ids is not None and "".join(pieces[index] for index in ids).replace("▁", " ").strip() == text
    assert encoder.encode("一三", characters=True) is None
    write_tokens(tmp_path / "tokens.txt", pieces)
    lines = (tmp_path / "tokens.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "<blank> 0" and lines[-1] == f"{pieces[-1]} {len(pieces) - 1}"


def test_neutral_augmentations_change_nothing() -> None:
    frames = np.random.default_rng(0).normal(0, 2, (50, 80)).astype(np.float32)
    np.testing.assert_allclose(stretch(frames, 1.0), frames, atol=1e-5)
    np.testing.assert_allclose(warp_vocal_tract(frames, 1.0), frames, atol=1e-5)
    np.testing.assert_allclose(add_noise(frames, frames, snr_db=200), frames, atol=1e-4)


def test_noise_arrives_at_the_asked_level() -> None:
    rng = np.random.default_rng(0)
    speech, noise = rng.normal(5, 1, (200, 80)).astype(np.float32), rng.normal(0, 1, (30, 80)).astype(np.float32)
    added = np.exp(add_noise(speech, noise, snr_db=10.0)).mean() - np.exp(speech).mean()
    assert 10 * np.log10(np.exp(speech).mean() / added) == pytest.approx(10.0, abs=0.1)


def test_digital_silence_has_no_volume() -> None:
    frames = np.stack([np.full(80, FLOOR), np.full(80, 3.0)]).astype(np.float32)
    quieter = change_volume(frames, -4.0)
    np.testing.assert_array_equal(quieter[0], np.full(80, FLOOR))
    np.testing.assert_allclose(quieter[1], np.full(80, -1.0))
    assert change_volume(frames, -30.0).min() >= FLOOR


def test_pauses_are_sometimes_exact_zeros_as_the_frontend_sees_them() -> None:
    zeros = fbank(np.zeros(2_000, np.float32))
    speech = np.random.default_rng(0).normal(5, 2, (50, 80)).astype(np.float32)
    pauses = [silence(3, np.random.default_rng(seed), like=speech) for seed in range(60)]
    digital = [np.allclose(pause, zeros[:3], atol=1e-3) for pause in pauses]
    assert 5 < sum(digital) < 40
    assert all(pause.mean() < speech.mean() for pause in pauses)


def test_augmentation_is_fresh_but_seeded() -> None:
    frames = np.random.default_rng(0).normal(0, 2, (90, 80)).astype(np.float32)
    first, again, other = (
        augment(frames, np.random.default_rng(seed), noises=[], fill=np.zeros(80, np.float32), masked=True) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(done, peak=1.0, warmup_fraction=0.1) for done in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] == pytest.approx(1.0)
    assert rates[2] > rates[3] > rates[4]
    assert rates[4] == pytest.approx(0.01)


def small_store(folder: Path) -> Path:
    """A feature store of 24 noisy utterances in two voices, written by hand."""
    pieces, model = learn_units(ENGLISH, [], english_units=45, mandarin_min_count=2)
    encoder, ids = UnitEncoder(pieces, model), {piece: index for index, piece in enumerate(pieces)}
    rng, frames, items = np.random.default_rng(0), [], []
    for index in range(24):
        text = ENGLISH[index % len(ENGLISH)]
        items.append(
            {
                "offset": sum(map(len, frames)),
                "frames": 240,
                "targets": encoder.encode(text, characters=False),
                "text": text,
                "tags": [ids["<|en|>"], ids["<|NEUTRAL|>"], ids["<|Speech|>"]],
                "language": "en",
                "source": "fsdd" if index < 4 else "speechocean762",
                "speaker": f"s{index % 2}",
                "split": "train" if index < 20 else "test",
                "path": "",
            }
        )
        frames.append(rng.normal(0, 1, (240, 80)))
    np.concatenate(frames).astype(np.float16).tofile(folder / "fbank.f16")
    np.savez(folder / "cmvn.npz", means=np.zeros(80), deviations=np.ones(80))
    (folder / "store.json").write_text(json.dumps({"pieces": pieces, "items": items}), encoding="utf-8")
    return folder


def small_config() -> dict:
    config = json.loads(json.dumps(CONFIG))
    config["corpus"]["digit_strings"] = 4
    config["asr"] |= {"output_size": 32, "linear_units": 32, "num_blocks": 1, "tp_blocks": 1}
    config["train_asr"] |= {"epochs": 2, "batch_frames": 200}
    config["train_vad"] |= {"steps": 60, "window_frames": 60, "batch_windows": 2}
    return config


def test_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    config, store = small_config(), FeatureStore(small_store(tmp_path))
    Trainer(store, config, tmp_path).run(epochs=1)
    resumed = Trainer(store, config, tmp_path)
    assert resumed.first_epoch == 1 and resumed.step > 0
    averaged = resumed.run()
    entries = [json.loads(line) for line in (tmp_path / "asr.log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [entry["epoch"] for entry in entries] == [0, 1]
    assert entries[1]["ctc"] < entries[0]["ctc"]
    assert averaged.exists()


def test_trained_weights_become_a_bundle_the_engine_loads(tmp_path: Path) -> None:
    from engine.bundle import Bundle
    from models.starter.export import export
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer
    from models.starter.train_vad import train_vad

    config, store = small_config(), FeatureStore(small_store(tmp_path))
    Trainer(store, config, tmp_path).run(epochs=1)
    train_vad(store, config, tmp_path, teacher=None)
    export(tmp_path, tmp_path / "bundle", config)
    bundle = Bundle.load(tmp_path / "bundle")
    assert bundle.name == "starter" and set(bundle.variants) == {"fp32", "int8"}


def test_an_export_without_training_names_the_step(tmp_path: Path) -> None:
    from models.starter.export import export

    small_store(tmp_path)
    with pytest.raises(FileNotFoundError, match="train"):
        export(tmp_path, tmp_path / "bundle", small_config())
