"""The starter's recipe: corpus, units, batches, and one step of learning."""

from __future__ import annotations

import copy
import itertools
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
yaml = pytest.importorskip("yaml")

from models.bundle.upstream_layout import write_tokens  # noqa: E402
from models.starter import mixed_precision  # noqa: E402
from models.starter.corpus import CorpusError, read_labels  # noqa: E402
from models.starter.events import make_events  # noqa: E402
from models.starter.pinyin import sounds_of_pinyin, sounds_of_syllable, sounds_of_text  # noqa: E402
from models.starter.public_sets import read_corpus  # noqa: E402
from models.starter.room import play_at, reverberate  # noqa: E402
from models.starter.train_asr import learning_rate  # noqa: E402
from models.starter.units import EnglishPieces, UnitEncoder, learn_english, learn_units  # noqa: E402
from tests.models.starter.small_recipe import CONFIG, ENGLISH, small_config, small_store  # noqa: E402


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


def test_units_encode_what_they_learnt(tmp_path: Path) -> None:
    pieces, model = learn_units(ENGLISH, ["一二三", "一二"], english_units=45, mandarin_min_count=2)
    encoder = UnitEncoder(pieces, model)
    assert pieces[0] == "<blank>" and "一" in pieces and "三" not in pieces and "<|HAPPY|>" in pieces
    for text in ENGLISH:
        ids = encoder.encode(text, characters=False)
        assert ids is not None and "".join(pieces[index] for index in ids).replace("▁", " ").strip() == text
    assert encoder.encode("一三", characters=True) is None
    few = EnglishPieces(learn_english(ENGLISH, units=30))
    assert len(few.pieces) < len(EnglishPieces(model).pieces) and "".join(few.encode("three one")) == "▁three▁one"
    write_tokens(tmp_path / "tokens.txt", pieces)
    lines = (tmp_path / "tokens.txt").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "<blank> 0" and lines[-1] == f"{pieces[-1]} {len(pieces) - 1}"


def test_learning_rate_rises_then_falls() -> None:
    rates = [learning_rate(done, peak=1.0, warmup_fraction=0.1) for done in (0.0, 0.05, 0.1, 0.5, 1.0)]
    assert rates[0] < rates[1] < rates[2]
    assert rates[2] == pytest.approx(1.0)
    assert rates[2] > rates[3] > rates[4]
    assert rates[4] == pytest.approx(0.01)


