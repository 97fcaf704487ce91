"""Folders in every layout become bundles that say what their sources say; bad folders are named and leave nothing behind."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from engine.options import TranscribeOptions

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from engine.audio.waveform import Waveform, load_audio  # noqa: E402 - torch decides whether this file runs
from engine.bundle import Bundle  # noqa: E402
from engine.errors import BundleFormatError, CmvnShapeError  # noqa: E402
from engine.pipeline import Engine  # noqa: E402
from engine.runtime.onnx_operators import count_products  # noqa: E402
from engine.runtime.session_pool import open_session  # noqa: E402
from engine.speech.features import Cmvn  # noqa: E402
from models.bundle.disk import DiskFullError  # noqa: E402
from models.export import import_folder as module  # noqa: E402
from models.export import parity as graph_parity  # noqa: E402
from models.export.assemble import assemble  # noqa: E402
from models.export.export import ExportError, open_for_check  # noqa: E402
from models.export.import_folder import import_folder  # noqa: E402
from models.export.ready_made import read_ready_pieces  # noqa: E402
from tests.models.export import ready_made_folders as upstream  # noqa: E402

VARIANTS = {"fp32", "int8", "int8-upstream"}
ASR_OUTPUTS = ("token_ids", "log_probs", "tag_probs")


@pytest.fixture(scope="module", autouse=True)
def no_collections() -> Iterator[None]:
    """Without the collection of garbage around every session: with torch loaded they take longer than the imports themselves."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("engine.runtime.session.release_memory", lambda: None)
        patched.setattr(graph_parity, "release_memory", lambda: None)
        yield


@pytest.fixture(scope="module")
def funasr(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream.funasr_folder(random_checkpoint, tmp_path_factory.mktemp("funasr") / "SenseVoiceSmall-onnx")


@pytest.fixture(scope="module")
def sherpa(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream.sherpa_folder(random_checkpoint, tmp_path_factory.mktemp("sherpa") / "sherpa-onnx-sense-voice")


@pytest.fixture(scope="module")
def vad(random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return upstream.vad_folder(random_checkpoint, tmp_path_factory.mktemp("vad") / "speech_fsmn_vad_zh-cn-16k-common-onnx")


@pytest.fixture(scope="module")
def of_funasr(funasr: Path, vad: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return import_folder(funasr, tmp_path_factory.mktemp("bundles") / "funasr", vad_folder=vad)


@pytest.fixture(scope="module")
def of_sherpa(sherpa: Path, random_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """sherpa-onnx's graphs with FSMN-VAD as an official checkpoint."""
    return import_folder(sherpa, tmp_path_factory.mktemp("bundles") / "sherpa", vad_folder=random_checkpoint / "vad", name="mine")


@pytest.fixture
def one_length(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare at one short length, where a test is about something else."""
    monkeypatch.setattr(graph_parity, "ASR_LENGTHS", (9,))


def manifest(bundle: Path) -> dict:
    return json.loads((bundle / "bundle.json").read_text(encoding="utf-8"))


def feeds(frames: int, *, language: int = 4, textnorm: int = 15, seed: int = 0) -> dict[str, np.ndarray]:
    speech = np.random.default_rng(seed).standard_normal((1, frames, 560)).astype(np.float32)
    return {"speech": speech, "language": np.array([language], np.int32), "textnorm": np.array([textnorm], np.int32)}


def metadata_of(path: Path) -> dict[str, str]:
    return dict(open_for_check(path).get_modelmeta().custom_metadata_map)


def copied(folder: Path, target: Path, *, without: tuple[str, ...] = ()) -> Path:
    return Path(shutil.copytree(folder, target, ignore=shutil.ignore_patterns(*without)))


def nothing_left(place: Path) -> bool:
    return list(place.iterdir()) == []


# ---- what an imported bundle says ------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", ["of_funasr", "of_sherpa"])
def test_the_graphs_answer_as_the_exported_bundles(made: str, exported_bundle: Path, request: pytest.FixtureRequest) -> None:
    ours, theirs = (open_for_check(bundle / "asr.fp32.onnx") for bundle in (exported_bundle, request.getfixturevalue(made)))
    assert [(entry.name, entry.type, entry.shape[0]) for entry in theirs.get_inputs()] == [
        ("speech", "tensor(float)", 1),
        ("language", "tensor(int32)", 1),
        ("textnorm", "tensor(int32)", 1),
    ]
    assert [entry.name for entry in theirs.get_outputs()] == list(ASR_OUTPUTS)
    for frames, language, textnorm in ((1, 0, 14), (40, 3, 15), (167, 11, 14)):
        fed = feeds(frames, language=language, textnorm=textnorm, seed=frames)
        expected, found = ours.run(ASR_OUTPUTS, fed), theirs.run(ASR_OUTPUTS, fed)
        assert found[0].dtype == np.int32
        assert (found[0] == expected[0]).mean() > 0.99  # near-ties may flip
        np.testing.assert_allclose(found[1], expected[1], atol=1e-4)
        np.testing.assert_allclose(found[2], expected[2], atol=1e-5)


@pytest.mark.parametrize("made", ["of_funasr", "of_sherpa"])
def test_the_engine_transcribes_as_with_the_exported_bundle(made: str, exported_bundle: Path, request: pytest.FixtureRequest) -> None:
    noise = np.random.default_rng(1).standard_normal(48_000).astype(np.float32) * 0.1
    said = {}
    for bundle in (exported_bundle, request.getfixturevalue(made)):
        engine = Engine(Bundle.load(bundle))
        said[bundle] = engine.transcribe(Waveform(noise), TranscribeOptions(language="en")).segments
        engine.close()
    ours, theirs = said.values()
    assert ours and [(one.start_ms, one.end_ms) for one in theirs] == [(one.start_ms, one.end_ms) for one in ours]
    for one, other in zip(ours, theirs, strict=True):
        assert other.text == one.text and len(one.text) > 3
        assert other.probabilities["emotion"] == pytest.approx(one.probabilities["emotion"], abs=1e-4)


@pytest.mark.parametrize("made", ["of_funasr", "of_sherpa"])
def test_every_variant_opens_on_the_engines_session(made: str, request: pytest.FixtureRequest) -> None:
    bundle = Bundle.load(request.getfixturevalue(made))
    assert set(bundle.variants) == VARIANTS
    for variant in VARIANTS:
        for model in ("asr", "vad"):
            open_session(bundle, model=model, precision=variant, device="cpu", threads=1).close()
    for variant in ("int8", "int8-upstream"):
        products = count_products(bundle.path(bundle.variant(variant).asr))
        assert products.integer > 10 and products.floating == 0


def weight_types(path: Path) -> set[int]:
    graph = onnx.load(str(path), load_external_data=False).graph
    return {tensor.data_type for tensor in graph.initializer if tensor.name.endswith("_quantized")}


def test_our_int8_has_signed_weights_and_upstreams_keeps_its_own(of_funasr: Path) -> None:
    assert weight_types(of_funasr / "asr.int8.onnx") == {onnx.TensorProto.INT8}
    assert weight_types(of_funasr / "asr.int8-upstream.onnx") == {onnx.TensorProto.UINT8}


def test_upstreams_int8_equals_the_file_it_came_from(of_sherpa: Path, sherpa: Path) -> None:
    fed = feeds(60)
    source = {"x": fed["speech"], "x_length": np.array([60], np.int32), "language": fed["language"], "text_norm": fed["textnorm"]}
    logits = open_for_check(sherpa / "model.int8.onnx").run(None, source)[0].astype(np.float64)
    ids, log_probs, tags = open_for_check(of_sherpa / "asr.int8-upstream.onnx").run(ASR_OUTPUTS, fed)
    np.testing.assert_array_equal(ids, logits.argmax(-1))
    shares = np.exp(logits - np.log(np.exp(logits).sum(-1, keepdims=True)))
    np.testing.assert_allclose(np.exp(log_probs), shares.max(-1), atol=1e-5)
    named = json.loads(metadata_of(of_sherpa / "asr.int8-upstream.onnx")["tag_token_ids"])
    np.testing.assert_allclose(tags, shares[:, :4][..., named], atol=1e-5)


def test_the_manifest_says_where_it_comes_from(of_funasr: Path, of_sherpa: Path, exported_bundle: Path) -> None:
    fields, exported = manifest(of_funasr), manifest(exported_bundle)
    for key in ("kind", "languages", "sample_rate", "lfr", "prompt", "tokens", "cmvn", "licence"):
        assert fields[key] == exported[key], key
    assert fields["name"] == "sensevoice-small-onnx" and manifest(of_sherpa)["name"] == "mine"
    assert fields["source"] == "converted from FunASR's ONNX in SenseVoiceSmall-onnx and speech_fsmn_vad_zh-cn-16k-common-onnx"
    assert fields["weights"] == "random"  # its config.yaml says so
    assert (of_funasr / "tokens.txt").read_bytes() == (exported_bundle / "tokens.txt").read_bytes()
    assert (of_funasr / "asr.fp32.onnx.data").stat().st_size > 4 * (of_funasr / "asr.fp32.onnx").stat().st_size


def test_the_metadata_is_that_of_an_exported_graph(of_sherpa: Path, exported_bundle: Path) -> None:
    expected, found = (metadata_of(bundle / "asr.fp32.onnx") for bundle in (exported_bundle, of_sherpa))
    assert {key: found[key] for key in expected if key not in ("neg_mean", "inv_stddev")} == {
        key: value for key, value in expected.items() if key not in ("neg_mean", "inv_stddev")
    }


def test_cmvn_comes_out_of_sherpa_onnxs_metadata(of_sherpa: Path, exported_bundle: Path) -> None:
    expected, found = (Cmvn.load(bundle / "asr.mvn", expected_dim=560) for bundle in (exported_bundle, of_sherpa))
    np.testing.assert_allclose(found.shift, expected.shift, atol=1e-6)
    np.testing.assert_allclose(found.scale, expected.scale, rtol=1e-6)


def test_prompt_rows_are_those_of_the_metadata(sherpa: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    folder = copied(sherpa, tmp_path / "rows", without=("model.int8.onnx",))
    upstream.set_metadata(folder / "model.onnx", lang_zh="5", with_itn="13")
    made = import_folder(folder, tmp_path / "out", vad_folder=vad)
    assert manifest(made)["prompt"]["language"]["zh"] == 5 and manifest(made)["prompt"]["textnorm"] == {"withitn": 13, "woitn": 15}


# ---- layouts ---------------------------------------------------------------------------------------------------------


def test_an_official_checkpoint_is_exported(random_checkpoint: Path, exported_bundle: Path, tmp_path: Path) -> None:
    made = import_folder(random_checkpoint, tmp_path / "out")
    assert set(manifest(made)["variants"]) == {"fp32", "int8"} and manifest(made)["name"] == "sensevoice-small"
    fed = feeds(30)
    found, expected = (open_for_check(bundle / "asr.fp32.onnx").run(None, fed) for bundle in (made, exported_bundle))
    np.testing.assert_array_equal(found[0], expected[0])


def test_an_official_checkpoint_takes_a_ready_made_vad(random_checkpoint: Path, vad: Path, exported_bundle: Path, tmp_path: Path) -> None:
    folder = copied(random_checkpoint, tmp_path / "checkpoint", without=("vad",))
    made = import_folder(folder, tmp_path / "out", vad_folder=vad)
    speech = feeds(80)["speech"][..., :400]
    found, expected = (open_for_check(bundle / "vad.fp32.onnx").run(None, {"speech": speech})[0] for bundle in (made, exported_bundle))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert manifest(made)["source"].endswith("and speech_fsmn_vad_zh-cn-16k-common-onnx")


def test_another_opset_integer_type_and_vocabulary_are_read(
    random_checkpoint: Path, vad: Path, exported_bundle: Path, tmp_path: Path, one_length: None
) -> None:
    folder = upstream.funasr_folder(random_checkpoint, tmp_path / "other", opset=18, integers=torch.int64, bpe=True)
    (folder / "model_quant.onnx").unlink()
    made = import_folder(folder, tmp_path / "out", vad_folder=vad)
    found, expected = (open_for_check(bundle / "asr.fp32.onnx").run(ASR_OUTPUTS, feeds(30)) for bundle in (made, exported_bundle))
    np.testing.assert_allclose(found[1], expected[1], atol=1e-4)
    assert set(manifest(made)["variants"]) == {"fp32", "int8"}
    assert (made / "tokens.txt").read_bytes() == (exported_bundle / "tokens.txt").read_bytes()


def test_an_ancient_opset_is_refused(sherpa: Path, vad: Path, tmp_path: Path) -> None:
    from models.export.logits_graph import SHERPA, convert_asr

    model = onnx.load(str(sherpa / "model.onnx"))
    for entry in model.opset_import:
        entry.version = 10
    with pytest.raises(ExportError, match="opset 10; 11 or newer"):
        convert_asr(model, SHERPA, features=560, tag_ids=[1], metadata={})


def test_our_own_logits_folder_comes_back(
    random_checkpoint: Path, exported_bundle: Path, vad: Path, tmp_path: Path, one_length: None
) -> None:
    folder = assemble(random_checkpoint, tmp_path / "bundle", logits=True) / "logits"
    made = import_folder(folder, tmp_path / "out", vad_folder=vad)
    found, expected = (open_for_check(bundle / "asr.fp32.onnx").run(ASR_OUTPUTS, feeds(30)) for bundle in (made, exported_bundle))
    np.testing.assert_array_equal(found[0], expected[0])
    assert (made / "asr.mvn").read_bytes() == (exported_bundle / "asr.mvn").read_bytes()


def test_tokens_may_be_numbered_in_a_table(tmp_path: Path) -> None:
    (tmp_path / "tokens.json").write_text('{"<s>": 1, "<unk>": 0, "▁a": 2}', encoding="utf-8")
    assert read_ready_pieces(tmp_path, vocab_size=3) == ["<unk>", "<s>", "▁a"]


def test_a_quantized_file_alone_becomes_int8(sherpa: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    folder = copied(sherpa, tmp_path / "quantized", without=("model.onnx",))
    made = import_folder(folder, tmp_path / "out", vad_folder=vad)
    bundle = Bundle.load(made)
    assert set(bundle.variants) == {"int8"}
    assert weight_types(made / "asr.int8.onnx") == {onnx.TensorProto.UINT8}
    assert weight_types(made / "vad.int8.onnx") == {onnx.TensorProto.INT8}
    assert not list(made.glob("*fp32*"))
    engine = Engine(bundle, precision="int8")
    assert engine.transcribe(Waveform(np.random.default_rng(1).standard_normal(32_000).astype(np.float32) * 0.1)).segments
    engine.close()


def test_a_quantized_vad_alone_serves_every_precision(funasr: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    asr = copied(funasr, tmp_path / "asr", without=("model_quant.onnx",))
    small = copied(vad, tmp_path / "vad", without=("model.onnx",))
    bundle = Bundle.load(import_folder(asr, tmp_path / "out", vad_folder=small))
    assert {name: files.vad for name, files in bundle.variants.items()} == {"fp32": "vad.int8.onnx", "int8": "vad.int8.onnx"}
    open_session(bundle, model="vad", precision="int8", device="cpu", threads=1).close()


def test_vad_is_found_inside_and_beside(sherpa: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    inside = copied(sherpa, tmp_path / "a" / "asr", without=("model.int8.onnx",))
    copied(vad, inside / "vad")
    beside = copied(sherpa, tmp_path / "b" / "asr", without=("model.int8.onnx",))
    copied(vad, beside.parent / vad.name)
    for folder in (inside, beside):
        assert "vad.fp32.onnx" in manifest(import_folder(folder, folder.parent / "out"))["files"]


def test_a_vad_of_scores_gets_its_softmax(
    sherpa: Path, random_checkpoint: Path, exported_bundle: Path, tmp_path: Path, one_length: None
) -> None:
    scores = upstream.vad_folder(random_checkpoint, tmp_path / "scores", softmax=False)
    asr = copied(sherpa, tmp_path / "asr", without=("model.int8.onnx",))
    made = import_folder(asr, tmp_path / "out", vad_folder=scores)
    speech = feeds(80)["speech"][..., :400]
    found, expected = (open_for_check(bundle / "vad.fp32.onnx").run(["probs"], {"speech": speech})[0] for bundle in (made, exported_bundle))
    np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.weights
def test_the_real_fsmn_vad_finds_the_golden_segments(sherpa: Path, data_dir: Path, tmp_path: Path, one_length: None) -> None:
    asr = copied(sherpa, tmp_path / "asr", without=("model.int8.onnx",))
    bundle = import_folder(asr, tmp_path / "out", vad_folder=data_dir / "fsmn-vad")
    audio = load_audio(data_dir / "fsmn-vad" / "vad_example.wav")
    golden = json.loads((data_dir / "fsmn-vad" / "golden_segments_ms.json").read_text(encoding="utf-8"))
    engine = Engine(Bundle.load(bundle))
    for precision in ("fp32", "int8"):
        spans = [(span.start_ms, span.end_ms) for span in engine.detect(audio, TranscribeOptions(precision=precision))]
        assert len(spans) == len(golden)
        ends = [(start, min(end, audio.duration_ms)) for start, end in golden]
        assert np.abs(np.array(spans) - np.array(ends)).max() <= 30
    engine.close()


@pytest.mark.weights
def test_the_real_vad_with_caches_is_the_one_without(sherpa: Path, data_dir: Path, tmp_path: Path, one_length: None) -> None:
    asr = copied(sherpa, tmp_path / "asr", without=("model.int8.onnx",))
    folder = tmp_path / "online"
    folder.mkdir()
    for name, source in (("model.onnx", "model_online.onnx"), ("am.mvn", "am.mvn"), ("vad.yaml", "config.yaml")):
        shutil.copyfile(data_dir / "fsmn-vad" / source, folder / name)
    made = import_folder(asr, tmp_path / "out", vad_folder=folder)
    speech = feeds(200)["speech"][..., :400]
    found = open_for_check(made / "vad.fp32.onnx").run(["probs"], {"speech": speech})[0]
    expected = open_for_check(data_dir / "fsmn-vad" / "model.onnx").run(None, {"speech": speech})[0]
    np.testing.assert_allclose(found, expected, atol=1e-6)


# ---- bad input -------------------------------------------------------------------------------------------------------


def test_an_unknown_layout_is_described(tmp_path: Path) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    (folder).mkdir()
    with pytest.raises(ExportError, match=r"looked for .*model\.pt.*model_quant\.onnx.*model\.int8\.onnx.*; found nothing$"):
        import_folder(folder, out / "bundle")
    (folder / "pytorch_model.bin").touch()
    with pytest.raises(ExportError, match=r"found pytorch_model\.bin$"):
        import_folder(folder, out / "bundle")
    with pytest.raises(ExportError, match="there is no folder"):
        import_folder(tmp_path / "absent", out / "bundle")
    assert nothing_left(out)


def test_a_bundle_is_no_source(exported_bundle: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="is a bundle already"):
        import_folder(exported_bundle, tmp_path / "out")


def test_an_existing_output_is_kept(funasr: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    with pytest.raises(ExportError, match="exists already"):
        import_folder(funasr, tmp_path / "out")


def test_a_missing_vad_is_named(funasr: Path, tmp_path: Path) -> None:
    folder = copied(funasr, tmp_path / "in" / "asr")
    with pytest.raises(ExportError, match=r"no FSMN-VAD .*speech_fsmn_vad_zh-cn-16k-common-onnx.*--vad"):
        import_folder(folder, tmp_path / "out" / "bundle")
    with pytest.raises(ExportError, match=r"no FSMN-VAD .* in .*nowhere; "):
        import_folder(folder, tmp_path / "out" / "bundle", vad_folder=tmp_path / "nowhere")
    assert nothing_left(tmp_path / "out")


def test_an_asr_in_the_vads_place_is_refused(funasr: Path, sherpa: Path, random_checkpoint: Path, tmp_path: Path, one_length: None) -> None:
    with pytest.raises(ExportError, match="is no FSMN-VAD"):
        import_folder(funasr, tmp_path / "out" / "bundle", vad_folder=sherpa)
    with pytest.raises(ExportError, match="holds sensevoice where fsmn-vad is needed"):
        import_folder(funasr, tmp_path / "out" / "bundle", vad_folder=random_checkpoint)
    assert nothing_left(tmp_path / "out")


def test_a_vad_in_the_asrs_place_is_refused(vad: Path, tmp_path: Path) -> None:
    with pytest.raises(ExportError, match="takes these inputs: speech; FunASR's SenseVoice takes speech, speech_lengths"):
        import_folder(vad, tmp_path / "out", vad_folder=vad)


@pytest.mark.parametrize("name", ["model.onnx", "model_quant.onnx"])
@pytest.mark.parametrize("kept", [0, 1000, -2000])
def test_a_truncated_graph_is_named(name: str, kept: int, funasr: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    folder = copied(funasr, tmp_path / "in")
    (folder / name).write_bytes((folder / name).read_bytes()[:kept] if kept else b"")
    with pytest.raises(ExportError, match=name.replace(".", r"\.")):
        import_folder(folder, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


def test_a_truncated_vad_is_named(funasr: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    folder = copied(vad, tmp_path / "in")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:5000])
    with pytest.raises(ExportError, match=r"model\.onnx cannot be read as an ONNX graph"):
        import_folder(funasr, tmp_path / "out" / "bundle", vad_folder=folder)
    assert nothing_left(tmp_path / "out")


def drop_last_token(folder: Path) -> None:
    pieces = json.loads((folder / "tokens.json").read_text(encoding="utf-8"))
    (folder / "tokens.json").write_text(json.dumps(pieces[:-1]), encoding="utf-8")


def shorten_cmvn(folder: Path) -> None:
    from models.bundle.cmvn import write_cmvn

    write_cmvn(folder / "am.mvn", means=np.ones(400), deviations=np.ones(400))


@pytest.mark.parametrize(
    ("damage", "error", "said"),
    [
        (drop_last_token, ExportError, "tokens.json holds 399 pieces where the graph has 400 outputs"),
        (lambda folder: (folder / "tokens.json").write_text("[1, 2"), ExportError, "not readable JSON"),
        (lambda folder: (folder / "tokens.json").write_text('{"a": 0, "b": 2}'), ExportError, "not a list of pieces"),
        (lambda folder: (folder / "tokens.json").unlink(), ExportError, "no vocabulary"),
        (lambda folder: (folder / "tokens.txt").write_text("<unk> 0\n<s> 7\n"), BundleFormatError, "line 2"),
        (shorten_cmvn, CmvnShapeError, "normalizes 400 features where 560"),
        (lambda folder: (folder / "am.mvn").unlink(), ExportError, "no CMVN"),
        (lambda folder: (folder / "config.yaml").unlink(), ExportError, "no lfr_m and lfr_n"),
        (lambda folder: (folder / "config.yaml").write_text("{"), ExportError, "not readable YAML"),
        (
            lambda folder: (folder / "config.yaml").write_text("frontend_conf: {lfr_m: 5, lfr_n: 1}"),
            ExportError,
            "560 features where lfr_m 5",
        ),
    ],
)
def test_damaged_files_are_named(damage, error, said, funasr: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    folder = copied(funasr, tmp_path / "in")
    damage(folder)
    with pytest.raises(error, match=said):
        import_folder(folder, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"neg_mean": "1,2,3"}, "neg_mean in the graph's metadata holds 3 values where 560"),
        ({"inv_stddev": "a,b"}, "inv_stddev in the graph's metadata is no list of numbers"),
        ({"inv_stddev": ",".join(["0"] * 560)}, "above 0"),
        ({"vocab_size": "25055"}, "tokens.txt holds 400 pieces where the graph has 25055 outputs"),
        ({"normalize_samples": "1"}, "16-bit"),
        ({"lang_zh": "three"}, "lang_zh in its metadata is 'three'"),
        ({"lfr_window_size": ""}, "no lfr_m"),
    ],
)
def test_wrong_metadata_is_named(metadata, said, sherpa: Path, vad: Path, tmp_path: Path) -> None:
    folder = copied(sherpa, tmp_path / "in")
    upstream.set_metadata(folder / "model.onnx", **metadata)
    with pytest.raises(ExportError, match=said):
        import_folder(folder, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


def test_a_vocabulary_without_tags_is_refused(sherpa: Path, vad: Path, tmp_path: Path) -> None:
    folder = copied(sherpa, tmp_path / "in")
    (folder / "tokens.txt").write_text("".join(f"w{index} {index}\n" for index in range(400)), encoding="utf-8")
    with pytest.raises(ExportError, match="none of its 400 tokens is a tag"):
        import_folder(folder, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


def test_a_conversion_that_changes_answers_is_refused(
    funasr: Path, vad: Path, tmp_path: Path, one_length: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from models.export import logits_graph

    tail = logits_graph._tail

    def wrong(logits: str, *, opset: int):
        nodes = tail(logits, opset=opset)
        next(node for node in nodes if node.output[0] == "log_probs").op_type = "Neg"
        return nodes

    monkeypatch.setattr(logits_graph, "_tail", wrong)
    with pytest.raises(ExportError, match=r"asr\.fp32\.onnx differs by .* from the graph it was made of"):
        import_folder(funasr, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


def test_a_file_that_only_says_it_is_quantized_is_refused(funasr: Path, vad: Path, tmp_path: Path, one_length: None) -> None:
    folder = copied(funasr, tmp_path / "in")
    shutil.copyfile(folder / "model.onnx", folder / "model_quant.onnx")
    with pytest.raises(ExportError, match=r"int8-upstream\.onnx cannot be used: .*in float and 0 in integers"):
        import_folder(folder, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


def test_a_full_disk_is_an_answer(
    funasr: Path, vad: Path, random_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    for name, folder in (("write_manifest", funasr), ("add_dynamic_int8", random_checkpoint)):
        with monkeypatch.context() as patched:
            patched.setattr(module, name, full)
            patched.setattr(graph_parity, "ASR_LENGTHS", (9,))
            with pytest.raises(ExportError, match=r"could not be written \(No space left on device\); free some space"):
                import_folder(folder, tmp_path / "out" / "bundle", vad_folder=vad)
        assert nothing_left(tmp_path / "out")


def test_a_graph_that_cannot_be_quantized_is_named(
    funasr: Path, vad: Path, tmp_path: Path, one_length: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object, **__: object) -> None:
        raise RuntimeError("Unable to find data type")

    monkeypatch.setattr("models.quantize.dynamic.quantize_dynamic", lost)
    with pytest.raises(ExportError, match=r"vad\.fp32\.onnx cannot be quantized \(Unable to find data type\)"):
        import_folder(funasr, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")


def test_too_little_space_is_said_before_anything_is_written(
    funasr: Path, vad: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 1000))
    with pytest.raises(DiskFullError, match="MB are needed"):
        import_folder(funasr, tmp_path / "out" / "bundle", vad_folder=vad)
    assert nothing_left(tmp_path / "out")