def test_training_resumes_where_it_stopped(tmp_path: Path) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    config, store = small_config(), FeatureStore(small_store(tmp_path))
    Trainer(store, config, tmp_path).run(epochs=1)
    resumed = Trainer(store, config, tmp_path)
    assert resumed.progress.epoch == 1 and resumed.progress.step > 0
    averaged = resumed.run()
    entries = [json.loads(line) for line in (tmp_path / "asr.log.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [entry["epoch"] for entry in entries] == [0, 1]
    assert entries[1]["ctc"] < entries[0]["ctc"]
    assert averaged.exists()


def stop_training(folder: Path, monkeypatch: pytest.MonkeyPatch, *, at_batch: int) -> None:
    """Train one epoch in a folder, interrupted as by Ctrl-C in the batch of this number (from 1)."""
    from models.starter import train_asr
    from models.starter.prepare import FeatureStore

    learnt, real_losses = itertools.count(1), train_asr.losses

    def losses(*arguments: object, **options: object) -> object:
        if next(learnt) == at_batch:
            raise KeyboardInterrupt
        return real_losses(*arguments, **options)  # type: ignore[arg-type]

    trainer = train_asr.Trainer(FeatureStore(small_store(folder)), small_config(), folder)
    with monkeypatch.context() as patched:
        patched.setattr(train_asr, "losses", losses)
        patched.setattr(train_asr, "SAVE_EVERY", 2)
        with pytest.raises(KeyboardInterrupt):
            trainer.run(epochs=1)


def test_training_stopped_within_an_epoch_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    whole.mkdir()
    stopped.mkdir()
    stop_training(stopped, monkeypatch, at_batch=4)
    resumed = Trainer(FeatureStore(stopped), small_config(), stopped)
    assert (resumed.progress.epoch, resumed.progress.batch) == (0, 2)
    resumed.run(epochs=1)
    Trainer(FeatureStore(small_store(whole)), small_config(), whole).run(epochs=1)
    expected, got = (torch.load(folder / "asr.averaged.pt", weights_only=True) for folder in (whole, stopped))
    for name, value in expected.items():
        torch.testing.assert_close(got[name], value, msg=name)


def test_a_training_leaves_small_numbers_as_they_were(tmp_path: Path) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer, flushing_denormals

    tiny = np.float32(1e-40)
    with flushing_denormals():
        assert tiny * np.float32(0.5) == 0
        with flushing_denormals():
            pass
        assert tiny * np.float32(0.5) == 0  # what was on stays on
    Trainer(FeatureStore(small_store(tmp_path)), small_config(), tmp_path).run(epochs=1)
    assert tiny * np.float32(0.5) != 0


def test_blocks_kept_still_learn_nothing(tmp_path: Path) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    config = small_config()
    config["asr"] |= {"num_blocks": 2, "tp_blocks": 0}
    config["train_asr"] |= {"still_blocks": 1, "epochs": 1}
    trainer = Trainer(FeatureStore(small_store(tmp_path)), config, tmp_path, device="cpu")
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    after = torch.load(trainer.run(), weights_only=True)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    still = {name for name in before if name.startswith(("embed.", "encoder.encoders0."))}
    assert still and not still & changed
    assert any(name.startswith("encoder.encoders.0.") for name in changed) and any(name.startswith("ctc.") for name in changed)


@pytest.mark.parametrize(
    ("device", "flags", "expected"),
    [("cpu", {"avx2"}, False), ("cpu", {"avx2", "avx512_bf16"}, True), ("cpu", {"asimd", "bf16"}, True), ("cuda", {"avx2"}, True)],
)
def test_bfloat16_is_used_where_the_device_multiplies_it(
    monkeypatch: pytest.MonkeyPatch, device: str, flags: set[str], expected: bool
) -> None:
    monkeypatch.setattr(mixed_precision, "cpu_flags", lambda: frozenset(flags))
    assert mixed_precision.multiplies_bfloat16(torch.device(device)) is expected
    if device == "cpu":
        with mixed_precision.mixed_precision(torch.device(device)):
            product = torch.ones(2, 2) @ torch.ones(2, 2)
        assert product.dtype is (torch.bfloat16 if expected else torch.float32)


def test_a_training_ends_with_its_minutes(tmp_path: Path) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    trainer = Trainer(FeatureStore(small_store(tmp_path)), small_config(), tmp_path)
    trainer.run(epochs=1000, minutes=0.01)
    assert trainer.progress.epoch < 1000
    assert trainer.progress.spent_s >= 0.6


def test_sounds_of_mandarin() -> None:
    assert sounds_of_syllable("zhong1") == ["zh", "ong1"]
    assert sounds_of_syllable("lv4") == sounds_of_syllable("lü4") == ["l", "ü4"]
    assert sounds_of_syllable("er2") == ["er2"]
    assert sounds_of_syllable("e") == ["e5"]
    assert sounds_of_syllable("!") is None
    assert sounds_of_pinyin("ni3 hao3") == ["n", "i3", "h", "ao3"]
    assert sounds_of_pinyin("ni3 ?") is None and sounds_of_pinyin("") is None


def test_characters_are_read_as_their_word_is() -> None:
    pytest.importorskip("pypinyin")
    assert sounds_of_text("银行") == ["y", "in2", "h", "ang2"]
    assert sounds_of_text("行走") == ["x", "ing2", "z", "ou3"]
    assert sounds_of_text("好A") is None


def test_another_speed_is_another_length_and_pitch() -> None:
    tone = np.sin(2 * np.pi * 400 * np.arange(16_000) / 16_000).astype(np.float32)
    faster = play_at(tone, 1.25)
    assert len(faster) == pytest.approx(12_800, abs=2)
    assert np.abs(np.fft.rfft(faster)).argmax() * 16_000 / len(faster) == pytest.approx(500, abs=3)
    assert play_at(tone, 1.0) is tone


def test_a_room_adds_a_tail_and_keeps_the_peak() -> None:
    click = np.zeros(16_000, np.float32)
    click[100] = 0.5
    heard = reverberate(click, np.random.default_rng(3))
    assert heard.shape == click.shape
    assert np.abs(heard).max() == pytest.approx(0.5)
    assert np.abs(heard[300:4_000]).max() > 0
    assert not np.abs(heard[:100]).max() > 1e-6


def test_made_events_are_music_and_applause_and_stay(tmp_path: Path) -> None:
    config = {"seed": 3, "events": {"music": 2, "applause": 1}}
    made = list(make_events(tmp_path, config))
    assert [str(u.event) for u in made] == ["BGM", "BGM", "Applause"] and {u.language for u in made} == {"nospeech"}
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert set(before) == {u.path.name for u in made}
    list(make_events(tmp_path, config))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder after one epoch of the small network and a few steps of the VAD, with ``bundle/`` exported from it."""
    from models.starter.export import export
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer
    from models.starter.train_vad import train_vad

    work = tmp_path_factory.mktemp("trained")
    config, store = small_config(), FeatureStore(small_store(work))
    Trainer(store, config, work).run(epochs=1)
    train_vad(store, config, work, teacher=None)
    export(work, work / "bundle", config)
    return work


def test_trained_weights_become_a_bundle_the_engine_loads(trained: Path) -> None:
    from engine.bundle import Bundle

    bundle = Bundle.load(trained / "bundle")
    assert bundle.name == "starter" and set(bundle.variants) == {"fp32", "int8"}
    assert bundle.recipes["int8"]["recipe"] == "dynamic"


def test_a_training_can_begin_with_a_bundle(trained: Path, tmp_path: Path) -> None:
    from models.starter.prepare import FeatureStore
    from models.starter.train_asr import Trainer

    store = FeatureStore(trained)
    second = Trainer(store, small_config(), tmp_path, init=trained / "bundle")
    for name, value in torch.load(trained / "asr.averaged.pt", weights_only=True).items():
        torch.testing.assert_close(second.model.state_dict()[name], value, atol=1e-3, rtol=1e-3, msg=name)  # stored in 16 bits
    wider = small_config()
    wider["asr"]["output_size"] = 64
    with pytest.raises(CorpusError, match="output_size is 32 there and 64 here"):
        Trainer(store, wider, tmp_path, init=trained / "bundle")


def test_a_bundles_units_spell_as_those_it_was_made_with() -> None:
    from models.starter.units import EnglishPieces, learn_units, units_of

    texts = [*ENGLISH, "the quick cat sat", "sat on the lazy mat", "seven", "even eleven"]
    pieces, model = learn_units(texts, ["你好", "你们好"], english_units=60, mandarin_min_count=2)
    again, rebuilt = units_of(pieces)
    learnt, read = EnglishPieces(model), EnglishPieces(rebuilt)
    assert again == pieces and read.pieces == learnt.pieces
    for text in [*texts, "the fox ate seven mats", "on and on"]:
        assert read.encode(text) == learnt.encode(text)


def test_the_embedded_bundle_spells_with_its_own_units() -> None:
    from models.starter.units import UnitEncoder, pieces_of, units_of
    from tests.starter_facts import STARTER

    pieces, model = units_of(pieces_of(STARTER))
    encoder = UnitEncoder(pieces, model)
    spelt = encoder.encode("ask not what your country can do", characters=False)
    assert spelt is not None
    assert "".join(pieces[unit] for unit in spelt) == "▁ask▁not▁what▁your▁country▁can▁do"
    assert len(spelt) < 20  # pieces, not letters
    assert [pieces[unit] for unit in encoder.encode("你好", characters=True) or ()] == ["你", "好"]


def test_a_store_can_keep_a_bundles_normalization(trained: Path) -> None:
    from models.starter.prepare import FeatureStore, statistics_of

    means, deviations = statistics_of(trained / "bundle")
    store = FeatureStore(trained)
    np.testing.assert_allclose(means, store.means, atol=1e-5)
    np.testing.assert_allclose(deviations, store.deviations, rtol=1e-5)


def test_a_deeper_and_wider_network_begins_as_the_bundle_it_comes_from(tmp_path: Path) -> None:
    from models.export.export import export_asr
    from models.networks.sensevoice import SenseVoice, SenseVoiceConfig
    from models.starter.warm_start import begin_with

    torch.manual_seed(0)
    sizes = {"output_size": 32, "attention_heads": 4, "tp_blocks": 1, "kernel_size": 11}
    old, new = ["<blank>", "a", "b", "<|en|>"], ["<blank>", "b", "c", "a", "<|en|>", "ab"]
    shallow = SenseVoice(SenseVoiceConfig(num_blocks=2, linear_units=48, vocab_size=len(old), **sizes)).eval()
    export_asr(shallow, tmp_path / "asr.fp32.onnx", tag_ids=[3], metadata={})
    write_tokens(tmp_path / "tokens.txt", old)
    deep = SenseVoice(SenseVoiceConfig(num_blocks=4, linear_units=80, vocab_size=len(new), **sizes)).eval()
    begin_with(deep, tmp_path, pieces=new)
    speech, prompt = torch.randn(1, 12, 560), (torch.tensor([0]), torch.tensor([15]))
    with torch.no_grad():
        expected, got = shallow(speech, *prompt), deep(speech, *prompt)
    torch.testing.assert_close(got[..., [0, 3, 1, 4]], expected, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(got[..., 5], expected[..., 1] - 1.0, atol=1e-4, rtol=1e-4)  # "ab" begins as "a", a little behind
    narrow = SenseVoice(SenseVoiceConfig(num_blocks=2, linear_units=40, vocab_size=len(old), **sizes))
    with pytest.raises(CorpusError, match="linear_units is 48 there and only 40 here"):
        begin_with(narrow, tmp_path, pieces=old)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_every_weight_is_moved_by_one_optimizer_and_a_checkpoint_goes_on(name: str) -> None:
    from models.networks.sensevoice import SenseVoice, SenseVoiceConfig
    from models.starter.optimizers import Optimizers, inner_matrices
    from models.starter.train_asr import Learner

    def step(learner: Learner, optimizers: Optimizers) -> None:
        generator = torch.Generator().manual_seed(1)
        optimizers.zero_grad()
        for parameter in learner.parameters():
            parameter.grad = torch.randn(parameter.shape, generator=generator)
        optimizers.step()

    sizes = {"output_size": 32, "attention_heads": 4, "linear_units": 48, "num_blocks": 2, "tp_blocks": 1, "kernel_size": 11}
    first, second = (Learner(SenseVoice(SenseVoiceConfig(vocab_size=9, **sizes)), sounds=5, tap=1) for _ in range(2))
    assert len(inner_matrices(first)) == 4 * 3
    before = {key: value.clone() for key, value in first.state_dict().items()}
    moving = Optimizers(first, name=name, weight_decay=0.01)
    moving.set_rate(1e-3)
    step(first, moving)
    after = first.state_dict()
    assert [key for key, value in before.items() if torch.equal(value, after[key])] == []
    second.load_state_dict(after)
    resumed = Optimizers(second, name=name, weight_decay=0.01)
    resumed.load_state_dict(copy.deepcopy(moving.state_dict()))  # as from a file
    step(first, moving)
    step(second, resumed)
    for key, value in first.state_dict().items():
        torch.testing.assert_close(second.state_dict()[key], value, msg=key)


def test_an_optimizer_that_is_not_known_and_a_checkpoint_of_another_are_refused() -> None:
    from models.starter.optimizers import Optimizers

    with pytest.raises(ValueError, match="'sgd'; choose one of adamw, muon"):
        Optimizers(torch.nn.Linear(2, 2), name="sgd", weight_decay=0.0)
    adamw = Optimizers(torch.nn.Linear(2, 2), name="adamw", weight_decay=0.0)
    with pytest.raises(ValueError, match="another optimizer"):
        adamw.load_state_dict([*adamw.state_dict(), {}])


def test_an_exported_bundle_stores_16_bits_and_names_whose_work_it_holds(trained: Path) -> None:
    from models.export.half_storage import is_stored_as_half
    from models.networks.weights import sensevoice_of

    bundle = trained / "bundle"
    assert is_stored_as_half(bundle / "asr.fp32.onnx")
    assert "Copyright (c) 2022 OpenAI" in (bundle / "NOTICE.md").read_text(encoding="utf-8")
    assert "NOTICE.md" in json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))["files"]
    assert sensevoice_of(bundle / "asr.fp32.onnx").config.activation == "gelu"


@pytest.mark.weights
def test_the_official_vad_goes_into_the_bundle_as_it_is(trained: Path, data_dir: Path, tmp_path: Path) -> None:
    from models.networks.fsmn_vad import FsmnVad
    from models.networks.weights import fsmn_vad_of
    from models.starter.export import export

    export(trained, tmp_path / "bundle", small_config(), vad=data_dir / "fsmn-vad")
    expected, got = fsmn_vad_of(data_dir / "fsmn-vad" / "model.onnx"), fsmn_vad_of(tmp_path / "bundle" / "vad.fp32.onnx")
    assert isinstance(got, FsmnVad)
    for name, value in expected.state_dict().items():
        torch.testing.assert_close(got.state_dict()[name], value, msg=name)
    with pytest.raises(CorpusError, match=r"lacks model\.onnx and am\.mvn"):
        export(trained, tmp_path / "bundle", small_config(), vad=tmp_path)


def test_an_export_without_training_names_the_step(tmp_path: Path) -> None:
    from models.starter.export import export

    small_store(tmp_path)
    with pytest.raises(FileNotFoundError, match="train"):
        export(tmp_path, tmp_path / "bundle", small_config())
